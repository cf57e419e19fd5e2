"""Results in files that a test command writes, and a command whose results no runner reports."""

from __future__ import annotations

import pytest

from aci.testing.suite_run import run_tests

WRITES = "printf '%s' \"<t><testcase name='{0}'/><testcase name='{1}'><failure/></testcase></t>\" > TEST-x.xml"


@pytest.mark.slow
def test_report_files_and_hook_results_are_combined(make_repo, open_ws):
    """One runner reports through its hook, another only writes a file: both count."""
    makefile = "check:\n\tpython3 -m pytest -q\n\t" + WRITES.format("adds", "takes") + "\n"
    workspace = open_ws("local", make_repo({"test_a.py": "def test_a(): pass\n", "Makefile": makefile}))
    report = run_tests(workspace, "make check")
    assert (report.passed, report.failed) == (("adds", "test_a.py::test_a"), ("takes",)), report.output.decode()


@pytest.mark.slow
def test_report_file_of_hooked_runner_is_not_counted_twice(make_repo, open_ws):
    makefile = "check:\n\tpython3 -m pytest -q --junitxml=junit.xml\n"
    tests = "import pytest\n@pytest.mark.parametrize('v', [1, 'a.b c'])\ndef test_a(v): pass\n"
    workspace = open_ws("local", make_repo({"test_a.py": tests, "Makefile": makefile}))
    assert run_tests(workspace, "make check").passed == ("test_a.py::test_a[1]", "test_a.py::test_a[a.b c]")


def test_command_without_test_results_is_judged_by_exit_code(open_ws, make_repo):
    workspace = open_ws("local", make_repo({"test_a.py": "def test_a(): pass\n"}))
    assert run_tests(workspace, "true").ok
    report = run_tests(workspace, "echo no; false")
    assert (report.granularity, report.code, report.results, report.ok) == ("command", 1, (), False)
    assert report.summary().startswith("exit code 1 in ")
