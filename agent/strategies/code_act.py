"""Code is the action: a block of Python or shell in each reply, run in an interpreter and a shell that stay."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.loop import loop
from agent.moves.blocks import acted_by
from agent.moves.opening import likely_sources, opening
from agent.moves.reproduction import given_tests
from trajectories.records import Observation

if TYPE_CHECKING:
    from agent.outcome import Outcome
    from agent.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
PROMPTS = ("test_then_patch", "code_act")
SOURCE = "CodeAct (arXiv 2402.01030), OpenHands (arXiv 2407.16741)"
WHEN = "the model is better at writing code than at calling tools, or its provider knows none"
NUDGE = "Your reply had no block of code, so nothing happened. Write one, or a `submit` block when the issue is solved."


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """A block a reply, until one hands the work in; what the proof is against comes back."""
    given = yield from given_tests(task)
    yield task.say(task.once("opening", lambda: opening(task)))
    for number in range(task.settings.rounds):
        yield from loop(task, nudge=(Observation(NUDGE, ok=False),), written=acted_by)
        verdict = yield from task.prove(given, likely_sources(task))
        if verdict.verified:
            break
        if number + 1 < task.settings.rounds:
            yield task.say(task.prompt("again"))
    return task.best()
