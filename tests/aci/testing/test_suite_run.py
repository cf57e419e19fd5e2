"""Test runs in real workspaces and their reports."""

import json
import re
import shlex
from dataclasses import replace
from unittest.mock import ANY

import pytest

from aci.runtime.workspace import CommandResult
from aci.testing import suite_run
from aci.testing.command_files import command_for_nodes, group_nodes, is_run_by
from aci.testing.runner_hooks import RunnerRequest
from aci.testing.suite_command import detect_command
from aci.testing.suite_run import CollectedResults, SuiteReport, TestResult, run_tests
from trajectories.errors import UsageError

PYTEST = {
    "pkg/__init__.py": "def f(x):\n    return x + 1\n\ndef boom():\n    raise KeyError('a')\n",
    "tests/test_a.py": (
        "import pytest\nfrom pkg import f, boom\n"
        "@pytest.mark.parametrize('v', [1, 'a b', '$(x)', \"it's\"])\ndef test_p(v): pass\n"
        "def test_bad(): assert f(1) == 3\n"
        "def test_boom(): boom()\n"
    ),
}
CASES = {
    "pkg/__init__.py": PYTEST["pkg/__init__.py"],
    "tests/__init__.py": "",
    "tests/test_u.py": (
        "import unittest\nfrom pkg import f, boom\n"
        "class T(unittest.TestCase):\n"
        "    def test_ok(self): self.assertEqual(f(1), 2)\n"
        "    def test_bad(self): self.assertEqual(f(1), 3)\n"
        "    def test_boom(self): boom()\n"
    ),
}


@pytest.fixture
def open_local(make_repo, open_ws):
    """`open_local(files)`: a workspace on this machine that holds the files."""
    return lambda files: open_ws("local", make_repo(files))


@pytest.mark.slow
def test_pytest_is_detected_and_runs_only_given_nodes(open_local):
    workspace = open_local(PYTEST)
    report = run_tests(workspace)
    assert report.command == "python3 -m pytest"
    assert report.granularity == "test"
    assert report.complete
    assert report.notes == ()
    assert report.failed == ("tests/test_a.py::test_bad", "tests/test_a.py::test_boom")
    assert report.counts == {"passed": 4, "failed": 2}
    assert report.summary().startswith("2 failed, 4 passed in ")
    assert report.find("tests/test_a.py::test_boom").trace == ("tests/test_a.py:6:test_boom", "pkg/__init__.py:5:boom")
    nodes = ["tests/test_a.py::test_p[a b]", "tests/test_a.py::test_p[$(x)]", "tests/test_a.py::test_p[it's]"]
    assert run_tests(workspace, nodes=nodes).passed == tuple(nodes)


@pytest.mark.parametrize("path", ["src/a.java", "src/b.rs", "test/c.bats", "Rakefile", "d e/f'g.py"])
def test_runner_can_ask_whether_any_file_exists(open_local, path):
    exists = suite_run._existing(open_local({path: "", "node_modules/x.js": ""}))
    assert exists(path)
    assert not any(map(exists, (f"no/{path}", "node_modules/x.js", "src")))


def test_id_with_the_folder_of_its_workspace_is_the_same_in_another_one(open_local):
    """The id also names the test in a later run."""
    test = "import pathlib, pytest\n@pytest.mark.parametrize('path', [__file__])\ndef test_it(path): pass\n"
    workspace = open_local({"tests/test_path.py": test})
    [result] = run_tests(workspace, "").results
    assert result.id == "tests/test_path.py::test_it[{repository}/tests/test_path.py]"
    other = workspace.fork(workspace.options.base.tree)
    assert run_tests(other, "", [result.id]).results == (replace(result, seconds=ANY),)
    other.close()


