"""Collecting the results of a test run, any of which the code under test may have written."""

import json

import pytest

from aci.testing import result_collection
from aci.testing.result_collection import CollectedResults
from aci.testing.runner_hooks import RunnerRequest
from aci.testing.suite_run import run_tests

START, FINISH = {"start": "x"}, {"finish": 0, "expected": 1}
PASSES = ({"running": "a"}, {"id": "a", "outcome": "passed"})


@pytest.fixture
def read(make_repo, open_ws):
    """`read(lines, **files)`: results collected from these lines and runner files; `_` in a file's name means `-`."""

    def read(lines=(), **files):
        workspace = open_ws("local", make_repo({"a.txt": "a\n"}))
        request = RunnerRequest(workspace.root, f"{workspace.harness}/r", (), 1.0, lambda path: "", lambda path: False)
        workspace.write(request.lines, b"\n".join(json.dumps(line).encode() for line in lines))
        for name, data in files.items():
            workspace.write(f"{request.out}/{name.replace('_', '-')}", data)
        collected = CollectedResults(workspace, "tests")
        collected.read(request, [])
        return collected

    return read


def test_unknown_records_and_fields_are_dropped(read):
    junk = {"id": "a", "outcome": "passed", "more": [[]] * 9, "trace": [["a.py", 1, {}], 5], "message": {"a": 1}}
    collected = read([START, {"other": 1}, [], junk, FINISH])
    assert collected.lines == [START, {"id": "a", "outcome": "passed", "trace": [["a.py", 1, ""]]}, FINISH]
    assert (collected.whole, collected.notes) == (True, [])


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["MOST_LINES", "MOST_BYTES", "MOST_FILES"])
def test_limit_applies_to_all_files_together(read, monkeypatch, limit):
    group = b"three lines"
    lines = [START, *PASSES, FINISH]
    monkeypatch.setattr(result_collection, "reader_of", lambda name: lambda request, path, data: lines if data else [])
    complete = read(bats_1=group, bats_2=group)
    assert (len(complete.lines), complete.whole) == (8, True)
    monkeypatch.setattr(
        result_collection, limit, {"MOST_LINES": 5, "MOST_BYTES": len(group) + 5, "MOST_FILES": 1}[limit]
    )
    collected = read(bats_1=group, bats_2=group)
    assert len(collected.lines) < len(complete.lines)
    assert not collected.whole
    assert len(collected.notes) == 1


def test_reader_that_raises_does_not_affect_other_results(read, monkeypatch):
    def fail(request, path, data):
        yield START
        raise ValueError(data)

    monkeypatch.setattr(result_collection, "reader_of", lambda name: fail)
    collected = read([START, *PASSES, FINISH], bats_1=b"x")
    assert collected.lines == [START, *PASSES, FINISH]
    assert collected.notes == ["The results of bats could not be read (ValueError)."]


@pytest.mark.slow
def test_unread_results_make_report_incomplete(make_repo, open_ws, monkeypatch):
    monkeypatch.setattr(result_collection, "MOST_LINES", 3)
    workspace = open_ws("local", make_repo({"test_a.py": "def test_a(): pass\ndef test_b(): pass\n"}))
    report = run_tests(workspace, "python3 -m pytest -q")
    assert not report.complete
    assert any("more than 3 lines" in note for note in report.notes)
