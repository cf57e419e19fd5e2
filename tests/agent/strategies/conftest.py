"""Runs of a strategy with a scripted model on a small repository, and their results."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aci.repository.user_repository import Repository
from agent.config.model_table import ModelTable
from agent.config.settings import Settings
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import begin, reopen, solve
from agent.lifecycle.run_result import Result
from agent.permissions.approvals import Approve
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
UNITTEST = f"{shlex.quote(sys.executable)} -m unittest discover -s tests -t ."


def new_test(name: str, *asserts: str) -> dict[str, Any]:
    """The action that adds a test file of that name."""
    body = "".join(f"        {assertion}\n" for assertion in asserts)
    text = f"import unittest\n\nfrom calc import add\n\n\nclass {name.title()}Test(unittest.TestCase):\n"
    return act("edit", path=f"tests/test_{name}.py", old="", new=f"{text}    def test_{name}(self):\n{body}")


def equal(call: str, value: object) -> str:
    return f"self.assertEqual({call}, {value!r})"


def edit_calc(new: str, old: str = "a - b") -> dict[str, Any]:
    return act("edit", path="calc.py", old=old, new=new)


SUBMIT = act("submit", summary="Done.")


@dataclass
class FinishedRun:
    """A run that has ended."""

    result: Result
    steps: list[Step]
    trajectory: Trajectory

    def notes(self, kind: str) -> list[str]:
        return [note.text for note in self.trajectory.notes if note.kind == kind]

    def evaluate(self, call: str, path: str = "calc.py") -> Any:
        """Evaluate a call with the patch applied."""
        names: dict[str, Any] = {}
        with Trees(self.result.directory / "trees.git") as trees:
            exec(trees.read(self.result.exit.tree, path).decode(), names)
        return eval(call, names)

    @property
    def kind(self) -> str:
        return self.result.exit.kind


RunStrategy = Callable[..., FinishedRun]


@pytest.fixture
def run_strategy(tmp_path: Path, make_repo: Callable[..., Path]) -> RunStrategy:
    """`run_strategy("best-of", line(…), …, files=…, issue=…, roles={…}, setting=…)` runs to the end, on a new
    repository with these files, or on `repository`."""
    runs: list[Path] = []

    def write_script(lines: tuple[dict, ...] | list[dict], name: str) -> str:
        script = tmp_path / f"{name}.jsonl"
        script.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return f"scripted:{script}"

    def run_to_end(
        strategy: str,
        *lines: dict,
        files: dict[str, str] = FILES,
        issue: str = ISSUE,
        labels: tuple[str, ...] = (),
        roles: dict[str, list[dict]] | None = None,
        repository: Path | None = None,
        choose: Approve | None = None,
        delegates: bool = False,
        **settings: Any,
    ) -> FinishedRun:
        chosen_settings = Settings(
            strategy=strategy,
            roles={role: write_script(role_lines, f"{role}-{len(runs)}") for role, role_lines in (roles or {}).items()},
            state=tmp_path / "state",
            retry_wait=0,
            **{"workspace": "local", "model": write_script(lines, f"coder-{len(runs)}"), "test": UNITTEST, **settings},
        )
        title, _, body = issue.partition("\n\n")
        source = Repository.open(repository or make_repo(files))
        directory = begin(Issue(title, body, labels=labels), source, chosen_settings)
        runs.append(directory)
        return finish_run(reopen(directory, chosen_settings.state), choose, delegates)

    return run_to_end


def finish_run(engine: Engine, choose: Approve | None = None, delegates: bool = False) -> FinishedRun:
    """Finish a run whose user, if there is one, answers the model's questions with `choose`."""
    engine.choose, engine.delegates = choose, delegates
    steps: list[Step] = []
    try:
        running = solve(engine)
        while True:
            steps.append(next(running))
    except StopIteration as end:
        return FinishedRun(end.value, steps, read(engine.journal.directory))
    finally:
        engine.close()


__all__ = [
    "CALC",
    "FILES",
    "ISSUE",
    "SUBMIT",
    "FinishedRun",
    "ModelTable",
    "RunStrategy",
    "edit_calc",
    "equal",
    "finish_run",
    "new_test",
]