@pytest.mark.slow
def test_test_run_leaves_no_files(open_local):
    workspace = open_local(PYTEST)
    before = workspace.snapshot().tree
    run_tests(workspace)
    assert workspace.snapshot().tree == before
    # The folder of results is removed in the background.
    wait = "for _ in $(seq 300); do ls | grep -q ^results || break; sleep 0.1; done"
    listed = workspace.run(f"cd {shlex.quote(workspace.harness)} && {wait} && ls -A", timeout=60)
    assert listed.text.split() == ["project_probe.py"]
    assert workspace.run("find . -name __pycache__").output == b""


@pytest.mark.slow
def test_command_does_not_change_its_session(open_local):
    workspace = open_local(CASES)
    run_tests(workspace, "cd tests && export PYTHONPATH=/nowhere && exit 3")
    report = run_tests(workspace, "python3 -m unittest tests.test_u")
    assert report.counts == {"passed": 1, "failed": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "nodes", "count"),
    [
        ("pytest -q tests", (), 6),
        ("echo begin; python3 -m pytest -x | cat", (), 6),
        ("cd tests && python3 -m pytest -p no:cacheprovider", ("tests/test_a.py::test_p",), 4),
        ("make check", (), 6),
    ],
)
def test_pytest_started_by_any_command_is_recognised(open_local, command, nodes, count):
    workspace = open_local({**PYTEST, "Makefile": "check:\n\tpython3 -m pytest -q\n", "conftest.py": ""})
    report = run_tests(workspace, command, nodes)
    assert report.granularity == "test"
    assert len(report.results) == count


@pytest.mark.slow
def test_unittest_results_are_read_in_each_workspace(kind, make_repo, open_ws):
    workspace = open_ws(kind, make_repo(CASES))
    command = "python3 -m unittest discover"
    report = run_tests(workspace, command)
    assert report.granularity == "test"
    assert report.counts == {"passed": 1, "failed": 2}
    boom = report.find("tests.test_u.T.test_boom")
    assert (boom.path, boom.line, boom.error, boom.message) == ("tests/test_u.py", 6, "KeyError", "KeyError: 'a'")
    for node in ("tests.test_u.T.test_ok", "tests/test_u.py::T::test_ok"):
        assert run_tests(workspace, command, [node]).passed == ("tests.test_u.T.test_ok",)
    assert run_tests(workspace, "exit 3").code == 3


def without_pytest(workspace):
    """Return the workspace with a Python that sees only the standard library."""
    bin = f"{workspace.scratch}/bin"
    real = workspace.run("python3 -c 'import sys; print(sys.executable)'").text.strip()
    workspace.write(f"{bin}/python3", f'#!/bin/sh\nexec {shlex.quote(real)} -S "$@"\n'.encode())
    workspace.run(f"cd {shlex.quote(bin)} && chmod +x python3 && ln -s python3 python")
    workspace.run(f"export PATH={shlex.quote(bin)}:$PATH", session="tests")
    return workspace


@pytest.mark.slow
def test_unittest_is_detected_without_pytest(kind, make_repo, open_ws):
    workspace = without_pytest(open_ws(kind, make_repo(CASES)))
    assert detect_command(workspace) == "python3 -m unittest discover -s tests -t ."
    assert run_tests(workspace).counts == {"passed": 1, "failed": 2}


@pytest.mark.parametrize("path", ["sitecustomize.py", "importlib/util.py", "json/__init__.py"])
def test_command_detection_runs_no_code_of_repository(open_local, tmp_path, path):
    """The user has not yet allowed tests to run."""
    marker = tmp_path / "ran"
    code = f"open({str(marker)!r}, 'a').close()\n"
    folder, _, _ = path.rpartition("/")
    package = {f"{folder}/__init__.py": code} if folder else {}
    workspace = open_local({**PYTEST, "pkg/__init__.py": "", path: code, **package})
    assert detect_command(workspace).endswith("-m pytest")
    assert not marker.exists()
    workspace.run("python3 -c 'import json, importlib.util'")
    assert marker.exists()


