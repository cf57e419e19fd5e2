"""A turn of a session that may change files: it runs until the model answers without a tool call or submits, then tests
for regressions.

The tests only show that no passing test breaks; `/prove` runs the full proof. The loop is based on ReAct (arXiv
2210.03629), and the build and plan modes are based on OpenCode.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING

from agent.engine.loop import is_answer, is_submission, loop
from agent.engine.proof_step import start_turn_suite
from agent.prompts.opening_prompt import turn_prompt
from agent.run_state.attempt_outcome import Outcome
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
STAYS = True
PLANNED = "[Build mode: files may be changed again.]"
AGAIN = (
    "Fix it. If the user asked for exactly this change, say so and stop: a reply without a tool call ends your turn."
)
ROUNDS = 2


def _is_end(step: Step) -> bool:
    return is_answer(step) or is_submission(step)


def _start_suite(task: Task, step: Step) -> Generator[Step, None, None]:
    """Start the tests without the change at the first change."""
    if step.tree != task.branch.start:
        start_turn_suite(task.branch)
    yield from ()


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask and act until the model is done; then run the tests if files were changed. A regression or
    a new test that fails is reported to the model once."""
    yield task.say(turn_prompt(task.branch, after_plan=PLANNED))
    verdict, proven, sent_back = Verdict(), "", 0
    while True:
        yield from loop(task.branch, _is_end, nudge=(), after=partial(_start_suite, task))
        # Otherwise nothing was changed, or the model kept the files that were already tested.
        if task.tree not in (task.branch.start, proven):
            task.note("phase", "test")
            verdict = yield from task.prove(reproduces=False)
            proven = task.tree
            if (verdict.no_loss is False or verdict.new_failures) and sent_back < min(
                ROUNDS, task.turn.settings.rounds
            ) - 1:
                sent_back += 1
                yield task.say(AGAIN)
                continue
        if task.branch.has_mail:  # the user sent a message while the tests ran
            continue
        if task.tree == task.branch.start:
            return Outcome(task.tree, Verdict(), "answered")
        return Outcome(task.tree, verdict)
