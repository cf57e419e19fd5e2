"""Code as action: each reply has a block of Python or shell, run in a persistent interpreter and shell."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.engine.loop import loop
from agent.engine.proof_step import expect_proof
from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import likely_sources, opening
from extensions.papers.answer_blocks import parse_action
from trajectories.records import Observation

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ("coder",)
PROMPTS = ("test_then_patch", "code_act")
SOURCE = "CodeAct (arXiv 2402.01030), OpenHands (arXiv 2407.16741)"
WHEN = "the model is better at writing code than at calling tools, or its provider supports none"
NUDGE = "Your reply contained no code block, so nothing ran. Write one, or a `submit` block when the issue is solved."


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Run one code block per reply until the model submits; the result of a failed proof goes back to the model."""
    given = yield from given_tests(task)
    expect_proof(task.branch, given, likely_sources(task.branch))
    yield task.say(task.once("opening", lambda: opening(task.branch)))
    for number in range(task.turn.settings.rounds):
        yield from loop(task.branch, nudge=(Observation(NUDGE, ok=False),), written=parse_action)
        verdict = yield from task.prove(given, likely_sources(task.branch))
        if verdict.complete:
            break
        if number + 1 < task.turn.settings.rounds:
            yield task.say(task.prompt("again"))
    return task.best()
