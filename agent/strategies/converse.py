"""A conversation with the failing tests: what failed, and every wrong patch so far, goes back; what helps a part of the
way stays, and a patch that passes is compared with another."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.workspace import OURS
from agent.loop import answered, loop, submitted
from agent.moves.attempting import AS_BEFORE, Candidate, attempt, attempts, candidate, in_short, manner
from agent.moves.crossing import crossed, ran
from agent.moves.framing import framed
from agent.moves.opening import likely_sources, opening
from agent.moves.pruning import pruned
from agent.moves.reproduction import given_tests
from agent.moves.returning import back_to
from agent.moves.selecting import selected, taken
from agent.moves.telling import MOST_PATCH, cut, told
from agent.outcome import Outcome
from agent.scope import Scope

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
MAY_ASK = ("selector",)
PROMPTS = ("test_then_patch", "best_of", "converse")
SOURCE = "ChatRepair (arXiv 2304.00385), ITER (arXiv 2304.12015), RepairAgent (arXiv 2403.17134)"
WHEN = "tests that fail are there, and the first patch is often nearly right"
READING = "until you have said in words what is wrong, nothing is changed"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Understand, then patches until one is proven; each begins where understanding ended, told of those before it."""
    given = yield from given_tests(task)
    start = task.tree
    task.note("phase", "understand")
    task.scope = Scope(nothing=True, because=READING)
    yield task.say(f"{task.once('opening', lambda: opening(task))}\n\n{task.prompt('understand')}")
    yield from loop(task, answered, nudge=())
    task.scope = Scope(task.settings.subtree)
    understood = task.steps[-1].n
    wrong: list[Candidate] = []
    best = Left(start, tuple(task.once("failing", lambda: _failing(task, start, given))))
    for number in range(task.settings.rounds):
        task.note("phase", f"patch {number + 1}")
        if wrong:
            yield back_to(task, understood, best.tree, _feedback(task, wrong, best, start), "feedback")
        else:
            yield task.say(task.prompt("patch"))
        yield from loop(task)
        verdict = yield from task.prove(given, likely_sources(task))
        found = candidate(task, f"patch-{number + 1}", Outcome(task.tree, verdict))
        task.note("candidate", f"{found.name}: {in_short(found)}")
        if verdict.verified:
            return (yield from _beside_another(task, found, given, start))
        wrong.append(found)
        best = _better(task, best, found, given)
    return task.best()


@dataclass(frozen=True, slots=True)
class Left:
    """The files to go on from, and which tests that show the issue fail there."""

    tree: str
    failing: tuple[str, ...] = ()


def _better(task: Task, best: Left, found: Candidate, given: Sequence[str]) -> Left:
    """The patch to go on from, if it mends some of the tests that failed without it, and loses none; else as before."""
    before = best.failing or found.verdict.tests
    if found.verdict.no_loss is False or not before:
        return best
    tests = given or found.verdict.tests
    still = task.once(f"failing after {found.name}", lambda: _failing(task, found.tree, tests))
    left = tuple(test for test in before if test in still)
    if not 0 < len(left) < len(before):
        return best
    task.note("score", f"{found.name} mends {len(before) - len(left)} of {len(before)} tests")
    return Left(found.tree, left)


def _failing(task: Task, tree: str, tests: Sequence[str]) -> list[str]:
    """Which of the tests fail on a tree, as far as anybody can tell."""
    if not tests:
        return []
    with closing(task.engine.fork(tree, task.cancel)) as workspace:
        workspace.expect(OURS)
        report = ran(task, workspace, tree, tests)
    return list(report.failed) if report else []


def _feedback(task: Task, wrong: Sequence[Candidate], best: Left, start: str) -> str:
    """What to do after these patches: go on from the one that helps a part of the way, or begin anew."""
    patches = "\n\n".join(told(one) for one in wrong)
    if best.tree == start:
        return f"{patches}\n\n{task.prompt('anew')}"
    kept = next(one.name for one in wrong if one.tree == best.tree)
    left = framed("\n".join(f"- {test}" for test in best.failing))
    return f"{patches}\n\n{task.prompt('partly', kept=kept, left=left)}"


def _said(step: Step) -> bool:
    """Whether it has another patch, or finds in words that the one that is there is right."""
    return submitted(step) or answered(step)


def _beside_another(task: Task, found: Candidate, given: tuple[str, ...], start: str) -> Generator[Step, None, Outcome]:
    """The patch that is proven, or another that its model makes of the issue knowing this one and stands up better."""
    outcome = Outcome(found.tree, found.verdict)
    if task.settings.attempts < 2:
        return outcome
    task.note("phase", "another")
    tests = f"Its tests:\n{framed(cut(found.patch.tests, MOST_PATCH))}" if found.patch.tests else ""
    words = "\n\n".join(filter(None, [told(found), tests, task.prompt("another")]))
    made = attempt(task, "another", given, manner(0), words, tree=start, left=AS_BEFORE, until=_said)
    others = yield from attempts(task, [made])
    known = pruned(task, [found, *others])
    if len(known) < 2:
        return outcome
    matrix = crossed(task, known)
    chosen, sure = yield from selected(task, known, matrix)
    return (yield from taken(task, chosen, matrix, sure))
