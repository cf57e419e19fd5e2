"""`optimize` from the outside: what it makes faster by itself, what a model's candidates come to, what it refuses."""

from __future__ import annotations

import shlex
import shutil
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


def written(text: str) -> dict:
    return call("shell", command=f"printf %s {shlex.quote(text)} > helpers.py")


needs_valgrind = pytest.mark.skipif(not shutil.which("valgrind"), reason="there is no valgrind to count with")


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
def test_rewrite_is_found_proven_and_drawn_also_when_killed_at_record(machine, shop):
    told = machine.json(
        "optimize", "--repo", shop, "--function", "helpers.py:unique", "--workload", WORKLOAD, timeout=400
    )
    assert (told["exit"], told["verdict"]["kind"]) == (0, "faster"), told
    assert told["verdict"]["no_loss"]
    assert "set()" in told["patch"]
    assert (Path(told["directory"]) / "optimize.svg").read_text().startswith("<svg")
    notes = [note for note in read(Path(told["directory"])).notes if note.kind == "score"]
    rewards = [each["reward"] for each in notes[-1].data["group"] if each["status"] == "right"]
    assert rewards
    assert all(1.0 <= reward <= 2.0 for reward in rewards)
    assert git(shop, "status", "--porcelain") == ""
    directory = Path(told["directory"])
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for kept in sample(list(range(2, len(lines))), 1):
        copy = directory.parent / f"cut-{kept}"
        copy_run(directory, copy, b"".join(lines[:kept]) + lines[kept][:7])
        again = machine.json("resume", copy.name, timeout=400)
        assert (again["exit"], again["patch"]) == (0, told["patch"]), (kept, again["stderr"])


@pytest.mark.slow
@needs_valgrind
@pytest.mark.timeout(500)
@pytest.mark.docker
def test_models_candidates_are_judged_and_told(machine, shop):
    machine.workspace = "docker"
    model = machine.script(
        answer("Sorted.", written(SLOW.replace(OLD, SORTED)), call("submit"), n=1),
        answer("Cached.", written(CACHE + SLOW.replace(OLD, CACHED)), call("submit"), n=2),
        answer("By a dict.", written(SLOW.replace(OLD, RIGHT)), call("submit"), n=3),
    )
    told = machine.json(
        *("optimize", "--repo", shop, "--function", "helpers.py:unique", "--workload", WORKLOAD, "--model", model),
        timeout=400,
    )
    assert (told["exit"], told["verdict"]["kind"]) == (0, "faster"), told
    assert "dict.fromkeys" in told["patch"]
    assert "lru_cache" not in told["patch"]
    said = "\n".join(seen.text for step in read(Path(told["directory"])).steps["main"] for seen in step.observations)
    assert "wrong: unique(" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--function", "helpers.py"], "does not name a function"),
        (["--function", "nothing.py:f"], "There is no file nothing.py"),
        (["--workload", "x", "--benchmark", "y"], "Choose one"),
        (["--function", "helpers.py:sorted_unique"], "has no function sorted_unique"),
    ],
)
def test_what_cannot_be_optimized_is_said_in_sentence(machine, shop, arguments, words):
    done = machine.run("optimize", "--repo", str(shop), *arguments)
    assert done.returncode == 2
    assert words in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
