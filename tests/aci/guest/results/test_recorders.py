"""Recorders of test results as they run in the target: in plain subprocesses, without a workspace."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from aci.runners.python import guest_files
from aci.runtime.guest_programs import PACKAGE

PYTHON = os.environ.get("SWE_AGENT_TEST_PYTHON") or sys.executable
GUEST_FOLDER = Path(__file__).parents[4] / "aci" / "guest"

MIXED = """
    import pytest, unittest

    @pytest.mark.parametrize("v", [1, "a b", "x::y", "[", "t.py::n"])
    def test_p(v): assert v

    def helper(): raise KeyError("a")
    def test_bad(): assert 1 == 3
    def test_boom(): helper()

    @pytest.mark.xfail
    def test_x(): assert 0

    @pytest.mark.xfail
    def test_xp(): pass

    @pytest.mark.xfail(strict=True)
    def test_strict(): pass

    def test_s(): pytest.skip("not here")

    @pytest.fixture
    def broken(): raise RuntimeError("set-up")
    def test_setup(broken): pass

    @pytest.fixture
    def late():
        yield
        raise RuntimeError("tear-down")
    def test_teardown(late): pass

    class TestU(unittest.TestCase):
        def test_sub(self):
            for i in range(3):
                with self.subTest(i=i): self.assertNotEqual(i, 1)
        def test_ok(self): pass
"""

CASES = """
    import unittest

    def helper(): raise KeyError("a")

    class T(unittest.TestCase):
        def test_ok(self): pass
        def test_bad(self): self.assertEqual(1, 2)
        def test_boom(self): helper()
        @unittest.skip("not here")
        def test_s(self): pass
        @unittest.expectedFailure
        def test_x(self): self.fail()
        @unittest.expectedFailure
        def test_strict(self): pass
        def test_sub(self):
            for i in range(3):
                with self.subTest(i=i): self.assertNotEqual(i, 1)

    class Broken(unittest.TestCase):
        @classmethod
        def setUpClass(cls): raise RuntimeError("set-up")
        def test_never(self): pass
