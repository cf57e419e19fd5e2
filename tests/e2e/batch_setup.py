"""A batch of small repositories, each with the same bug, as a user would run it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, TEST_CORE, Machine, answer, call, write

FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)
TEST = "python3 -m unittest discover"


@dataclass
class Batcher:
    """A user with `count` instances of the calculator in `repositories` clones."""

    machine: Machine
    folder: Path
    count: int = 2
    repositories: int = 2

    def __post_init__(self) -> None:
        for number in range(self.repositories):
            clone = write(self.folder / "clones" / f"people__calc{number}", CALCULATOR | {"number.txt": f"{number}\n"})
            git(clone, "init", "-q")
            git(clone, "add", "-A")
            git(clone, "commit", "-qm", "A calculator")
        self.write_rows(*(self.row(number) for number in range(self.count)))

    def row(self, number: int, **fields: Any) -> dict[str, Any]:
        clone_number = number % self.repositories
        base = git(self.folder / "clones" / f"people__calc{clone_number}", "rev-parse", "HEAD")
        return {
            "instance_id": f"people__calc-{number}",
            "repo": f"people/calc{clone_number}",
            "base_commit": base,
            "problem_statement": f"add() subtracts\n\nadd(2, 3) gives -1 but should give 5. This is issue {number}.",
            "patch": "GOLD",
            "test_patch": "GOLD",
            "FAIL_TO_PASS": "[]",
            "PASS_TO_PASS": "[]",
            **fields,
        }

    def write_rows(self, *rows: dict[str, Any]) -> None:
        (self.folder / "instances.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def arguments(self, model: str, *flags: object) -> list[str]:
        files = ["--instances", str(self.folder / "instances.jsonl"), "--repos", str(self.folder / "clones")]
        return ["batch", *files, "--out", str(self.out), "--model", model, "--test", TEST, *map(str, flags)]

    def run(self, model: str, *flags: object) -> dict[str, Any]:
        return self.machine.json(*self.arguments(model, *flags))

    def results(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / "results.jsonl").read_text().splitlines()]

    def predictions(self, repeat: int = 1) -> list[dict[str, Any]]:
        folder = self.out if repeat == 1 else self.out / f"repeat-{repeat}"
        return [json.loads(line) for line in (folder / "all_preds.jsonl").read_text().splitlines()]


def solving_model(machine: Machine) -> str:
    """A scripted model that solves any instance in one reply."""
    return machine.script(answer("Both.", ADD_TEST, FIX, call("run_tests"), call("submit")))
