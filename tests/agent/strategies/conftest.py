"""Runs of a strategy with a scripted model on a small repository, and what came of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import ModelTable, Settings
from agent.engine.engine import Engine
from agent.engine.run_lifecycle import Result, begin, reopen, solve
from tests.agent.conftest import act
from trajectories.git_store.trees import Trees
from trajectories.journal import read
from trajectories.records import Issue, Step
from trajectories.trajectory import Trajectory

CALC = "def add(a, b):\n    return a - b\n\n\ndef twice(a):\n    return a * 2\n"
TESTS = "import unittest\n\nfrom calc import twice\n\n\nclass TwiceTest(unittest.TestCase):\n" + (
    "    def test_twice(self):\n        self.assertEqual(twice(4), 8)\n"
)
FILES = {"calc.py": CALC, "tests/__init__.py": "", "tests/test_calc.py": TESTS, ".gitignore": "__pycache__/\n"}
ISSUE = "add() subtracts\n\nadd(2, 3) gives -1 but should give 5."
UNITTEST = f"{sys.executable} -m unittest discover -s tests -t ."


def test_of(name: str, *asserts: str) -> dict[str, Any]:
    """The action that writes a new test file of that name."""
    body = "".join(f"        {one}\n" for one in asserts)
    text = f"import unittest\n\nfrom calc import add\n\n\nclass {name.title()}Test(unittest.TestCase):\n"
    return act("edit", path=f"tests/test_{name}.py", old="", new=f"{text}    def test_{name}(self):\n{body}")


test_of.__test__ = False  # type: ignore[attr-defined]


def equal(call: str, value: object) -> str:
    return f"self.assertEqual({call}, {value!r})"


def mend(new: str, old: str = "a - b") -> dict[str, Any]:
    return act("edit", path="calc.py", old=old, new=new)


SUBMIT = act("submit", summary="Done.")


@dataclass
class Ended:
    """A run that came to its end."""

    result: Result
    steps: list[Step]
    trajectory: Trajectory

    def notes(self, kind: str) -> list[str]:
        return [note.text for note in self.trajectory.notes if note.kind == kind]

    def answer(self, call: str, path: str = "calc.py") -> Any:
        """What a call gives with the patch."""
        names: dict[str, Any] = {}
        with Trees(self.result.directory / "trees.git") as trees:
            exec(trees.read(self.result.exit.tree, path).decode(), names)
        return eval(call, names)

    @property
    def kind(self) -> str:
        return self.result.exit.kind


Solved = Callable[..., Ended]


@pytest.fixture
def solved(tmp_path: Path, make_repo: Callable[..., Path]) -> Solved:
    """`solved("best-of", line(…), …, files=…, issue=…, roles={role: [line(…)]}, setting=…)`: to the end of the run."""
    runs: list[Path] = []

    def model(lines: tuple[dict, ...] | list[dict], name: str) -> str:
        script = tmp_path / f"{name}.jsonl"
        script.write_text("".join(json.dumps(one) + "\n" for one in lines))
        return f"scripted:{script}"

    def ended(
        strategy: str,
        *lines: dict,
        files: dict[str, str] = FILES,
        issue: str = ISSUE,
        roles: dict[str, list[dict]] | None = None,
        **settings: Any,
    ) -> Ended:
        chosen = Settings(
            strategy=strategy,
            model=model(lines, f"coder-{len(runs)}"),
            roles={role: model(own, f"{role}-{len(runs)}") for role, own in (roles or {}).items()},
            workspace="local",
            state=tmp_path / "state",
            retry_wait=0,
            **{"test": UNITTEST, **settings},
        )
        title, _, body = issue.partition("\n\n")
        directory = begin(Issue(title, body), Repository.open(make_repo(files)), chosen)
        runs.append(directory)
        return finished(reopen(directory, chosen.state))

    return ended


def finished(engine: Engine) -> Ended:
    steps: list[Step] = []
    try:
        running = solve(engine)
        while True:
            steps.append(next(running))
    except StopIteration as end:
        return Ended(end.value, steps, read(engine.journal.directory))
    finally:
        engine.close()


__all__ = ["CALC", "FILES", "ISSUE", "SUBMIT", "Ended", "ModelTable", "Solved", "equal", "finished", "mend", "test_of"]