def test_opening_workspace_runs_no_code_of_repository(open_local, tmp_path):
    """setuptools installs an import finder, which imports setuptools itself for `distutils`."""
    marker = tmp_path / "ran"
    open_local({"distutils/__init__.py": "", "setuptools/__init__.py": f"open({str(marker)!r}, 'a').close()\n"})
    assert not marker.exists()


def test_pytest_in_repository_is_detected_without_running_it(open_local, tmp_path):
    marker = tmp_path / "ran"
    workspace = without_pytest(
        open_local({**PYTEST, "src/pytest/__init__.py": f"open({str(marker)!r}, 'a').close()\n"})
    )
    assert detect_command(workspace).endswith("-m pytest")
    assert not marker.exists()


def test_pytest_style_tests_need_pytest(open_local):
    with pytest.raises(UsageError, match="need pytest"):
        run_tests(without_pytest(open_local(PYTEST)))


@pytest.mark.slow
@pytest.mark.parametrize(("functions", "cases", "needed"), [(2, 1, True), (1, 2, False), (1, 1, False), (0, 1, False)])
def test_tests_that_mostly_need_pytest_are_not_run_by_unittest(open_local, functions, cases, needed):
    files = {
        f"tests/test_f{n}.py": "import pytest\nfrom unittest import mock\ndef test_it(): pass\n"
        for n in range(functions)
    }
    files |= {f"tests/test_c{n}.py": CASES["tests/test_u.py"] for n in range(cases)}
    workspace = without_pytest(open_local(files))
    if needed:
        with pytest.raises(UsageError, match="need pytest"):
            detect_command(workspace)
    else:
        assert "-m unittest" in detect_command(workspace)


def test_repository_without_tests_is_reported(open_local):
    with pytest.raises(UsageError, match="No tests were found") as raised:
        run_tests(open_local({"a.py": "x = 1\n", "node_modules/b/test_x.py": ""}))
    assert "--test" in raised.value.fix


def test_missing_command_is_reported(open_local):
    report = run_tests(open_local(PYTEST), "no-such-runner --all")
    assert report.code == 127
    assert "no-such-runner" in report.notes[0]


def test_command_with_syntax_error_fails(open_local):
    report = run_tests(open_local(PYTEST), "if (")
    assert report.code not in (0, 127)
    assert not report.ok


@pytest.mark.slow
def test_hanging_command_keeps_results_so_far(open_local):
    files = {
        "test_a.py": "import time, signal\ndef test_a(): pass\ndef test_b():\n    signal.alarm(0)\n    time.sleep(99)\n"
    }
    report = run_tests(
        open_local({**files, "conftest.py": "import signal\nsignal.signal(14, signal.SIG_IGN)\n"}), timeout=6
    )
    assert report.timed_out
    assert report.passed == ("test_a.py::test_a",)
    assert report.find("test_a.py::test_b").message == "still running at the time-out"
    assert "did not end within" in report.notes[0]
    assert "timed out" in report.summary()


@pytest.mark.slow
def test_hanging_test_does_not_hide_other_results(open_local):
    files = {"test_a.py": "def test_a():\n    while True: pass\ndef test_b(): pass\n"}
    report = run_tests(open_local(files), timeout=20)
    assert report.failed == ("test_a.py::test_a",)
    assert report.passed == ("test_a.py::test_b",)
    assert not report.timed_out
    assert report.notes == ("Stopped because they ran too long: test_a.py::test_a.",)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["python3 -m pytest", "make test", "sh run.sh"])
