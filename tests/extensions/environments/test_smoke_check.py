"""The smoke check of an environment in a real shell, and how it interprets output."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from aci.environments.environment_plan import Plan
from extensions.environments import smoke_check
from extensions.environments.setup_container import SetupResult
from extensions.environments.smoke_check import Run, collect_test_imports, collect_tests, run_smoke_check
from trajectories.git_store.trees import Trees


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run commands as in a container, in a folder with `web app/package.json` and an npm that records its folder."""
    (tmp_path / "web app").mkdir()
    (tmp_path / "web app" / "package.json").write_text("{}")
    (tmp_path / "npm").write_text('#!/bin/sh\ntest -e package.json && echo "$@" > ran\n')
    (tmp_path / "npm").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def run(command: str, seconds: float) -> SetupResult:
        start = time.monotonic()
        result = subprocess.run(
            ["sh", "-ec", f"exec 2>&1\n{command}"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        return SetupResult(command, result.returncode, result.stdout, time.monotonic() - start)

    return run


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("cd 'web app' && true", 0),
        ("A=1 true", 0),
        ("true && false", 1),
        ("false || true", 0),
        ('echo "it\'s"; exit 3', 3),
        ("if true; then exit 4; fi", 4),
        ("true\nexit 5", 5),
    ],
)
@pytest.mark.parametrize("timeout", [True, False])
def test_command_may_use_any_shell_syntax(run: Run, tmp_path: Path, command: str, code: int, timeout: bool) -> None:
    if not timeout:
        (tmp_path / "true").symlink_to("/bin/true")
        original = run

        def run(line: str, seconds: float) -> SetupResult:
            return original(line.replace("command -v timeout", "command -v no-such-program"), seconds)

    result = run_smoke_check(run, Plan("", ""), command)
    assert result.summary == (f"`{command}` ends with exit code {code}" if code else f"`{command}` succeeds")
    assert result.failing == bool(code)


def test_tests_run_in_folder_of_manifest(run: Run, tmp_path: Path) -> None:
    result = run_smoke_check(run, Plan("", "", "node", folder="web app/"))
    assert result.summary == "`cd 'web app' && npm test` succeeds"
    assert (tmp_path / "web app" / "ran").read_text() == "test\n"


def test_time_limit_ends_all_processes_of_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke_check, "TIME", 1)
    assert "runs for more than 1 s" in run_smoke_check(run, Plan("", ""), "cd . && sleep 100; exit 0").summary


def test_shorter_time_limit_is_reported() -> None:
    def run(command: str, seconds: float) -> SetupResult:
        late = "--collect-only" not in command and "import pytest" not in command
        return SetupResult(command, 124 if late else 0, "3 tests collected", 7.2, late)

    assert run_smoke_check(run, Plan("", ""), "make test").summary == "`make test` runs for more than 7 s"
    assert run_smoke_check(run, Plan("", "", "python")).summary == "3 collected, none finished in the first 7 s"


def run_that_prints(output: str, code: int = 0) -> Run:
    return lambda command, seconds: SetupResult(command, code, output, 0.0)


@pytest.mark.parametrize(
    ("output", "code", "summary", "failing"),
    [
        ("3 tests collected in 0.1s", 0, "3 collected", False),
        ("no tests collected in 0.1s", 5, "no tests could be collected", False),
        ("3 tests collected, 1 error in 0.1s\n1 error in 0.1s", 2, "3 collected, 1 file cannot be", True),
        ("No module named pytest", 1, "no tests could be collected", True),
        ("ERROR: gone.py not found\n", 4, "no tests could be collected: ERROR: gone.py not found", True),
    ],
)
def test_collection_is_reported(output: str, code: int, summary: str, failing: bool) -> None:
    result = collect_tests(run_that_prints(output, code), "pytest tests")
    assert (result.summary, result.failing) == (summary, failing)
    assert result.command.startswith("pytest tests --collect-only")
    assert bool(result.lacking) == failing, "nothing is repaired in a repository without tests"


@pytest.mark.parametrize(
    "output",
    [
        'npm ERR! Missing script: "test"\nnpm ERR! \nnpm ERR! To see a list of scripts, run:',
        'npm error Missing script: "test"',
        "npm ERR! missing script: test\n",
        '> echo "Error: no test specified" && exit 1\n\nError: no test specified\n',
    ],
)
def test_project_without_tests_lacks_nothing(output: str) -> None:
    result = run_smoke_check(run_that_prints(output, 1), Plan("", "", "node", folder="web/"))
    assert (result.failing, result.lacking) == (False, "")
    assert result.summary == "none, as package.json names no command for them"
    for name in ("tests", "test:unit"):
        other = run_smoke_check(run_that_prints(f'npm ERR! Missing script: "{name}"', 1), Plan("", "", "node"))
        assert other.failing


RESULTS = [
    ("python3 -m unittest", "Ran 2 tests in 0.1s\n\nFAILED (failures=2)\n", True),
    ("python3 -m unittest", "Ran 3 tests in 0.1s\n\nFAILED (errors=1)\n", True),
    ("python3 -m unittest", "ImportError: a\nRan 1 test in 0.1s\n\nFAILED (errors=1)\n", False),
    ("go test ./...", "--- FAIL: TestSum (0.00s)\nFAIL\n", True),
    ("go test ./...", "FAIL example.org/sum [build failed]\n", False),
    ("cargo test", "test result: FAILED. 0 passed; 2 failed; 0 ignored\n", True),
    ("cargo test", "error[E0432]: unresolved import\n", False),
    ("make", "No rule to make target\n", False),
]


@pytest.mark.parametrize(("command", "output", "ran"), RESULTS)
def test_failed_run_with_results_shows_that_the_runner_works(command: str, output: str, ran: bool) -> None:
    assert run_smoke_check(run_that_prints(output, 1), Plan("", ""), command).ran is ran


def test_absurd_numbers_are_ignored() -> None:
    huge = "7" * 5000
    result = run_smoke_check(
        run_that_prints(f"{huge} tests collected\n{huge} failed, {huge} passed in 1s\n"), Plan("", "", "python")
    )
    assert result.summary == "no tests could be collected"
    result = run_smoke_check(
        run_that_prints(f"3 tests collected\n{huge} failed, {huge} passed, 2 skipped in 1s"), Plan("", "", "python")
    )
    assert (result.collected, result.passed, result.failed) == (3, 0, 0)
    assert run_smoke_check(run_that_prints(f"Tests: {huge} passed\n"), Plan("", ""), "npm test").passed == -1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("flood", ["7", "\n", " ", "7/7", "Tests "])
def test_long_output_is_parsed_in_linear_time(flood: str) -> None:
    run_smoke_check(run_that_prints(flood * 400_000), Plan("", "", "python"))
    run_smoke_check(run_that_prints(flood * 400_000), Plan("", ""), "npm test")


def test_package_with_name_of_submodule_is_not_installed(tmp_path: Path) -> None:
    with Trees(tmp_path / "trees.git") as trees:
        tree = trees.adopt(b"160000 " + b"1" * 40 + b" 0\tvendor/shop\0", [])
        tree = trees.write({"tests/test_a.py": b"import shop\nimport shopping\n"}, tree)
        assert collect_test_imports(trees, tree) == {"shopping"}
