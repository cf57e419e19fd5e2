"""`swe-agent optimize` as a process: rewrites found without a model, candidates of a model, and bad arguments."""

from __future__ import annotations

import os
import shlex
import shutil
import venv
from pathlib import Path

import pytest

from tests.conftest import copy_run, git
from tests.e2e.conftest import answer, call, write
from tests.sampling import sample
from trajectories.journal import read

SLOW = '''"""Helpers for lists."""


def unique(items):
    """The items without repetitions, in the order of their first appearance."""
    seen = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen
'''
TESTS = """import unittest

from helpers import unique


class UniqueTest(unittest.TestCase):
    def test_unique(self):
        self.assertEqual(unique([3, 1, 3, 2, 1]), [3, 1, 2])
        self.assertEqual(unique([]), [])

    def test_many(self):
        self.assertEqual(unique([n * 7 % 300 for n in range(600)])[:3], [0, 7, 14])
"""
WORKLOAD = "python3 -c 'import helpers; helpers.unique([n * 7 % 200 for n in range(400)])'"
OLD = SLOW.partition('"""The items without repetitions, in the order of their first appearance."""\n')[2]
SORTED = "    return sorted(set(items))\n"
CACHED = "    return _unique(tuple(items))\n"
CACHE = (
    "from functools import lru_cache\n\n\n@lru_cache\ndef _unique(items):\n    return list(dict.fromkeys(items))\n\n\n"
)
RIGHT = f"""\
    try:
        return list(dict.fromkeys(items))
    except TypeError:
        pass
{OLD}"""


def write_helpers(text: str) -> dict:
    return call("shell", command=f"printf %s {shlex.quote(text)} > helpers.py")


needs_valgrind = pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")


@pytest.fixture
def machine_with_plain_python(machine, tmp_path):
    """A machine whose Python starts without the packages of this one.

    Under valgrind, what `.pth` files of installed packages import takes most of the time of each count.
    """
    venv.create(tmp_path / "python", symlinks=True)
    machine.extra["PATH"] = f"{tmp_path / 'python' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return machine


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    files = {"helpers.py": SLOW, "tests/__init__.py": "", "tests/test_helpers.py": TESTS}
    write(folder, {**files, ".gitignore": "__pycache__/\n"})
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.mark.slow
@needs_valgrind
@pytest.mark.timeout(3600)
def test_faster_rewrite_is_found_and_run_can_be_resumed(machine_with_plain_python, shop):
    machine = machine_with_plain_python
    result = machine.json(
        "optimize", "--repo", shop, "--function", "helpers.py:unique", "--workload", WORKLOAD, timeout=400
    )
    assert (result["exit"], result["verdict"]["kind"]) == (0, "faster"), result
    assert result["verdict"]["no_loss"]
    assert "set()" in result["patch"]
    assert result["verdict"]["conditions"] == ["recorded types"]
    assert any("values that cannot be hashed" in note and "unique([[" in note for note in result["verdict"]["notes"])
    assert (Path(result["directory"]) / "optimize.svg").read_text().startswith("<svg")
    notes = [note for note in read(Path(result["directory"])).notes if note.kind == "score"]
    rewards = [each["reward"] for each in notes[-1].data["group"] if each["status"] == "right"]
    assert rewards
    assert all(1.0 <= reward <= 2.0 for reward in rewards)
    assert git(shop, "status", "--porcelain") == ""
    directory = Path(result["directory"])
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for length in sample(list(range(2, len(lines))), 1):
        copied = directory.parent / f"cut-{length}"
        copy_run(directory, copied, b"".join(lines[:length]) + lines[length][:7])
        resumed = machine.json("resume", copied.name, timeout=400)
        assert (resumed["exit"], resumed["patch"]) == (0, result["patch"]), f"{length}: {resumed['stderr']}"


@pytest.mark.slow
@needs_valgrind
@pytest.mark.timeout(500)
@pytest.mark.docker
def test_candidates_of_model_are_tested_and_reported(machine, shop):
    machine.workspace = "docker"
    model = machine.script(
        answer("Sorted.", write_helpers(SLOW.replace(OLD, SORTED)), call("submit"), n=1),
        answer("Cached.", write_helpers(CACHE + SLOW.replace(OLD, CACHED)), call("submit"), n=2),
        answer("By a dict.", write_helpers(SLOW.replace(OLD, RIGHT)), call("submit"), n=3),
    )
    result = machine.json(
        *("optimize", "--repo", shop, "--function", "helpers.py:unique", "--workload", WORKLOAD, "--model", model),
        timeout=400,
    )
    assert (result["exit"], result["verdict"]["kind"]) == (0, "faster"), result
    assert "dict.fromkeys" in result["patch"]
    assert "lru_cache" not in result["patch"]
    observations = "\n".join(
        observation.text for step in read(Path(result["directory"])).steps["main"] for observation in step.observations
    )
    assert "wrong: unique(" in observations


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--function", "helpers.py"], "does not name a function"),
        (["--function", "nothing.py:f"], "There is no file nothing.py"),
        (["--workload", "x", "--benchmark", "y"], "Choose one"),
        (["--function", "helpers.py:sorted_unique"], "has no function sorted_unique"),
    ],
)
def test_bad_arguments_are_refused(machine, shop, arguments, message):
    completed = machine.run("optimize", "--repo", str(shop), *arguments)
    assert completed.returncode == 2
    assert message in completed.stderr.replace("\n", " ")
    assert "Traceback" not in completed.stderr
