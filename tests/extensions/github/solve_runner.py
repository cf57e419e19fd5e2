"""A runner for the solve job, in this process: a checkout, a task as the gate writes it, a scripted model."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from extensions.github.action.solve_job import solve
from extensions.github.task.result_file import Outcome, unpack
from extensions.github.task.task_request import TaskRequest, write
from tests.agent.conftest import act
from tests.conftest import git
from trajectories.records import Issue

FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "words.py": "def loud(word):\n    return word.upper()\n",
    "tests/__init__.py": "",
    "tests/test_words.py": (
        "import unittest\n\nfrom words import loud\n\n\nclass WordsTest(unittest.TestCase):\n"
        '    def test_loud(self):\n        self.assertEqual(loud("a"), "A")\n'
    ),
    ".gitignore": "*.pyc\n__pycache__/\n",
}
TEST = (
    "import unittest\n\nfrom calc import add\n\n\nclass CalcTest(unittest.TestCase):\n"
    "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n"
)
UNITTEST = f"{shlex.quote(sys.executable)} -m unittest discover -s tests -t ."
FIX = act("edit", path="calc.py", old="a - b", new="a + b")
ADD_TEST = act("edit", path="tests/test_calc.py", old="", new=TEST)
SUBMIT = act("submit", summary="add() subtracted its second argument. Now it adds it.")
ISSUE = Issue("add() subtracts", "add(2, 3) gives -1 but should give 5.", author="mallory", trust="stranger")


def set_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment of an Actions step."""
    monkeypatch.setenv("SWE_AGENT_STATE", str(folder / "state"))
    monkeypatch.setenv("SWE_AGENT_ACCEPT", "plausible")
    monkeypatch.setenv("GITHUB_OUTPUT", str(folder / "outputs"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary"))


@dataclass
class Job:
    """A solve job; `run(…)` runs it once. `outputs` are its job outputs, `result_file` the file that it wrote."""

    folder: Path
    repository: Path
    outputs: dict[str, str] = field(default_factory=dict)
    flags: dict[str, Any] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return git(self.repository, "rev-parse", "HEAD")

    def task(self, **more: Any) -> TaskRequest:
        fields: dict[str, Any] = {"kind": "fix", "repository": "octo/calc", "number": 7, "issue": ISSUE}
        fields |= {"asked_by": "ada", "at": "2026-01-02T03:04:05Z", "base": self.head, "target": "main", "budget": 2.0}
        return TaskRequest(**fields | more)

    def script(self, *lines: dict) -> str:
        path = self.folder / f"script{len(list(self.folder.glob('script*')))}.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in lines))
        return f"scripted:{path}"

    def run(self, task: TaskRequest, *lines: dict, parent: Path | None = None, **flags: Any) -> int:
        digest = write(task, self.folder / "errand.json")
        options = {"model": self.script(*lines), "workspace": "local", "test": UNITTEST, **self.flags, **flags}
        (self.folder / "outputs").write_text("")
        code = solve(self.folder / "errand.json", digest, self.repository, self.handover, parent, options)
        values = (self.folder / "outputs").read_text().split("\n")
        self.outputs = {name.partition("<<")[0]: value for name, value in zip(values[::3], values[1::3], strict=False)}
        return code

    @property
    def handover(self) -> Path:
        return self.folder / "handover.tar"

    @property
    def result_file(self) -> tuple[Outcome, str]:
        outcome, diff = unpack(self.handover, self.outputs["digest"])
        return outcome, diff.decode()
