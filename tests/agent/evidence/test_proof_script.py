"""The scripts that repeat a proof: they run the parts, say which one holds, and leave the checkout as it was."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.evidence.proof_script import local_script, portable_script
from tests.conftest import MakeRepo, git
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
    done = subprocess.run(
        ["sh", file], cwd=repo, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert git(repo, "status", "--porcelain", "--ignored") == ""
    return done.returncode, [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("    ")]


HOLDS = [
    "a test fails without the patch: yes",
    "it passes with the patch: yes",
    "all tests that passed before still pass: yes",
    "it fails again without the source changes: yes",
    "The proof holds.",
]


def test_script_says_that_each_part_holds(repo: Path) -> None:
    patch = change(repo)
    script = local_script(Base(git(repo, "rev-parse", "HEAD"), ""), patch, commands(), environment=ENVIRONMENT)
    assert repeat(repo, script, patch) == (0, HOLDS)
    git(repo, "config", "apply.whitespace", "error")
    assert repeat(repo, script, patch) == (0, HOLDS)


def test_script_of_a_bundle_runs_in_a_container_only(repo: Path) -> None:
    patch = change(repo)
    script = portable_script("c" * 40, commands(), ENVIRONMENT)
    assert repeat(repo, script, patch, PROOF_WITHOUT_CONTAINER="yes") == (0, HOLDS)
    if not Path("/.dockerenv").exists() and not Path("/run/.containerenv").exists():
        code, lines = repeat(repo, script, patch)
        assert (code, len(lines)) == (1, 1)


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


@pytest.mark.parametrize("tests", ["nowhere-to-be-found", "python3 -m no_such_runner test_add.py"])
def test_command_that_cannot_start_proves_nothing(repo: Path, tests: str) -> None:
    patch = change(repo)
    code, lines = repeat(repo, local_script(Base("c" * 40, ""), patch, commands(tests=tests)), patch)
    assert (code, lines[1], lines[4]) == (1, "it passes with the patch: no", "The proof does not hold here.")


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
    assert code == 0
    assert lines[2] == "all tests that passed before still pass: unknown (the suite fails without the patch, too)"
    assert lines[4].startswith("The proof holds, but for the part that is unknown")


def test_proof_without_a_test_or_on_another_base_does_not_hold(repo: Path) -> None:
    patch = change(repo)
    script = local_script(Base("c" * 40, ""), patch, ["git apply patch.diff", SUITE])
    code, lines = repeat(repo, script, patch)
    assert (code, lines[0], lines[2]) == (1, "a test fails without the patch: no", "The proof does not hold here.")
    (repo / "calc.py").write_text("x = 1\n")
    git(repo, "commit", "-qam", "Another base")
    assert repeat(repo, script, patch)[1][0] == "The patch does not apply to this checkout."


def test_command_that_changes_the_folder_is_repeated_in_the_checkout(repo: Path) -> None:
    patch = change(repo)
    suite = f"cd .. && cd {repo.name} && {SUITE}"
    assert repeat(repo, local_script(Base("c" * 40, ""), patch, commands(suite)), patch) == (0, HOLDS)


def test_interpreter_of_the_proof_is_used_if_it_is_there(repo: Path, tmp_path: Path) -> None:
    patch, folder = change(repo), tmp_path / "a venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "python3").write_text('#!/bin/sh\nexec /usr/bin/env -u PATH /usr/bin/python3 "$@"\n')
    (folder / "python3").chmod(0o755)
    script = local_script(
        Base("c" * 40, ""),
        patch,
        commands("python3 -c 'import os, sys; sys.exit(\"PATH\" in os.environ)'"),
        folder=str(folder),
    )
    assert repeat(repo, script, patch) == (0, HOLDS)
