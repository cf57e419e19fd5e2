"""A turn of a session that may change files: until the model answers in words or submits; then what passed before must
still pass. That shows no loss and no more: `/prove` runs the whole proof. The loop is ReAct's (arXiv 2210.03629), the
modes build and plan are OpenCode's.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.loop import answered, loop, submitted
from agent.moves.asked import asked
from agent.outcome import Outcome
from trajectories.records import Verdict

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
STAYS = True
PLANNED = "[Build mode: files may be changed again.]"
AGAIN = (
    "Mend it. Where what the user asks for is just that, say so and stop: a reply without a tool call ends your turn."
)
ROUNDS = 2


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask, act, until the model has no more to do; then the tests, if files were changed. A loss goes back once."""
    yield task.say(asked(task, after_plan=PLANNED))
    verdict, proven, sent_back = Verdict(), "", 0
    while True:
        yield from loop(task, lambda step: answered(step) or submitted(step), nudge=())
        if task.tree not in (task.start, proven):  # else there is nothing to lose, or the model stands by it
            task.note("phase", "test")
            verdict = yield from task.prove(reproduces=False)
            proven = task.tree
            if verdict.no_loss is False and sent_back < min(ROUNDS, task.settings.rounds) - 1:
                sent_back += 1
                yield task.say(AGAIN)
                continue
        if task.has_mail:  # the user said something while the tests ran
            continue
        if task.tree == task.start:
            return Outcome(task.tree, Verdict(), "answered")
        return Outcome(task.tree, verdict)