"""


class TargetProject:
    """A small repository and, next to it, a folder with the guest programs."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "repo"
        self.harness = folder / "harness"
        self.root.mkdir()
        self.harness.mkdir()
        for path, data in guest_files().items():
            (self.harness / path).parent.mkdir(parents=True, exist_ok=True)
            (self.harness / path).write_bytes(data)
        self.out = self.harness / "out.jsonl"
        self.env = {}

    def add(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")

    def run(self, *command, nodes=(), limit=0, cwd="."):
        """Run a command with a recorder; return the recorded lines and the exit code."""
        run_options = {"out": str(self.out), "root": str(self.root), "nodes": list(nodes), "limit": limit}
        run_options |= {"cache": str(self.harness / "cache"), "process": str(self.harness / "process.json")}
        (self.harness / "run.json").write_text(json.dumps(run_options))
        self.out.unlink(missing_ok=True)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "PYTHON"))}
        env |= {
            "PYTHONPATH": str(self.harness),
            "PYTEST_PLUGINS": f"{PACKAGE}.results.pytest_recorder",
            "SWE_AGENT_RUN": str(self.harness / "run.json"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **self.env,
        }
        process = subprocess.run(
            [PYTHON, *command], cwd=self.root / cwd, env=env, capture_output=True, timeout=100, check=False
        )
        self.output = (process.stdout + process.stderr).decode()
        text = self.out.read_text(encoding="utf-8") if self.out.exists() else ""
        return [json.loads(line) for line in text.splitlines()], process.returncode

    def pytest(self, *options, **run_options):
        return self.run("-m", "pytest", "-q", *options, **run_options)

    def unittest(self, *options, **run_options):
        return self.run("-m", f"{PACKAGE}.results", *options, **run_options)


@pytest.fixture
def project(tmp_path):
    return TargetProject(tmp_path)


def outcomes(lines):
    """Map the name of each test, without its file, to its outcomes in order."""
    results = {}
    for line in lines:
        if "id" in line:
            results.setdefault(line["id"].rpartition("::")[2], []).append(line["outcome"])
    return results


def by_id(lines):
    return {line["id"]: line for line in lines if "id" in line}


@pytest.mark.slow
def test_pytest_recorder_reports_every_outcome(project):
    project.add("tests/test_a.py", MIXED)
    lines, code = project.pytest()
    assert code == 1
    assert lines[0] == {"start": "pytest"}
    assert lines[-1]["finish"] == 1
    assert lines[-1]["expected"] == 15
    results = outcomes(lines)
    assert results["test_bad"] == results["test_boom"] == results["test_strict"] == ["failed"]
    assert results["test_x"] == ["xfailed"]
    assert results["test_xp"] == ["xpassed"]
    assert results["test_s"] == ["skipped"]
    assert results["test_setup"] == ["error"]
    assert results["test_teardown"] == ["passed", "error"]
    assert "failed" in results["test_sub"]
    assert results["test_ok"] == ["passed"]


@pytest.mark.slow
def test_failure_has_message_type_location_and_frames(project):
    project.add("tests/test_a.py", MIXED)
    boom = by_id(project.pytest()[0])["tests/test_a.py::test_boom"]
    assert boom["message"] == "KeyError: 'a'"
    assert boom["error"] == "KeyError"
    assert (boom["path"], boom["line"]) == ("tests/test_a.py", 9)
    assert boom["trace"] == [["tests/test_a.py", 9, "test_boom"], ["tests/test_a.py", 7, "helper"]]


@pytest.mark.slow
def test_unusual_ids_can_be_selected(project):
    project.add("tests/test_a.py", MIXED)
    nodes = ["tests/test_a.py::test_p[a b]", "tests/test_a.py::test_p[x::y]", "tests/test_a.py::test_p[[]"]
    assert sorted(by_id(project.pytest(nodes=nodes)[0])) == sorted(nodes)
    assert len(by_id(project.pytest(nodes=["tests/test_a.py::test_p"])[0])) == 5
    assert len(by_id(project.pytest(nodes=["./tests/test_a.py::TestU"])[0])) == 2
    assert len(by_id(project.pytest(nodes=["tests.test_a.TestU.test_ok"])[0])) == 1
    assert len(by_id(project.pytest(nodes=["tests"])[0])) == 15


@pytest.mark.slow
def test_missing_nodes_do_not_stop_run(project):
    project.add("tests/test_a.py", "def test_a(): pass")
    lines, _ = project.pytest(nodes=["tests/test_a.py::test_a", "tests/test_a.py::test_gone", "tests/test_gone.py"])
    assert list(by_id(lines)) == ["tests/test_a.py::test_a"]
    lines, code = project.pytest(nodes=["tests/test_gone.py"])
    assert by_id(lines) == {}
    assert code == 5


@pytest.mark.slow
def test_thousands_of_nodes_can_be_selected(project):
    project.add("test_a.py", "import pytest\n@pytest.mark.parametrize('n', range(3000))\ndef test_n(n): pass")
    nodes = [f"test_a.py::test_n[{n}]" for n in range(0, 3000, 2)] + ["x" * 200] * 1000
    assert len(by_id(project.pytest(nodes=nodes)[0])) == 1500


@pytest.mark.slow
def test_import_error_in_one_file_hides_no_other_results(project):
    project.add("tests/test_a.py", "def test_a(): pass")
    project.add("tests/test_b.py", "from os import nope")
    results = by_id(project.pytest()[0])
    assert results["tests/test_b.py"]["outcome"] == "error"
    assert "cannot import name 'nope'" in results["tests/test_b.py"]["message"]
    assert results["tests/test_a.py::test_a"]["outcome"] == "passed"


@pytest.mark.slow
def test_fail_fast_options_are_ignored(project):
    project.add("tests/test_a.py", MIXED)
    assert len(by_id(project.pytest("-x")[0])) == 15
    project.add("test_b.py", CASES)
    assert len(by_id(project.unittest("-f", "test_b")[0])) == 8


@pytest.mark.slow
def test_xdist_workers_select_and_report_tests(project):
    project.add("tests/test_a.py", MIXED)
    project.add("tests/test_b.py", "from os import nope")
    lines, _ = project.pytest("-p", "xdist", "-n", "2", nodes=["tests/test_a.py::test_p", "tests/test_a.py::test_boom"])
    results = by_id(lines)
    assert len(results) == 6
    assert results["tests/test_a.py::test_boom"]["trace"][-1] == ["tests/test_a.py", 7, "helper"]
    assert lines[-1]["finish"] == 1


@pytest.mark.slow
def test_nested_pytest_run_is_not_recorded(project):
    project.add("inner/test_inner.py", "def test_inner(): pass")
    project.add(
        "test_outer.py",
        """
        import pytest, subprocess, sys
        def test_in_process(): assert pytest.main(["inner"]) == 0
        def test_subprocess(): subprocess.run([sys.executable, "-m", "pytest", "inner"], check=True)
        """,
    )
    lines, code = project.pytest("test_outer.py")
    assert code == 0, project.output
    assert list(by_id(lines)) == ["test_outer.py::test_in_process", "test_outer.py::test_subprocess"]
    assert sum("start" in line for line in lines) == sum("finish" in line for line in lines) == 1


def test_run_leaves_no_files_in_repository(project):
    project.add("test_a.py", "def test_a(): assert 0")
    project.pytest()
    assert [file.name for file in project.root.iterdir()] == ["test_a.py"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [("--strict-config",), ("-p", "no:cacheprovider", "--strict-config"), ("-W", "error")]
)
def test_recorder_works_with_strict_options(project, options):
    project.add("test_a.py", "def test_a(): pass")
    lines, code = project.pytest(*options)
    assert code == 0, project.output
    assert len(by_id(lines)) == 1


@pytest.mark.slow
def test_paths_are_relative_to_repository_if_rootdir_is_subfolder(project):
    project.add("sub/pytest.ini", "[pytest]")
    project.add("sub/tests/test_a.py", "def test_a(): pass")
    for node in ("tests/test_a.py::test_a", "sub/tests/test_a.py::test_a"):
        results = by_id(project.pytest(nodes=[node], cwd="sub")[0])
        assert results["tests/test_a.py::test_a"]["path"] == "sub/tests/test_a.py"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_killed_interpreter_writes_no_finish_line(project, ending):
    project.add("test_a.py", f"import os\ndef test_a(): pass\ndef test_b(): {ending}\ndef test_c(): pass")
    lines, _ = project.pytest()
    assert lines[-1] == {"running": "test_a.py::test_b"}
    project.add("test_u.py", f"import os, unittest\nclass T(unittest.TestCase):\n  def test_a(self): {ending}")
    lines, _ = project.unittest("test_u")
    assert lines == [{"start": "unittest"}, {"running": "test_u.T.test_a"}]


@pytest.mark.slow
def test_early_exit_is_visible_in_counts(project):
    project.add("test_a.py", "import pytest\ndef test_a(): pytest.exit('enough', returncode=0)\ndef test_b(): assert 0")
    lines, code = project.pytest()
    assert code == 0
    assert lines[-1]["finish"] == 0
    assert lines[-1]["expected"] == 2 > len(by_id(lines))


@pytest.mark.slow
@pytest.mark.parametrize("body", ["while True: pass", "time.sleep(60)", "[spin() for _ in iter(int, 1)]"])
def test_hanging_test_fails_and_other_tests_run(project, body):
    text = f"""
        import time, unittest
        def spin():
            try: time.sleep(60)
            except Exception: pass
        class T(unittest.TestCase):
            def test_a(self):
                {body}
            def test_b(self): pass
    """
    project.add("test_a.py", text)
    for lines, _ in (project.pytest(limit=0.5), project.unittest("test_a", limit=0.5)):
        first, second = by_id(lines).values()
        assert first["outcome"] == "failed"
        assert "ran longer than 0.5 s" in first["message"]
        assert second["outcome"] == "passed"
        assert "finish" in lines[-1]


def test_recorder_leaves_sigalrm_to_tests(project):
    project.add(
        "test_a.py",
        """
        import signal
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        def test_a(): assert signal.getsignal(signal.SIGALRM) == signal.SIG_IGN
        def test_b(): assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
        """,
    )
    assert project.pytest(limit=30)[1] == 0


def test_unittest_recorder_reports_every_outcome(project):
    project.add("tests/test_a.py", CASES)
    lines, code = project.unittest("discover", "-s", "tests")
    assert code == 1
    counted = 7 - (sys.version_info[:3] == (3, 12, 1))  # this version does not count skipped tests
    assert lines[-1] == {"finish": 1, "expected": counted}
    results = by_id(lines)
    assert {id.rpartition(".")[2]: line["outcome"] for id, line in results.items()} == {
        "Broken": "error",
        "test_ok": "passed",
        "test_bad": "failed",
        "test_boom": "failed",
        "test_s": "skipped",
        "test_x": "xfailed",
        "test_strict": "failed",
        "test_sub": "failed",
    }
    boom = results["test_a.T.test_boom"]
    assert boom["message"] == "KeyError: 'a'"
    assert (boom["path"], boom["line"]) == ("tests/test_a.py", 9)
    assert boom["trace"][-1] == ["tests/test_a.py", 4, "helper"]


@pytest.mark.slow
def test_unittest_selects_by_dotted_name_or_pytest_id(project):
    project.add("tests/__init__.py", "")
    project.add("tests/test_a.py", CASES)
    project.add("tests/test_b.py", "from os import nope")
    for nodes, expected in (
        (["tests.test_a.T.test_ok"], ["tests.test_a.T.test_ok"]),
        (["tests/test_a.py::T::test_ok", "gone.py", "tests.gone"], ["tests.test_a.T.test_ok"]),
        (["tests/test_b.py"], ["tests.test_b"]),
        (["tests.test_b.T.test_gone"], ["tests.test_b"]),
        (["tests/test_a.py::Broken"], ["tests.test_a.Broken"]),
    ):
        assert list(by_id(project.unittest(nodes=nodes)[0])) == expected
    assert len(by_id(project.unittest(nodes=["tests/test_a.py"])[0])) == 8


def test_unittest_loads_requested_file_that_discovery_misses(project):
    project.add("tests/test_a.py", CASES)
    project.add("extra/check.py", "import unittest\nclass T(unittest.TestCase):\n  def test_it(self): pass")
    results = by_id(project.unittest("discover", "-s", "tests", nodes=["extra/check.py"])[0])
    assert list(results) == ["check.T.test_it"]
    assert results["check.T.test_it"]["path"] == "extra/check.py"


def test_suite_that_exits_while_loading_has_no_finish_line(project):
    project.add("test_a.py", "import os; os._exit(0)")
    lines, code = project.unittest()
    assert code == 0
    assert lines == [{"start": "unittest"}]


FRAMEWORK = """
    import sys, unittest

    class Result(unittest.TextTestResult):
        def addSuccess(self, test):
            super().addSuccess(test)
            self.stream.write("fine")

    class Runner(unittest.TextTestRunner):
        resultclass = Result

    def plain(names):
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromNames(names).run(result)
        return result

    if __name__ == "__main__":
        suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[2:])
        result = Runner().run(suite) if sys.argv[1] == "runner" else plain(sys.argv[2:])
        sys.exit(not result.wasSuccessful())
"""


@pytest.mark.parametrize("mode", ["runner", "plain"])
def test_frameworks_built_on_unittest_are_recorded(project, mode):
    project.add("runtests.py", FRAMEWORK)
    project.add("test_a.py", CASES)
    lines, code = project.run("runtests.py", mode, "test_a")
    assert code == 1
    assert lines[0] == {"start": "unittest"}
    assert "finish" in lines[-1]
    results = {id.rpartition(".")[2]: line["outcome"] for id, line in by_id(lines).items()}
    assert results["test_ok"] == "passed"
    assert results["test_bad"] == results["test_sub"] == "failed"
    assert results["Broken"] == "error"
    assert len(results) == 8


def test_selection_applies_to_frameworks_built_on_unittest(project):
    project.add("runtests.py", FRAMEWORK)
    project.add("test_a.py", CASES)
    nodes = ["test_a.py::T::test_ok", "test_a.Broken"]
    lines = project.run("runtests.py", "runner", "test_a", nodes=nodes)[0]
    assert sorted(by_id(lines)) == ["test_a.Broken", "test_a.T.test_ok"]


def test_tests_run_by_tests_are_not_recorded(project):
    project.add("test_inner.py", CASES)
    project.add(
        "test_outer.py",
        """
        import io, subprocess, sys, unittest
        class T(unittest.TestCase):
            def test_runner(self):
                suite = unittest.defaultTestLoader.loadTestsFromName("test_inner")
                self.assertFalse(unittest.TextTestRunner(io.StringIO()).run(suite).wasSuccessful())
            def test_result(self):
                unittest.defaultTestLoader.loadTestsFromName("test_inner").run(unittest.TestResult())
            def test_process(self):
                self.assertEqual(subprocess.call([sys.executable, "-m", "unittest", "-q", "test_inner"]), 1)
        """,
    )
    lines, code = project.unittest("test_outer")
    assert code == 0, project.output
    assert sorted(by_id(lines)) == [f"test_outer.T.test_{name}" for name in ("process", "result", "runner")]
    assert lines[-1] == {"finish": 0, "expected": 3}


ENVIRONMENT_TEST = """
    import os, subprocess, sys, unittest

    def visible_environment():
        code = "import os, sys; print(os.environ.get('PYTHONPATH'), os.environ.get('PYTEST_PLUGINS'), len(sys.path))"
        child = subprocess.check_output([sys.executable, "-c", code]).decode().split()
        return os.environ.get("PYTHONPATH"), os.environ.get("PYTEST_PLUGINS"), child[:2], sys.path

    class T(unittest.TestCase):
        def test_environment(self):
            path, plugins, child, imports = visible_environment()
            self.assertEqual((path, plugins, child), (EXPECTED, None, [str(EXPECTED), "None"]))
            self.assertNotIn("harness", " ".join(imports))
            self.assertNotIn("SWE_AGENT_RUN", os.environ)
"""


@pytest.mark.slow
@pytest.mark.parametrize("user_path", [None, "/nowhere"])
def test_tests_see_original_environment(project, user_path):
    project.add("test_env.py", ENVIRONMENT_TEST.replace("EXPECTED", repr(user_path)))
    project.add("runtests.py", FRAMEWORK)
    project.env = {"PYTHONPATH": f"{project.harness}{os.pathsep}{user_path}"} if user_path else {}
    for run in (
        lambda: project.pytest("test_env.py"),
        lambda: project.pytest("-p", "xdist", "-n", "1", "test_env.py"),
        lambda: project.unittest("test_env"),
        lambda: project.run("runtests.py", "runner", "test_env"),
    ):
        lines, code = run()
        assert code == 0, project.output
        assert [line["outcome"] for line in by_id(lines).values()] == ["passed"]


@pytest.mark.slow
def test_sitecustomize_of_target_runs(project):
    project.add("lib/sitecustomize.py", "import builtins\nbuiltins.customized = __name__")
    project.add("test_a.py", "def test_a(): assert customized == 'sitecustomize'")
    project.env = {"PYTHONPATH": f"{project.harness}{os.pathsep}{project.root}/lib"}
    assert project.pytest()[1] == 0, project.output


@pytest.mark.slow
def test_messages_are_shortened_after_many_failures(project):
    project.add(
        "test_a.py", "import pytest\n@pytest.mark.parametrize('n', range(2100))\ndef test_n(n): assert 0, 'x' * 9000"
    )
    lines = list(by_id(project.pytest("--tb=line", "-q", "--no-summary")[0]).values())
    assert (len(lines[0]["message"]), len(lines[-1]["message"])) == (4000, 300)


DJANGO = {
    "manage.py": """
        import sys
        from django.conf import settings
        databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        settings.configure(INSTALLED_APPS=["app"], DATABASES=databases, USE_TZ=True)
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
    """,
    "app/__init__.py": "",
    "app/tests.py": """
        from django.test import SimpleTestCase, TestCase
        class A(TestCase):
            def test_ok(self): pass
            def test_bad(self): self.assertEqual(1, 2)
        class B(SimpleTestCase):
            def test_b(self): pass
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--parallel", "2"), ("--debug-sql",)])
def test_django_runner_is_recorded(project, options):
    if subprocess.run([PYTHON, "-c", "import django"], capture_output=True, check=False).returncode:
        pytest.skip("Django is not installed")
    for name, text in DJANGO.items():
        project.add(name, text)
    lines, code = project.run("manage.py", "test", *options)
    assert code == 1, project.output
    results = {id: line["outcome"] for id, line in by_id(lines).items()}
    assert results == {
        "app.tests.A.test_ok": "passed",
        "app.tests.A.test_bad": "failed",
        "app.tests.B.test_b": "passed",
    }
    assert lines[-1] == {"finish": 1, "expected": 3}
    one = project.run("manage.py", "test", *options, nodes=["app/tests.py::A::test_ok"])[0]
    assert list(by_id(one)) == ["app.tests.A.test_ok"]
    nodes = ["app.tests.A.test_ok", "app.tests.B.test_b"]
    assert set(by_id(project.run("manage.py", "test", *options, nodes=nodes)[0])) == set(nodes)


@pytest.mark.slow
def test_recorder_is_inactive_without_run_file(project):
    project.add("test_a.py", "def test_a(): pass")
    env = {**os.environ, "PYTHONPATH": str(project.harness), "PYTEST_PLUGINS": f"{PACKAGE}.results.pytest_recorder"}
    env.pop("SWE_AGENT_RUN", None)
    process = subprocess.run([PYTHON, "-m", "pytest", "-q"], cwd=project.root, env=env, check=False)
    assert process.returncode == 0
    assert not project.out.exists()


@pytest.mark.parametrize(
    "name", ["project_probe.py", *(f"results/{file.name}" for file in sorted((GUEST_FOLDER / "results").glob("*.py")))]
)
def test_guest_files_parse_with_python_36(name):
    tree = ast.parse((GUEST_FOLDER / name).read_text(encoding="utf-8"), feature_version=(3, 6))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]


@pytest.mark.slow
def test_process_that_runs_single_tests_is_described(project):
    text = """
        import pytest, unittest
        @pytest.fixture(autouse=True)
        def every(): pass
        def test_a(tmp_path): pass
        class TestU(unittest.TestCase):
            @classmethod
            def setUpClass(cls): pass
            def test_u(self): pass
    """
    project.add("tests/conftest.py", "import os, sys\nos.environ['SHOP'] = '1'\nsys.path.append('code')\n")
    project.add("tests/test_a.py", text)
    project.pytest()
    assert not (project.harness / "process.json").exists()
    project.pytest(nodes=["tests/test_a.py"])
    about = json.loads((project.harness / "process.json").read_text())
    assert (about["executable"], about["folder"]) == (PYTHON, str(project.root))
    assert {str(project.root), str(project.root / "tests"), str(project.root / "code")} <= set(about["path"])
    assert str(project.harness) not in about["path"]
    assert about["environment"]["SHOP"] == "1"
    assert "SWE_AGENT_RUN" not in about["environment"]
    assert {"every", "tmp_path"} <= set(about["tests"]["tests/test_a.py::test_a"])
    assert {"_unittest_setUpClass_fixture_TestU", "every"} <= set(about["tests"]["tests/test_a.py::TestU::test_u"])


@pytest.mark.parametrize("own", [True, False])
def test_process_of_unittest_is_described_unless_a_program_prepares_it(project, own):
    project.add("tests/__init__.py", "")
    project.add("tests/test_a.py", CASES)
    project.add("run.py", "import sys; sys.argv[1:1] = ['discover']; import runpy; runpy.run_module('unittest')\n")
    command = ["discover"] if own else ["run.py"]
    (project.unittest if own else project.run)(*command, nodes=["tests/test_a.py"])
    file = project.harness / "process.json"
    assert file.exists() == own
    if own:
        assert json.loads(file.read_text())["tests"]["tests.test_a.T.test_ok"] == []