@pytest.mark.parametrize(
    ("files", "cause", "plugins"),
    [
        ({"pytest.ini": "addopts = -p no:cov --cov=shop"}, "unrecognized arguments: --cov=shop", ["pytest-cov"]),
        (
            {"pytest.ini": "addopts = --reruns 2 --remote-data=any"},
            "unrecognized arguments: --reruns --remote-data=any",
            ["pytest-rerunfailures", "pytest-remotedata"],
        ),
        (
            {"pytest.ini": "required_plugins = pytest-absent>=2"},
            "Missing required plugins: pytest-absent>=2",
            ["pytest-absent>=2"],
        ),
        (
            {"pytest.ini": "addopts = --strict-config\nasyncio_mode = auto"},
            "Unknown config option: asyncio_mode",
            ["pytest-asyncio"],
        ),
        ({"pytest.ini": "addopts = -p pytest_django"}, 'Error importing plugin "pytest_django"', ["pytest-django"]),
        ({"pytest.ini": "addopts = -p internal_plugin"}, 'Error importing plugin "internal_plugin"', []),
        ({"pytest.ini": "minversion = 99"}, "'minversion' requires pytest-99", []),
        ({"conftest.py": "import no_such_module"}, "ModuleNotFoundError: No module named 'no_such_module'", []),
        ({"conftest.py": "def pytest_collection_modifyitems(items): items[9]"}, "IndexError", []),
    ],
)
def test_run_without_tests_says_its_cause_and_missing_plugins(open_local, command, files, cause, plugins):
    text = {name: f"[pytest]\n{text}\n" if name == "pytest.ini" else text for name, text in files.items()}
    run = "python3 -m pytest"
    more = {"Makefile": f"test:\n\t{run}\n", "run.sh": f"{run}\n", "test_a.py": "def test_a(): pass\n"}
    report = run_tests(open_local({**more, **text}), command)
    assert not report.ok
    note = report.notes[0]
    assert cause in note
    assert note.partition(" Not installed: ")[2] == (f"{', '.join(plugins)}." if plugins else "")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["python3 -m pytest tests/gone", "python3 -m pytest test_a.py::gone"])
def test_test_that_is_not_found_is_named(open_local, command):
    report = run_tests(open_local({"test_a.py": "def test_a(): pass\n"}), command)
    assert re.search(r"reported no test: ERROR: .*not found: .*gone\.$", report.notes[0]), report.notes


@pytest.mark.slow
def test_rule_that_fails_run_without_failed_test_is_named(open_local):
    rule = "echo 'ERROR: Coverage failure: total of 50 is less than fail-under=99'; exit 2"
    report = run_tests(open_local({"test_a.py": "def test_a(): pass\n"}), f"python3 -m pytest && {rule}")
    assert re.search(r"although no test failed: .*fail-under=99", report.notes[0]), report.notes


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["os._exit(0)", "os.abort()", "os.kill(os.getpid(), 11)"])
def test_crash_is_reported_and_is_no_success(open_local, ending):
    report = run_tests(
        open_local({"test_a.py": f"import os\ndef test_a(): pass\ndef test_b(): {ending}\ndef test_c(): 0/0"})
    )
    assert not report.complete
    assert not report.ok
    assert report.passed == ("test_a.py::test_a",)
    assert report.failed == ("test_a.py::test_b",)
    assert any("before all its tests were reported" in note for note in report.notes)
    assert "not finished" in report.summary()


@pytest.mark.slow
def test_early_exit_with_code_zero_is_no_success(open_local):
    report = run_tests(
        open_local({"test_a.py": "import pytest\ndef test_a(): pytest.exit('x', 0)\ndef test_b(): 0/0\n"})
    )
    assert report.code == 0
    assert not report.complete
    assert not report.ok


@pytest.mark.slow
def test_exit_code_that_contradicts_results_is_noted(open_local):
    workspace = open_local({**PYTEST, "test_ok.py": "def test_ok(): pass\n"})
    assert "exited with 0 although tests failed" in run_tests(workspace, "pytest -q || true").notes[0]
    assert "although no test failed" in run_tests(workspace, "pytest -q test_ok.py; exit 9").notes[0]


@pytest.mark.slow
def test_broken_conftest_is_no_success(open_local):
    report = run_tests(open_local({"test_a.py": "def test_a(): pass\n", "conftest.py": "import nothing_here\n"}))
    assert report.code == 4
    assert not report.complete
    assert b"nothing_here" in report.output


