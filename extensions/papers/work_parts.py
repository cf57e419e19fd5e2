"""Independent parts of an issue: one developer works on each, side by side, and their changes are merged.

A manager who splits the work by files, with a developer for each, follows MAGIS (arXiv 2403.17927).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text
from aci.repository.tree_merge import merge_trees
from agent.candidates.attempt_summary import cut
from agent.engine.loop import loop
from agent.engine.parallel_attempts import AT_ONCE
from agent.prompts.opening_prompt import describe_workspace, facts
from agent.prompts.quotation import framed_issue
from agent.run_state.attempt_outcome import Outcome
from trajectories.records import PART
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.permission_checks import Scope
    from agent.engine.task import Task
    from trajectories.records import Step

MOST_PARTS = AT_ONCE
MOST_DIFF, LONGEST = 6_000, 300
"""Maximum number of characters of the changes of a part that conflict, and of a part's description in a report."""
DONE = "done"
MARK = re.compile(r"[\W_]*part[\W_]*\d*[\W_]*", re.IGNORECASE)
LONGEST_MARK = 40
"""Maximum number of characters before the first colon of a line about a part."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the work: the files that it is about, and what to do, in the words of whoever split the work."""

    files: str
    work: str

    def __str__(self) -> str:
        return f"{self.files}: {self.work}"


def parse_parts(said: str) -> list[Part]:
    """Return the parts in an answer, from its lines `part: <files>: <what to do>`."""
    found = []
    for line in said.splitlines():
        mark, _, rest = line.partition(":")
        files, _, work = rest.partition(":")
        part = Part(files.replace("`", "").strip(" *"), work.strip(" *_"))
        if part.files and part.work and len(mark) <= LONGEST_MARK and MARK.fullmatch(mark):
            found.append(part)
    return found


def work_on_parts(
    task: Task, name: str, role: str, parts: Sequence[Part], prompts: Sequence[str], scope: Scope
) -> Generator[Step, None, tuple[str, bool]]:
    """Let one developer work on each part in its own branch, and continue from their merged changes.

    Returns a report for the next reader, and whether every part was finished and merged without a conflict. A file that
    two parts changed at the same place keeps the change of the earlier part; the report shows that of the later one.
    """
    base, known = task.tree, task.once("facts False", lambda: facts(task.branch, located=False))
    attempts = [
        task.attempt(f"{name}-{number}", partial(_develop, role=role, scope=scope, words=f"{known}\n\n{prompt}"))
        for number, prompt in enumerate(prompts, 1)
    ]
    outcomes = yield from task.map(attempts)
    merged, report, is_whole = base, [], True
    for number, (part, outcome) in enumerate(zip(parts, outcomes, strict=True), 1):
        merged, result = _merge(task, base, merged, outcome)
        is_whole &= result == DONE
        description = quote_text(cut(str(part), LONGEST))
        task.note("candidate", f"part {number}, {description}: {result.partition(chr(10))[0]}")
        report.append(f"Part {number}, {description}: {result}")
    if merged != base:
        yield task.adopt(merged, "The changes of the parts, merged.", author="merge")
    return "\n".join(report), is_whole


def _develop(own: Task, role: str, scope: Scope, words: str) -> Generator[Step, None, Outcome]:
    """Work on a part until the developer submits. The parts are proven together, after the merge."""
    own.branch.role, own.branch.scope = role, scope
    yield own.say("\n\n".join([framed_issue(own.turn.issue), describe_workspace(own.branch), words]))
    yield from loop(own.branch)
    return Outcome(own.tree, Verdict(), PART)


def _merge(task: Task, base: str, merged: str, outcome: Outcome) -> tuple[str, str]:
    """Return the tree with the changes of a part added to those of earlier parts, and what became of the part."""
    if outcome.exit != PART:
        return merged, f"not finished ({outcome.exit}), and not included"
    both = merge_trees(task.trees, base, merged, outcome.tree)
    if not both.conflicts:
        return both.tree, DONE
    diff = task.trees.diff(base, task.trees.overlay(base, outcome.tree, both.paths))
    conflicts = quote_text(", ".join(map(str, both.conflicts)))
    return both.tree, (
        f"conflicts with an earlier part in {conflicts}. Its changes of these files are not included:\n"
        f"{quote_text(cut(diff, MOST_DIFF))}"
    )
