"""Suspicious lines: failing tests are traced line by line, together with some passing ones.

Based on the spectrum-based localization of AutoCodeRover (arXiv 2404.05427), with the signals of
`agent/repair/analysis/suspicious_statements.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from aci.observation.prompt_tags import quote_text
from aci.repair.candidate_evaluator import Evaluator
from aci.repair.spectrum import trace_tests
from aci.repository.python_source import definitions
from agent.phases.base_failures import failing_tests
from agent.repair.analysis.suspicious_statements import Suspect, find_suspects
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.engine.task import Task

CPU_SECONDS, SECONDS = 20.0, 90.0
"""The time limits for tracing the tests: CPU time of the target's processes, and wall-clock time."""
MOST, MOST_NAMED, LONGEST = 10, 5, 120
"""Maximum number of lines shown, of failing tests named, and of characters per line."""
NONE = "No test fails with the present files, so no lines are suspicious."
NOT_TRACED = "The failing tests could not be traced: {why}"
NO_OWN_CODE = "the traced tests ran none of the repository's own source code."
HEAD = "{failing} failing tests ({names}) and {passing} passing ones were traced; the most suspicious lines first:"


def suspicious_lines(task: Task, given: Sequence[str]) -> str:
    """Return the most suspicious lines as text for a prompt; the result is recorded for each state of the files.

    `given` are the failing tests that the user gave.
    """
    found: dict[str, Any] = task.once(f"suspects {task.tree[:12]}", lambda: _trace_tests(task, given))
    task.branch.needs_test &= not found["failing"]  # failing tests may reproduce the issue
    if not found["lines"]:
        return NOT_TRACED.format(why=quote_text(found["why"])) if found["why"] else NONE
    names = quote_text(", ".join(found["failing"][:MOST_NAMED]))
    head = HEAD.format(failing=len(found["failing"]), names=names, passing=found["passing"])
    return f"{head}\n{quote_text(chr(10).join(found['lines']))}"


def _trace_tests(task: Task, given: Sequence[str]) -> dict[str, Any]:
    tests = failing_tests(task, given)
    found: dict[str, Any] = {"failing": [], "passing": 0, "lines": [], "why": ""}
    if not tests["failing"]:
        return found | {"why": "" if tests["passing"] else tests["summary"]}
    names = [*tests["failing"], *tests["passing"]]
    try:
        with (
            closing(task.branch.place.fork(task.tree)) as workspace,
            Evaluator(workspace, tests["command"], names, task.branch.cancel, task.tree) as evaluator,
        ):
            spectrum = trace_tests(evaluator, tests["failing"], tests["passing"], CPU_SECONDS, SECONDS)
    except UsageError as error:
        return found | {"why": error.message}
    read = _Reader(task)
    likely = find_suspects(spectrum, read.data)[:MOST]
    return found | {
        "why": NO_OWN_CODE,
        "failing": [one.test for one in spectrum.failing],
        "passing": len(spectrum.passing),
        "lines": [read.describe(one) for one in likely],
    }


class _Reader:
    """A reader of the current files and their lines."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def data(self, path: str) -> bytes | None:
        try:
            return self._task.trees.read(self._task.tree, path)
        except OSError:
            return None

    def describe(self, one: Suspect) -> str:
        source = (self.data(one.path) or b"").decode("utf-8", "replace")
        lines = source.split("\n")
        code = lines[one.line - 1].strip()[:LONGEST] if one.line <= len(lines) else ""
        holders = [each.name for each in definitions(source) if each.line <= one.line <= each.end]
        where = f"{one.path}:{one.line}" + (f" in {holders[-1]}" if holders else "")
        return f"- {where}: {code}  ({one.score:.2f}{''.join(f'; {why}' for why in one.why[:2])})"