@pytest.mark.slow
def test_malformed_result_lines_are_ignored(open_local):
    forge = r"""
import gc, io
def test_a():
    [out] = [file for file in gc.get_objects() if isinstance(file, io.TextIOWrapper) and "out.jsonl" in str(file.name)]
    out.write('[1]\n{"id": 3, "outcome": "passed"}\n{"id": "x", "outcome": "great"}\n' + '[' * 99999 + '\n')
    out.write('{"id": "y", "outcome": "passed", "trace": 5, "line": "z", "seconds": []}\n{"id": "torn\n')
"""
    report = run_tests(open_local({"test_a.py": forge}))
    assert report.passed == ("y", "test_a.py::test_a"), report.output.decode()


@pytest.mark.slow
def test_thousands_of_nodes_can_be_run(open_local):
    workspace = open_local(
        {"test_a.py": "import pytest\n@pytest.mark.parametrize('n', range(4000))\ndef test_n(n): pass\n"}
    )
    nodes = [f"test_a.py::test_n[{n}]" for n in range(1, 4000)] + [f"tests/{'gone' * 20}{n}.py" for n in range(1000)]
    assert len(run_tests(workspace, nodes=nodes).passed) == 3999


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "start"),
    [
        (["test_a.py"], "-s ."),
        (["tests/test_a.py"], "-s tests"),
        (["tests/__init__.py", "tests/deep/__init__.py", "tests/deep/test_a.py"], "-s tests/deep -t ."),
        (["src/pkg/__init__.py", "src/pkg/tests/__init__.py", "src/pkg/tests/test_a.py"], "-s src/pkg/tests -t src"),
        (["pkg/a_test.py"], "-s pkg -p '*_test.py'"),
    ],
)
def test_start_folder_of_unittest_is_detected(open_local, files, start):
    case = "import unittest\nclass T(unittest.TestCase):\n    def test_it(self): pass\n"
    workspace = without_pytest(open_local({name: "" if name.endswith("__init__.py") else case for name in files}))
    command = detect_command(workspace)
    assert command == f"python3 -m unittest discover {start}"
    assert run_tests(workspace, command).counts == {"passed": 1}


@pytest.mark.slow
def test_huge_output_is_bounded_and_loses_no_result(open_local):
    text = "import sys\ndef test_a():\n    for _ in range(100): sys.stdout.write('x' * 999_999 + '\\n')\n"
    report = run_tests(open_local({"test_a.py": text + "def test_b(): assert 0\n"}), "python3 -m pytest -s -q")
    assert report.counts == {"passed": 1, "failed": 1}
    assert len(report.output) < 20_000_000


def test_report_summarises_its_results():
    results = (TestResult("a.py", "error"), TestResult("b.py::t", "failed"), TestResult("b.py::s", "skipped"))
    report = SuiteReport(results, "pytest", 1, seconds=2.14)
    assert report.summary() == "1 failed, 1 error, 1 skipped in 2.1 s"
    assert report.failed == ("a.py", "b.py::t")
    assert report.find("a.py::inside").id == "a.py"
    assert report.find("b.py::t::inside") is None
    assert SuiteReport((), "pytest", 5).summary() == "no tests ran in 0.0 s"
    assert not SuiteReport((), "pytest", 0).ok
    assert CommandResult(b"", 0, 0.0, "/").code == 0


