"""Runs edits of the repository's Python against its tests, thousands a minute, in the workspace.

The work is done by the files of `aci/inside/` under the target's own Python; here is the host's side: put those
files into the workspace, hand over a job, read the answers. Works for pytest and unittest commands.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from aci.commands import importing
from aci.workspace import Workspace
from trajectories.errors import Cancelled, UsageError

PACKAGE = "swe_agent_repair"
FILES = ("sandbox", "trace", "runners", "swap", "behave", "repair", "plugin")
START_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Function:
    """An outermost function of a file, in bytes: the line of its `def` starts at `start`, its body at `body`.

    `lines` are those of the first decorator and of the `def`.
    """

    name: str
    qualname: str
    lines: tuple[int, int]
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """Edits of one file, each (start, end, new text) in bytes, all inside `function` if there is one.

    `score` is how likely it seemed before it was run.
    """

    path: str
    edits: tuple[tuple[int, int, str], ...]
    description: str
    line: int
    function: Function | None = None
    score: float = 0.0

    @property
    def growth(self) -> int:
        """By how many bytes the file grows."""
        return sum(len(text.encode()) - (end - start) for start, end, text in self.edits)

    def apply(self, data: bytes) -> bytes:
        """The file's bytes with the edits made."""
        for start, end, text in sorted(self.edits, reverse=True):
            data = data[:start] + text.encode() + data[end:]
        return data

    def job(self, id: int) -> dict[str, Any]:
        function = self.function
        return {
            "id": id,
            "path": self.path,
            "edits": [list(edit) for edit in self.edits],
            "function": function
            and {
                "name": function.name,
                "lines": function.lines,
                "start": function.start,
                "body": function.body,
                "end": function.end,
            },
        }


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a test may run: `seconds` of CPU by test name."""

    seconds: dict[str, float]

    def of(self, tests: Iterable[str]) -> list[list[Any]]:
        return [[test, self.seconds[test]] for test in tests if test in self.seconds]


class Evaluator:
    """Hands jobs to the evaluator inside a workspace whose tests `command` runs."""

    def __init__(self, workspace: Workspace, command: str) -> None:
        self.workspace = workspace
        self.command = command
        self._installed = False

    def trace(self, tests: Sequence[tuple[str, float]], seconds: float) -> list[dict[str, Any]]:
        """Outcome, CPU seconds, lines run and frames raised of each test (with its CPU limit), as time allows."""
        return self._run([name for name, _ in tests], {"mode": "trace", "tests": tests}, seconds)

    def evaluate(
        self,
        candidates: Sequence[Candidate],
        failing: Sequence[str],
        passing: Sequence[str],
        limits: Limits,
        seconds: float,
    ) -> dict[int, str]:
        """Index of the candidate -> `plausible` (every test passes), `fail`, `timeout`, `slow` (a time-out after other
        tests passed), `crash`, `invalid` (cannot be run), `fluke` (passed, but not alone in a fresh process).

        Candidates that time did not allow are not in it.
        """
        job = {
            "mode": "evaluate",
            "failing": limits.of(failing),
            "passing": limits.of(passing),
            "candidates": [candidate.job(index) for index, candidate in enumerate(candidates)],
        }
        answers = self._run([*failing, *passing], job, seconds)
        return {id: str(answer.get("verdict")) for id, answer in _by_id(answers, len(candidates)).items()}

    def behave(
        self, candidates: Sequence[Candidate], tests: Sequence[str], limit: float, seconds: float
    ) -> dict[int, tuple[str, ...]]:
        """Index of the candidate -> digests of what it answers on inputs made from those seen in the tests.

        All candidates must edit the same function.
        """
        job = {
            "mode": "behave",
            "tests": tests,
            "limit": limit,
            "candidates": [candidate.job(index) for index, candidate in enumerate(candidates)],
        }
        answers = self._run(tests, job, seconds)
        return {
            id: tuple(map(str, answer.get("answers") or ())) for id, answer in _by_id(answers, len(candidates)).items()
        }

    def _run(self, names: Sequence[str], job: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
        self._install()
        workspace = self.workspace
        asked, answered = f"{workspace.harness}/repair-job.json", f"{workspace.harness}/repair-answers.jsonl"
        job = {**job, "root": workspace.root, "out": answered, "names": list(names), "seconds": seconds}
        job["folders"] = unittest_folders(self.command)
        workspace.write(asked, json.dumps(job).encode())
        workspace.write(answered, b"")
        ran = workspace.run(self._line(asked), timeout=seconds + START_SECONDS, session="repair")
        if ran.code == 130:
            raise Cancelled("The search for a repair was interrupted.")
        answers = _lines(workspace.read(answered))
        if not answers and not ran.timed_out:
            raise UsageError(
                f"The tests cannot be run in one process: {ran.text.strip()[-500:]}",
                "Check the test command (--test); pytest and unittest are known here.",
            )
        return [answer for answer in answers if "end" not in answer]

    def _install(self) -> None:
        if not self._installed:
            inside = Path(__file__).parent / "inside"
            folder = f"{self.workspace.harness}/{PACKAGE}"
            self.workspace.write(f"{folder}/__init__.py", b"")
            for name in FILES:
                self.workspace.write(f"{folder}/{name}.py", (inside / f"{name}.py").read_bytes())
            self._installed = True

    def _line(self, asked: str) -> str:
        harness = shlex.quote(self.workspace.harness)
        settings = [
            f"PYTHONPATH={harness}${{PYTHONPATH:+:$PYTHONPATH}}",
            "PYTHONDONTWRITEBYTECODE=1",
            f"SWE_AGENT_JOB={shlex.quote(asked)}",
        ]
        python = unittest_python(self.command)
        if python is None:
            settings += [
                f"PYTEST_PLUGINS=${{PYTEST_PLUGINS:+$PYTEST_PLUGINS,}}{PACKAGE}.plugin",
                'PYTEST_ADDOPTS="${PYTEST_ADDOPTS-} -s"',
            ]
        command = self.command if python is None else f"{python} -m {PACKAGE}.repair"
        command = importing(self.workspace.harness, command)
        return f"(cd {shlex.quote(self.workspace.root)} && export {' '.join(settings)} && {command})"


def unittest_python(command: str) -> str | None:
    """The interpreter of a command that runs unittest (`A=1 python3 -m unittest -q` -> `A=1 python3`), else None."""
    found = re.match(r"(.*\S)\s+-m\s+unittest\b", command.strip())
    return found[1] if found else None


def unittest_folders(command: str) -> list[str]:
    """The folders that `unittest discover` puts on the import path: start (-s) and top level (-t)."""
    try:
        words = shlex.split(command.partition(" discover ")[2])
    except ValueError:
        return []
    options = ("-s", "--start-directory", "-t", "--top-level-directory")
    pairs = [(word, after) for word, after in pairwise(words) if word in options]
    return [folder for _, folder in pairs] + [word for word in words[:1] if not word.startswith("-")]


def _by_id(answers: list[dict[str, Any]], count: int) -> dict[int, dict[str, Any]]:
    """Answers by the index of their candidate; the code under test could have written others."""
    return {
        answer["id"]: answer for answer in answers if isinstance(answer.get("id"), int) and 0 <= answer["id"] < count
    }


def _lines(data: bytes) -> list[dict[str, Any]]:
    """The whole lines that are JSON objects; the code under test may have written into the file as well."""
    found = []
    for line in data.split(b"\n")[:-1]:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
