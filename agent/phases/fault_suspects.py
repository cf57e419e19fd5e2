"""Where a fault may lie by what fails: tests that fail as the files are, watched line by line, beside some that pass.

Spectrum-based localization for an agent is AutoCodeRover's (arXiv 2404.05427) idea; the signals are of
`agent/repair/suspects.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from aci.candidates import Evaluator
from aci.source import definitions
from aci.spectrum import observe
from agent.moves.failing import failing_tests
from agent.moves.framing import framed
from agent.repair.suspects import Suspect, suspects
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.task import Task

CPU_SECONDS, SECONDS = 20.0, 90.0
"""Of the target's processes, and of the clock, that watching tests may take."""
MOST, MOST_NAMED, LONGEST = 10, 5, 120
"""Lines that are told, names of failing tests, and characters of a line."""
NONE = "No test fails as the files are, so none says where the fault is."
UNSEEN = "What fails could not be watched line by line: {why}"
OF_OTHERS = "what was watched ran none of the repository's own code that is not a test."
HEAD = "{failing} failing tests ({names}) and {passing} passing ones were watched; the most suspicious lines first:"


def suspicious(task: Task, given: Sequence[str]) -> str:
    """The most suspicious lines, as words for a prompt, on the record for each state of the files; `given` are the
    tests of the user's that are to be mended."""
    found: dict[str, Any] = task.once(f"suspects {task.tree[:12]}", lambda: _found(task, given))
    if not found["lines"]:
        return UNSEEN.format(why=framed(found["why"])) if found["why"] else NONE
    names = framed(", ".join(found["failing"][:MOST_NAMED]))
    head = HEAD.format(failing=len(found["failing"]), names=names, passing=found["passing"])
    return f"{head}\n{framed(chr(10).join(found['lines']))}"


def _found(task: Task, given: Sequence[str]) -> dict[str, Any]:
    tests = failing_tests(task, given)
    found: dict[str, Any] = {"failing": [], "passing": 0, "lines": [], "why": ""}
    if not tests["failing"]:
        return found | {"why": "" if tests["passing"] else tests["summary"]}
    names = [*tests["failing"], *tests["passing"]]
    try:
        with (
            closing(task.engine.fork(task.tree, task.cancel)) as workspace,
            Evaluator(workspace, tests["command"], names, task.cancel, task.tree) as evaluator,
        ):
            spectrum = observe(evaluator, tests["failing"], tests["passing"], CPU_SECONDS, SECONDS)
    except UsageError as error:
        return found | {"why": error.message}
    read = _Reader(task)
    likely = suspects(spectrum, read.data)[:MOST]
    return found | {
        "why": OF_OTHERS,
        "failing": [one.test for one in spectrum.failing],
        "passing": len(spectrum.passing),
        "lines": [read.told(one) for one in likely],
    }


class _Reader:
    """Files as they are, with what their lines say."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def data(self, path: str) -> bytes | None:
        try:
            return self._task.trees.read(self._task.tree, path)
        except OSError:
            return None

    def told(self, one: Suspect) -> str:
        source = (self.data(one.path) or b"").decode("utf-8", "replace")
        lines = source.split("\n")
        code = lines[one.line - 1].strip()[:LONGEST] if one.line <= len(lines) else ""
        holders = [each.name for each in definitions(source) if each.line <= one.line <= each.end]
        where = f"{one.path}:{one.line}" + (f" in {holders[-1]}" if holders else "")
        return f"- {where}: {code}  ({one.score:.2f}{''.join(f'; {why}' for why in one.why[:2])})"
