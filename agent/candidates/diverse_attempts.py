"""Attempts at one issue that differ in what they are told and shown and in how freely the model answers, each in a
workspace and a conversation of its own. After Trae Agent (arXiv 2507.23370), which samples so."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aci.patch import split
from agent.casting import CODER
from agent.loop import NUDGED, loop, submitted
from agent.moves.framing import framed_issue
from agent.moves.opening import facts, likely_sources, whereabouts
from trajectories.errors import BudgetStop, LimitStop, Stop
from trajectories.records import Patch, Verdict

if TYPE_CHECKING:
    from agent.outcome import Outcome
    from agent.parallel import Attempt
    from agent.task import Task
    from trajectories.records import Step


@dataclass(frozen=True, slots=True)
class Manner:
    """`hint` ends the first message. Without `located` the likeliest places are not told: where they are wrong, they
    would be wrong in all attempts. `temperature` as the provider takes it, its own if None."""

    name: str
    hint: str = ""
    temperature: float | None = None
    located: bool = True


MANNERS = (
    Manner("as it comes"),
    Manner("from the cause", "Follow the wrong behaviour back to where it begins, and mend it there.", 0.4),
    Manner("on its own", "Find the place yourself: nobody has looked before you.", 0.7, located=False),
    Manner("by the callers", "Look at who else uses what you change, and at what they expect of it.", 0.7),
    Manner("by the tests", "Begin with tests for inputs of several kinds, of which the issue names but one.", 1.0),
)


AS_LEFT = "The files are as the attempt left them that is told of below."
AS_BEFORE = "The files are as they were before any patch."
ENDS: dict[str, tuple[type[Stop], str, str]] = {
    BudgetStop.kind: (
        BudgetStop,
        "The budget is used up, by every attempt.",
        "Give more with --budget or --max-tokens.",
    ),
    LimitStop.kind: (LimitStop, "The run has taken its steps, in every attempt.", "Give more with --max-steps."),
}
"""What all attempts may have ended by, so that there is nothing to go on with."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What an attempt came to: the files, what its own proof found, how it ended. `alike` names the attempts with the
    same patch, itself included."""

    name: str
    tree: str
    verdict: Verdict
    patch: Patch
    end: str = ""
    alike: tuple[str, ...] = field(default=())


def manner(number: int) -> Manner:
    """Of the attempt of that number, from 0."""
    return MANNERS[number % len(MANNERS)]


def attempt(
    task: Task,
    name: str,
    given: Sequence[str] = (),
    how: Manner = MANNERS[0],
    words: str = "",
    role: str = CODER,
    tree: str = "",
    left: str = AS_LEFT,
    until: Callable[[Step], bool] = submitted,
) -> Attempt:
    """An attempt on a branch of its own: asked until it submits, or `until` something else, then proven. `words` are
    told after the issue, `tree` holds the files that it begins with, if not the task's, as `left` says."""
    likely = likely_sources(task)
    known = task.once(f"facts {how.located}", lambda: facts(task, how.located))

    def solve(own: Task) -> Generator[Step, None, Outcome]:
        own.temperature, own.role = how.temperature, role
        if tree:
            yield own.adopt(tree, left)
        parts = framed_issue(own.issue), whereabouts(own), known, how.hint, words
        yield own.say("\n\n".join(filter(None, parts)))
        yield from loop(own, until, NUDGED if until is submitted else ())
        yield from own.prove(given, likely)
        return own.best()

    return task.attempt(name, solve)


def attempts(task: Task, made: Sequence[Attempt]) -> Generator[Step, None, list[Candidate]]:
    """Make them side by side; what they came to, in their order, each with a note."""
    outcomes = yield from task.map(made)
    names = [each.task.branch.rpartition("/")[2] for each in made]
    found = [candidate(task, name, outcome) for name, outcome in zip(names, outcomes, strict=True)]
    for one in found:
        task.note("candidate", f"{one.name}: {in_short(one)}")
    ends = {"" if one.patch.source else one.end for one in found}
    if len(ends) == 1 and (end := ENDS.get(ends.pop())):
        stop, message, fix = end
        raise stop(message, fix)
    return found


def candidate(task: Task, name: str, outcome: Outcome) -> Candidate:
    patch = split(task.trees, task.base.tree, outcome.tree)
    return Candidate(name, outcome.tree, outcome.verdict, patch, outcome.exit, (name,))


def in_short(one: Candidate) -> str:
    """What came of an attempt, in a few words."""
    verdict = one.verdict
    if not one.patch.source:
        return "no change of the source" + (f", ended by {one.end}" if one.end else "")
    parts = [
        verdict.kind,
        "loses what passed" if verdict.no_loss is False else "",
        "its own test stays red" if verdict.red and verdict.green is False else "",
        "no test of its own was red before" if not verdict.red else "",
        f"ended by {one.end}" if one.end else "",
    ]
    return ", ".join(filter(None, parts))
