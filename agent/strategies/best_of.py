"""Parallel attempts: one patch is chosen by running the tests of all attempts; if it is not proven, the best patches
are refined."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from agent.candidates.attempt_summary import describe_attempts
from agent.candidates.candidate_selection import adopt_candidate, select_candidate
from agent.candidates.cross_test_matrix import run_cross_tests
from agent.candidates.diverse_attempts import Candidate, attempt, attempts, variant_for
from agent.candidates.patch_deduplication import deduplicate
from agent.conversation.model_roles import CODER
from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import places
from trajectories.plugins import extension_packages

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ("coder",)
MAY_ASK = ("senior", "selector")
PROMPTS = ("test_then_patch", "best_of")
SOURCE = "Trae Agent (arXiv 2507.23370), CodeT (arXiv 2207.10397)"
WHEN = "quality matters more than cost, or a single attempt is often wrong"
REFINED = 2
"""Number of candidates that are refined in each later round."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Make attempts, run the tests of each attempt against all patches, and choose a patch.

    If the patch is not proven, the best ones are refined, by the more expensive model if there is one. If an edit from
    a template is proven, no model is asked.
    """
    task.note("phase", "localize")
    places(task.branch)
    given = yield from given_tests(task)
    models: list[str] = task.once("models", lambda: task.branch.engine.models.cheapest_first((CODER, "senior")))
    known: list[Candidate] = []
    for module in extension_packages("agent.candidates.sources"):
        known += yield from import_module(module).candidates(task, given)
    every = list(known)
    chosen, matrix, sure = next((one for one in known if one.verdict.complete), None), None, True
    for number in range(0 if chosen else task.turn.settings.rounds):
        role = models[min(number, len(models) - 1)]
        task.note("phase", f"attempt {number + 1}" if not number else f"refine {number}")
        found = yield from (_first(task, given, role) if not number else _refined(task, given, role, number, known))
        task.note("phase", f"compare {number + 1}")
        every += found
        known = deduplicate(task, [*known, *found])
        if not known:
            continue
        matrix = run_cross_tests(task, known, f"cross tests {number + 1}", every, matrix)
        chosen, sure = yield from select_candidate(task, known, matrix, f"select-{number + 1}")
        known.sort(key=lambda one: one is not chosen)
        if chosen.verdict.complete and sure:
            break
    if chosen is None:
        return task.best()
    return (yield from adopt_candidate(task, chosen, matrix, sure))


def _first(task: Task, given: Sequence[str], role: str) -> Generator[Step, None, list[Candidate]]:
    planned = [
        attempt(task, f"try-{at + 1}", given, variant_for(at), role=role) for at in range(task.turn.settings.attempts)
    ]
    return (yield from attempts(task, planned))


def _refined(
    task: Task, given: Sequence[str], role: str, number: int, known: Sequence[Candidate]
) -> Generator[Step, None, list[Candidate]]:
    """Refine the best candidates, each attempt with a summary of all candidates; if there are none, make one more
    attempt."""
    if not known:
        return (yield from attempts(task, [attempt(task, f"refine-{number}-1", given, variant_for(number), role=role)]))
    planned = [
        attempt(
            task, f"refine-{number}-{at + 1}", given, variant_for(0), describe_attempts(task, known, at), role, one.tree
        )
        for at, one in enumerate(known[:REFINED])
    ]
    return (yield from attempts(task, planned))
