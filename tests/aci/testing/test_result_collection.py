"""Reading what a run of tests told, of which all may be written by the code under test."""

import json

import pytest

from aci.runners import cargo
from aci.testing import result_collection
from aci.testing.result_collection import CollectedResults
from aci.testing.runner_hooks import RunnerRequest
from aci.testing.suite_run import run_tests

START, FINISH = {"start": "x"}, {"finish": 0, "expected": 1}
PASSES = ({"running": "a"}, {"id": "a", "outcome": "passed"})


@pytest.fixture
def read(make_repo, open_ws):
    """`read(lines, **files)`: what is told by these lines and files of runners, `_` for `-`."""

    def read(lines=(), **files):
        workspace = open_ws("local", make_repo({"a.txt": "a\n"}))
        asked = RunnerRequest(workspace.root, f"{workspace.harness}/r", (), 1.0, lambda path: "", lambda path: False)
        workspace.write(asked.lines, b"\n".join(json.dumps(line).encode() for line in lines))
        for name, data in files.items():
            workspace.write(f"{asked.out}/{name.replace('_', '-')}", data)
        found = CollectedResults(workspace, "tests")
        found.read(asked, [])
        return found

    return read


def test_only_what_is_ours_is_kept(read):
    junk = {"id": "a", "outcome": "passed", "more": [[]] * 9, "trace": [["a.py", 1, {}], 5], "message": {"a": 1}}
    found = read([START, {"other": 1}, [], junk, FINISH])
    assert found.lines == [START, {"id": "a", "outcome": "passed", "trace": [["a.py", 1, ""]]}, FINISH]
    assert (found.whole, found.notes) == (True, [])


@pytest.mark.parametrize("limit", ["MOST_LINES", "MOST_BYTES", "MOST_FILES"])
def test_all_files_together_have_limit(read, monkeypatch, limit):
    group = b"running 1 test\ntest a ... ok\ntest result: ok.\n"
    whole = read(cargo_1=group, cargo_2=group)
    assert (len(whole.lines), whole.whole) == (8, True)
    monkeypatch.setattr(
        result_collection, limit, {"MOST_LINES": 5, "MOST_BYTES": len(group) + 5, "MOST_FILES": 1}[limit]
    )
    found = read(cargo_1=group, cargo_2=group)
    assert len(found.lines) < len(whole.lines)
    assert not found.whole
    assert len(found.notes) == 1


def test_reader_that_stumbles_ends_nothing(read, monkeypatch):
    def stumble(asked, path, data):
        yield START
        raise ValueError(data)

    monkeypatch.setattr(cargo, "read", stumble)
    found = read([START, *PASSES, FINISH], cargo_1=b"x")
    assert found.lines == [START, *PASSES, FINISH]
    assert found.notes == ["The results of cargo could not be read (ValueError)."]


def test_what_is_not_read_makes_report_incomplete(make_repo, open_ws, monkeypatch):
    monkeypatch.setattr(result_collection, "MOST_LINES", 3)
    workspace = open_ws("local", make_repo({"test_a.py": "def test_a(): pass\ndef test_b(): pass\n"}))
    report = run_tests(workspace, "python3 -m pytest -q")
    assert not report.complete
    assert any("more than 3 lines" in note for note in report.notes)


WRITES = "printf '%s' \"<t><testcase name='{0}'/><testcase name='{1}'><failure/></testcase></t>\" > TEST-x.xml"


@pytest.mark.slow
def test_reports_count_beside_what_hooks_told(make_repo, open_ws):
    """One runner tells of its tests, another only writes a report: neither hides the other."""
    makefile = "check:\n\tpython3 -m pytest -q\n\t" + WRITES.format("adds", "takes") + "\n"
    workspace = open_ws("local", make_repo({"test_a.py": "def test_a(): pass\n", "Makefile": makefile}))
    report = run_tests(workspace, "make check")
    assert (report.passed, report.failed) == (("adds", "test_a.py::test_a"), ("takes",)), report.output.decode()


def test_runners_own_report_is_not_counted_twice(make_repo, open_ws):
    makefile = "check:\n\tpython3 -m pytest -q --junitxml=junit.xml\n"
    tests = "import pytest\n@pytest.mark.parametrize('v', [1, 'a.b c'])\ndef test_a(v): pass\n"
    workspace = open_ws("local", make_repo({"test_a.py": tests, "Makefile": makefile}))
    assert run_tests(workspace, "make check").passed == ("test_a.py::test_a[1]", "test_a.py::test_a[a.b c]")
