"""Diverse attempts at one issue, each with its own hint, suggested places, temperature, workspace and conversation.

The sampling is based on Trae Agent (arXiv 2507.23370).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aci.repository.patch import split_patch
from agent.conversation.model_roles import CODER
from agent.engine.loop import NUDGED, is_submission, loop
from agent.prompts.opening_prompt import describe_workspace, facts, likely_sources
from agent.prompts.quotation import framed_issue
from trajectories.errors import BudgetStop, LimitStop, Stop
from trajectories.records import Patch
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.parallel_attempts import Attempt
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step


@dataclass(frozen=True, slots=True)
class AttemptVariant:
    """A variant of an attempt.

    `hint` is added to the first message. Without `located`, the attempt is not shown the results of localization, so
    that wrong results do not mislead every attempt. `temperature` is the sampling temperature; if None, the provider's
    default is used.
    """

    name: str
    hint: str = ""
    temperature: float | None = None
    located: bool = True


VARIANTS = (
    AttemptVariant("default"),
    AttemptVariant("from the cause", "Trace the wrong behaviour back to its origin, and fix it there.", 0.4),
    AttemptVariant("on its own", "Locate the fault yourself: no places are suggested.", 0.7, located=False),
    AttemptVariant("by the callers", "Check who else uses the code that you change, and what they expect of it.", 0.7),
    AttemptVariant("by the tests", "Start with tests for several kinds of inputs; the issue names only one.", 1.0),
)


FILES_OF_ATTEMPT = "The files are those of the attempt described below."
FILES_OF_BASE = "The files are in their state before any patch."
ENDS: dict[str, tuple[type[Stop], str, str]] = {
    BudgetStop.kind: (
        BudgetStop,
        "Every attempt has used up the budget.",
        "Give more with --budget or --max-tokens.",
    ),
    LimitStop.kind: (LimitStop, "Every attempt has used up the run's steps.", "Give more with --max-steps."),
}
"""Errors to raise if all attempts ended without a patch for the same reason."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The result of an attempt: its files, the verdict of its proof, and how it ended.

    `alike` contains the names of all attempts with the same patch, including this one.
    """

    name: str
    tree: str
    verdict: Verdict
    patch: Patch
    end: str = ""
    alike: tuple[str, ...] = field(default=())


def variant_for(number: int) -> AttemptVariant:
    """Return the variant for an attempt, given the attempt's number, which starts at 0."""
    return VARIANTS[number % len(VARIANTS)]


def attempt(
    task: Task,
    name: str,
    given: Sequence[str] = (),
    how: AttemptVariant = VARIANTS[0],
    words: str = "",
    role: str = CODER,
    tree: str = "",
    left: str = FILES_OF_ATTEMPT,
    until: Callable[[Step], bool] = is_submission,
) -> Attempt:
    """Return an attempt that runs on its own branch until `until` holds, by default until it submits; its patch is then
    proven.

    `words` are added to the end of the first message. `tree` holds the files to start with, which default to the task's
    files, and `left` is the message that describes them.
    """
    likely = likely_sources(task.branch)
    known = task.once(f"facts {how.located}", lambda: facts(task.branch, how.located))

    def solve(own: Task) -> Generator[Step, None, Outcome]:
        own.branch.temperature, own.branch.role = how.temperature, role
        if tree:
            yield own.adopt(tree, left)
        parts = framed_issue(own.turn.issue), describe_workspace(own.branch), known, how.hint, words
        yield own.say("\n\n".join(filter(None, parts)))
        yield from loop(own.branch, until, NUDGED if until is is_submission else ())
        yield from own.prove(given, likely)
        return own.best()

    return task.attempt(name, solve)


def attempts(task: Task, attempts_made: Sequence[Attempt]) -> Generator[Step, None, list[Candidate]]:
    """Run attempts in parallel. Returns the candidates in the same order, and records a note for each."""
    outcomes = yield from task.map(attempts_made)
    names = [each.branch.name.rpartition("/")[2] for each in attempts_made]
    found = [candidate(task, name, outcome) for name, outcome in zip(names, outcomes, strict=True)]
    for one in found:
        task.note("candidate", f"{one.name}: {summarise_candidate(one)}")
    ends = {"" if one.patch.source else one.end for one in found}
    if len(ends) == 1 and (end := ENDS.get(ends.pop())):
        stop, message, fix = end
        raise stop(message, fix)
    return found


def candidate(task: Task, name: str, outcome: Outcome) -> Candidate:
    patch = split_patch(task.trees, task.turn.base.tree, outcome.tree)
    return Candidate(name, outcome.tree, outcome.verdict, patch, outcome.exit, (name,))


def summarise_candidate(one: Candidate) -> str:
    """Return the result of an attempt in a few words."""
    verdict = one.verdict
    if not one.patch.source:
        return "no source change" + (f", ended by {one.end}" if one.end else "")
    parts = [
        verdict.kind,
        "breaks passing tests" if verdict.no_loss is False else "",
        "its own test still fails" if verdict.red and verdict.green is False else "",
        "no test of its own failed before" if not verdict.red else "",
        f"ended by {one.end}" if one.end else "",
    ]
    return ", ".join(filter(None, parts))
