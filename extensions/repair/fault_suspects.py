"""Suspicious lines: failing tests are traced line by line, together with some passing ones.

Based on the spectrum-based localization of AutoCodeRover (arXiv 2404.05427), with the signals of
`extensions/repair/analysis/suspicious_statements.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from aci.observation.untrusted_text import quote_text
from aci.repository.python_source import definitions
from agent.phases.base_failures import failing_tests
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.evaluator.spectrum import trace_tests
from extensions.repair.analysis.suspicious_statements import Suspect, find_suspects
from extensions.reproduction.issue_reproduction import recorded_reproduction
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.engine.task import Task

CPU_SECONDS, SECONDS = 20.0, 90.0
"""The time limits for tracing the tests: CPU time of the target's processes, and wall-clock time."""
MOST, MOST_NAMED, LONGEST, LONGEST_TEST = 10, 5, 120, 3_000
"""Maximum number of lines shown, of failing tests named, of characters per line, and of those of an example's test."""
NONE = "No test fails with the present files, so no lines are suspicious."
NOT_TRACED = "The failing tests could not be traced: {why}"
NO_OWN_CODE = "the traced tests ran none of the repository's own source code."
EXAMPLE = (
    "No test of the repository fails. This one was made from the issue's example, without a model, and is not in the "
    "files. Check that it shows the issue:\n{test}\n"
)
HEAD = "{failing} failing tests ({names}) and {passing} passing ones were traced; the most suspicious lines first:"


def suspicious_lines(task: Task, given: Sequence[str]) -> str:
    """Return the most suspicious lines as text for a prompt; the result is recorded for each state of the files.

    `given` are the failing tests that the user gave. If no test fails, the test that is made from the issue's example
    is traced. It is not added to the files, since no one has checked it.
    """
    tests: dict[str, Any] = {}
    found: dict[str, Any] = task.once(f"suspects {task.tree[:12]}", lambda: _trace_failing(task, given, tests))
    task.branch.needs_test &= not found["failing"]  # failing tests may reproduce the issue
    example = ""
    if found.get("passed") and not given and (made := recorded_reproduction(task, named=False)).get("text"):
        name = f"suspects of the example {task.tree[:12]}"
        # A run that was interrupted in between runs the tests again, since the record does not list them.
        traced = task.once(name, lambda: _trace_example(task, tests or failing_tests(task, given), made))
        if traced["lines"]:
            found, example = traced, EXAMPLE.format(test=quote_text(made["text"][:LONGEST_TEST]))
    if not found["lines"]:
        return NOT_TRACED.format(why=quote_text(found["why"])) if found["why"] else NONE
    names = quote_text(", ".join(found["failing"][:MOST_NAMED]))
    head = HEAD.format(failing=len(found["failing"]), names=names, passing=found["passing"])
    return f"{example}{head}\n{quote_text(chr(10).join(found['lines']))}"


def _trace_failing(task: Task, given: Sequence[str], tests: dict[str, Any]) -> dict[str, Any]:
    """Run the tests, put the result of `failing_tests` into `tests`, and trace the failing ones. If none fails, return
    how many `passed`."""
    tests.update(failing_tests(task, given))
    if tests["failing"]:
        return _trace_tests(task, task.tree, tests["command"], tests["failing"], tests["passing"])
    found = _nothing("" if tests["passing"] else tests["summary"])
    return found | {"passed": len(tests["passing"])}


def _trace_example(task: Task, tests: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    tree = task.trees.write({made["path"]: made["text"].encode()}, task.tree)
    return _trace_tests(task, tree, tests["command"], [made["test"]], tests["passing"])


def _trace_tests(task: Task, tree: str, command: str, failing: Sequence[str], passing: Sequence[str]) -> dict[str, Any]:
    try:
        with (
            closing(task.branch.place.fork(tree)) as workspace,
            Evaluator(workspace, command, [*failing, *passing], task.branch.cancel, tree) as evaluator,
        ):
            spectrum = trace_tests(evaluator, failing, passing, CPU_SECONDS, SECONDS)
    except UsageError as error:
        return _nothing(error.message)
    read = _Reader(task)
    likely = find_suspects(spectrum, read.data)[:MOST]
    return {
        "why": NO_OWN_CODE,
        "failing": [one.test for one in spectrum.failing],
        "passing": len(spectrum.passing),
        "lines": [read.describe(one) for one in likely],
    }


def _nothing(why: str) -> dict[str, Any]:
    return {"failing": [], "passing": 0, "lines": [], "why": why}


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