def test_command_for_nodes_can_be_repeated_in_shell():
    assert command_for_nodes("python3 -m pytest", ["a.py::t[x y]"]) == "python3 -m pytest 'a.py::t[x y]'"
    assert command_for_nodes("make check", ["a.py"]) == "python3 -m pytest a.py"
    assert command_for_nodes("pytest -q t/a.py -c b.py t/c.py::T::x", ["d.py::t"]) == "pytest -q -c b.py d.py::t"
    assert command_for_nodes("python3 -m pytest t/a.py; ls b.py", ["d.py"]) == "python3 -m pytest t/a.py; ls b.py d.py"
    assert (
        command_for_nodes("python3 -m unittest discover -s t", ["a.T.b"])
        == "python3 -m unittest discover -s t -k a.T.b"
    )
    assert command_for_nodes("pytest", [str(n) for n in range(30)]).endswith("# and 10 more")
    assert command_for_nodes("python3 manage.py test", ["a.T.b"]) == "python3 manage.py test a.T.b"
    assert command_for_nodes("ctest --test-dir build", ["adds"]) == "ctest --test-dir build  # adds"
    assert command_for_nodes("npm test", ["a.test.js::x > y"]) == "npm test  # 'a.test.js::x > y'"
    assert command_for_nodes("npm test", ["a.test.js::x\ntouch y #"]) == "npm test  # 'a.test.js::x touch y #'"


@pytest.mark.parametrize(
    ("command", "nodes", "expected"),
    [
        ("go test ./...", ["pkg::TestA/one", "pkg::TestB"], "go test ./... -run '^(TestA|TestB)$'"),
        ("go test -run X ./...", ["pkg::TestA"], "go test -run X ./...  # pkg::TestA"),
        ("go test ./...", ["pkg"], "go test ./...  # pkg"),
        (
            "cargo test --all-features",
            ["shlex:src/lib.rs::tests::split", "shlex:tests/a.rs::b"],
            "cargo test --all-features -- --exact tests::split b",
        ),
        ("cargo test", ["a:src/lib.rs::doc crate #2"], "cargo test --doc"),
        (
            "cargo test",
            ["a:src/lib.rs::doc crate", "a:src/lib.rs::b"],
            "cargo test -- --exact b  # 'a:src/lib.rs::doc crate'",
        ),
        ("cargo test -- --nocapture", ["a:src/lib.rs::b"], "cargo test -- --nocapture  # a:src/lib.rs::b"),
        ("node --test", ["test/a.test.js::x", "test/a.test.js::y > z"], "node --test test/a.test.js"),
        ("npx vitest run", ["a b.test.ts::x"], "npx vitest run 'a b.test.ts'"),
        ("node --test tests/", ["tests/a.js::x"], "node --test tests/  # tests/a.js::x"),
        ("bundle exec rspec", ["spec/a_spec.rb::A b"], "bundle exec rspec spec/a_spec.rb"),
        ("vendor/bin/phpunit", ["A.BTest::testC"], "vendor/bin/phpunit --filter '::(testC)$'"),
        ("mvn -B -o test", ["org.x.ATest::reads(int)[1]"], "mvn -B -o test -Dtest='ATest#reads'"),
        ("make check", ["a.go::x"], "make check  # a.go::x"),
    ],
)
def test_command_for_nodes_of_other_languages(command: str, nodes: list[str], expected: str) -> None:
    assert command_for_nodes(command, nodes) == expected


def test_many_tests_of_new_file_are_grouped_as_file():
    many = [f"t/new.py::test[{n}]" for n in range(21)]
    assert group_nodes([*many, "t/old.py::x"], ["t/new.py"]) == ["t/new.py", "t/old.py::x"]
    assert group_nodes(many, ["t/other.py"]) == many
    assert group_nodes(many[:3], ["t/new.py"]) == many[:3]


@pytest.mark.slow
def test_command_that_sets_pythonpath_has_result_of_each_test(make_repo, open_ws):
    repo = make_repo(
        {
            "src/shop.py": "def total():\n    return 3\n",
            "tests/test_shop.py": "import shop\n\n\ndef test_total():\n    assert shop.total() == 3\n",
        }
    )
    workspace = open_ws("local", repo)
    for command in (
        "PYTHONPATH=src python -m pytest tests",
        'env PYTHONPATH="src" python -m pytest tests',
        "export PYTHONPATH=src; pytest",
    ):
        report = run_tests(workspace, command)
        assert (report.granularity, report.passed) == ("test", ("tests/test_shop.py::test_total",)), report


