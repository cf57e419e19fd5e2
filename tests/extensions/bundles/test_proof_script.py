"""The scripts that repeat a proof: they run the parts, say which one holds, and leave the checkout as it was."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from extensions.bundles.proof_script import local_script, portable_script
from tests.conftest import NO_PLUGINS, MakeRepo, git
from trajectories.records import Base

WRONG, RIGHT = "def add(a, b):\n    return a - b\n", "def add(a, b):\n    return a + b\n"
TEST = """import unittest
from calc import add


class AddTest(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(2, 3), 5)
"""
OTHER = """import unittest


class OtherTest(unittest.TestCase):
    def test_other(self):
        self.assertTrue(True)
"""
PYTEST = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
SUITE = "python3 -m unittest discover"
ENVIRONMENT: dict[str, str | list[str]] = {
    "workspace": "docker",
    "image": "calc:1",
    "setup": ["pip install pytest"],
    "python": "3.12.4",
    "packages": ["pytest==8.4.2"],
}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    return make_repo({"calc.py": WRONG, "test_other.py": OTHER})


def change(repo: Path, source: str = RIGHT, test: str = TEST) -> Path:
    """Write a patch of the source, with a new test, and return its path."""
    (repo / "calc.py").write_text(source)
    (repo / "test_add.py").write_text(test)
    git(repo, "add", "-A")
    patch = repo.parent / "run dir" / "patch.diff"
    patch.parent.mkdir(exist_ok=True)
    patch.write_text(git(repo, "diff", "--cached", "--binary") + "\n")
    git(repo, "reset", "-q", "--hard")
    return patch


def commands(suite: str = SUITE, tests: str = "python3 -m unittest test_add.AddTest.test_add") -> Sequence[str]:
    taken_out = "git apply -R --include=calc.py patch.diff"
    return [line for line in ("git apply patch.diff", tests, suite, taken_out, tests) if line]


def repeat(repo: Path, script: str, patch: Path, **variables: str) -> tuple[int, list[str]]:
    """Run a script in the checkout; return its exit code and its lines. The checkout must be as before."""
    file = patch.parent / "proof.sh"
    file.write_text(script)
    env = os.environ | {NO_PLUGINS: "1"} | variables
    done = subprocess.run(["sh", file], cwd=repo, env=env, capture_output=True, text=True, check=False)
    assert git(repo, "status", "--porcelain", "--ignored") == ""
    return done.returncode, [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("    ")]


HOLDS = [
    "a test fails without the patch: yes",
    "it passes with the patch: yes",
    "all tests that passed before still pass: yes",
    "it fails again without the source changes: yes",
    "The proof holds.",
]


@pytest.mark.slow
def test_script_says_that_each_part_holds(repo: Path) -> None:
    patch = change(repo)
    script = local_script(Base(git(repo, "rev-parse", "HEAD"), ""), patch, commands(), environment=ENVIRONMENT)
    assert repeat(repo, script, patch) == (0, HOLDS)
    git(repo, "config", "apply.whitespace", "error")
    assert repeat(repo, script, patch) == (0, HOLDS)


@pytest.mark.slow
def test_script_of_a_bundle_runs_in_a_container_only(repo: Path) -> None:
    patch = change(repo)
    script = portable_script("c" * 40, commands(), ENVIRONMENT)
    assert repeat(repo, script, patch, PROOF_WITHOUT_CONTAINER="yes") == (0, HOLDS)
    if not Path("/.dockerenv").exists() and not Path("/run/.containerenv").exists():
        code, lines = repeat(repo, script, patch)
        assert (code, len(lines)) == (1, 1)


@pytest.mark.slow
def test_part_that_does_not_hold_is_named_with_the_environment(repo: Path) -> None:
    patch = change(repo, "def add(a, b):\n    return a * b\n")
    code, lines = repeat(repo, local_script(Base("c" * 40, ""), patch, commands(), environment=ENVIRONMENT), patch)
    assert code == 1
    assert lines[1] == "it passes with the patch: no"
    assert lines[4:] == [
        "The proof does not hold here.",
        "The proof ran in the Docker image calc:1.",
        "Set-up of the image: pip install pytest.",
        "The proof ran with Python 3.12.4.",
        "Packages: pytest==8.4.2.",
    ]


def test_command_that_is_missing_proves_nothing(repo: Path) -> None:
    patch = change(repo)
    script = local_script(Base("c" * 40, ""), patch, commands(tests="nowhere-to-be-found"))
    code, lines = repeat(repo, script, patch)
    assert (code, lines[1], lines[4]) == (1, "it passes with the patch: no", "The proof does not hold here.")


@pytest.mark.parametrize("runner", ["python3 -m no_such_runner", "cd . && python3 -Im pytest", "no-such-folder/pytest"])
def test_runner_that_does_not_start_shows_no_part(repo: Path, tmp_path: Path, runner: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text("#!/bin/sh\necho 'No module named pytest' >&2\nexit 1\n")
    (tmp_path / "bin" / "python3").chmod(0o755)
    patch = change(repo)
    given = commands(f"{runner} -q", f"{runner} test_add.py")
    script = local_script(Base("c" * 40, ""), patch, given, (), ENVIRONMENT, tmp_path / "bin")
    code, lines = repeat(repo, script, patch)
    assert (code, lines[0]) == (1, "The test command does not start here.")
    assert "The proof ran with Python 3.12.4." in lines
    assert not any(line.startswith("a test fails") for line in lines)


@pytest.mark.slow
def test_test_that_pytest_does_not_find_is_no_failed_test(repo: Path) -> None:
    patch = change(repo)
    given = commands(tests=f"{PYTEST} test_add.py::AddTest::test_missing")
    code, lines = repeat(repo, local_script(Base("c" * 40, ""), patch, given), patch)
    assert (code, lines[0]) == (1, "a test fails without the patch: no")


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", " -x", " --no-summary"])
@pytest.mark.parametrize("breaks", [False, True])
def test_failed_tests_of_the_base_are_compared_by_name(repo: Path, breaks: bool, options: str) -> None:
    other = "import os\ndef test_old(): assert 0, os.getpid()\ndef test_b(): assert {}\n"
    (repo / "test_other.py").write_text(other.format("not os.path.exists('test_add.py')" if breaks else "1"))
    git(repo, "commit", "-qam", "A test that fails")
    patch = change(repo)
    given = commands(f"{PYTEST}{options}", f"{PYTEST} test_add.py")
    code, lines = repeat(repo, local_script(Base("c" * 40, ""), patch, given), patch)
    if options:
        assert (code, lines[4].split(":")[0]) == (1, "The proof is not complete here")
    else:
        expected = "no" if breaks else "yes"
        assert (code, lines[2]) == (int(breaks), f"all tests that passed before still pass: {expected}")


@pytest.mark.slow
def test_lost_test_is_named_and_a_failing_suite_compares_nothing(repo: Path) -> None:
    lost = "import os\nassert not os.path.exists('test_add.py')\n" + OTHER
    (repo / "test_other.py").write_text(lost)
    git(repo, "commit", "-qam", "A test that the patch breaks")
    patch = change(repo)
    code, lines = repeat(repo, local_script(Base("c" * 40, ""), patch, commands()), patch)
    assert (code, lines[2]) == (1, "all tests that passed before still pass: no")
    (repo / "test_other.py").write_text(f"raise SystemExit(3)\n{OTHER}")
    git(repo, "commit", "-qam", "A suite that fails")
    code, lines = repeat(repo, local_script(Base("c" * 40, ""), patch, commands()), patch)
    assert code == 1
    assert lines[2] == "all tests that passed before still pass: unknown (the suite fails without the patch, too)"
    assert lines[4].startswith("The proof is not complete here")


@pytest.mark.slow
def test_proof_without_a_test_or_on_another_base_does_not_hold(repo: Path) -> None:
    patch = change(repo)
    script = local_script(Base("c" * 40, ""), patch, ["git apply patch.diff", SUITE])
    code, lines = repeat(repo, script, patch)
    assert (code, lines[0], lines[2]) == (1, "a test fails without the patch: no", "The proof does not hold here.")
    (repo / "calc.py").write_text("x = 1\n")
    git(repo, "commit", "-qam", "Another base")
    assert repeat(repo, script, patch)[1][0] == "The patch does not apply to this checkout."


@pytest.mark.slow
def test_command_that_changes_the_folder_is_repeated_in_the_checkout(repo: Path) -> None:
    patch = change(repo)
    suite = f"cd .. && cd {repo.name} && {SUITE}"
    assert repeat(repo, local_script(Base("c" * 40, ""), patch, commands(suite)), patch) == (0, HOLDS)


def test_python_that_the_host_found_is_used(repo: Path, tmp_path: Path) -> None:
    patch, folder = change(repo), tmp_path / "a venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "python3").write_text('#!/bin/sh\nexec /usr/bin/env -u PATH /usr/bin/python3 "$@"\n')
    (folder / "python3").chmod(0o755)
    script = local_script(
        Base("c" * 40, ""),
        patch,
        commands("python3 -c 'import os, sys; sys.exit(\"PATH\" in os.environ)'"),
        programs=folder,
    )
    assert repeat(repo, script, patch) == (0, HOLDS)