@pytest.mark.slow
def test_command_that_disables_hook_is_judged_by_exit_code(make_repo, open_ws):
    repo = make_repo({"test_a.py": "def test_a():\n    assert True\n"})
    workspace = open_ws("local", repo)
    report = run_tests(workspace, 'env -u PYTHONPATH "$(command -v python)" -m pytest -q')
    assert (report.granularity, report.code, report.ok) == ("command", 0, True), report.output


@pytest.mark.parametrize(
    ("command", "path", "runs"),
    [
        ("sh ci.sh", "ci.sh", True),
        ("bash -c './scripts/ci.sh;true'", "scripts/ci.sh", True),
        ("cd scripts && ./ci.sh", "scripts/ci.sh", True),
        ("make -C sub --file=x.inc check", "sub/x.inc", True),
        ("python3 -m tools.check", "tools/check.py", True),
        ("python3 -m tools", "tools/__main__.py", True),
        ("make check", "Makefile", True),
        ("make check", "build/rules.mk", True),
        ("npm test", "package.json", True),
        ("sh ci.sh", "scripts/run_tests.sh", True),
        ("sh ci.sh", "runtests.py", True),
        ("", "Makefile", False),
        ("python3 -m pytest tests", "Makefile", False),
        ("pytest shop", "shop/price.py", False),
        ("make price", "price.py", False),
        ("sh ci.sh", "src/running.py", False),
        ("sh ci.sh", "other/ci.sh", False),
    ],
)
def test_file_run_by_command_is_recognised(command, path, runs):
    assert is_run_by(command, path) == runs


@pytest.mark.parametrize(
    ("outcome", "code", "well"),
    [("passed", 0, True), ("passed", 139, False), ("passed", 1, False), ("failed", 1, True), ("failed", 134, False)],
)
def test_run_ended_well_only_if_results_explain_exit_code(outcome, code, well):
    assert SuiteReport((TestResult("a.py::t", outcome),), "pytest", code).ended_well == well


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
@pytest.mark.parametrize("limit", ["MAX_RESULT_LINES", "MAX_RESULT_BYTES", "MAX_RESULT_FILES"])
def test_limit_applies_to_all_files_together(read, monkeypatch, limit):
    group = b"three lines"
    lines = [START, *PASSES, FINISH]
    monkeypatch.setattr(suite_run, "reader_of", lambda name: lambda request, path, data: lines if data else [])
    complete = read(bats_1=group, bats_2=group)
    assert (len(complete.lines), complete.whole) == (8, True)
    monkeypatch.setattr(
        suite_run, limit, {"MAX_RESULT_LINES": 5, "MAX_RESULT_BYTES": len(group) + 5, "MAX_RESULT_FILES": 1}[limit]
    )
    collected = read(bats_1=group, bats_2=group)
    assert len(collected.lines) < len(complete.lines)
    assert not collected.whole
    assert len(collected.notes) == 1


def test_reader_that_raises_does_not_affect_other_results(read, monkeypatch):
    def fail(request, path, data):
        yield START
        raise ValueError(data)

    monkeypatch.setattr(suite_run, "reader_of", lambda name: fail)
    collected = read([START, *PASSES, FINISH], bats_1=b"x")
    assert collected.lines == [START, *PASSES, FINISH]
    assert collected.notes == ["The results of bats could not be read (ValueError)."]


@pytest.mark.slow
def test_unread_results_make_report_incomplete(make_repo, open_ws, monkeypatch):
    monkeypatch.setattr(suite_run, "MAX_RESULT_LINES", 3)
    workspace = open_ws("local", make_repo({"test_a.py": "def test_a(): pass\ndef test_b(): pass\n"}))
    report = run_tests(workspace, "python3 -m pytest -q")
    assert not report.complete
    assert any("more than 3 lines" in note for note in report.notes)
