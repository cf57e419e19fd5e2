"""A population of attempts: the worst are revised, the best refined, and good ones combined."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text
from aci.repository.tree_merge import merge_trees
from agent.candidates.attempt_summary import attempt_summary, describe_attempts
from agent.candidates.candidate_selection import CandidateScore, adopt_candidate, rank_candidates
from agent.candidates.cross_test_matrix import new_tests, run_cross_tests, source_only_tree
from agent.candidates.diverse_attempts import Candidate, attempt, attempts, variant_for
from agent.candidates.patch_deduplication import deduplicate
from agent.phases.user_reproduction import given_tests
from agent.run_state.rewind import summarise_attempts

if TYPE_CHECKING:
    from agent.engine.parallel_attempts import Attempt
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

ROLES = ("coder",)
PROMPTS = ("test_then_patch", "evolve")
SOURCE = "SE-Agent (arXiv 2508.02085)"
WHEN = "attempts fail in different ways, each with a part of the solution"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Make initial attempts, then generations derived from them, until an attempt is proven; the best ones survive."""
    given = yield from given_tests(task)
    population: list[Candidate] = []
    every: list[Candidate] = []
    scores: list[CandidateScore] = []
    matrix = None
    for number in range(task.turn.settings.rounds):
        task.note("phase", f"generation {number + 1}")
        planned = _next_generation(task, given, number, scores) if scores else _first(task, given, number)
        born = yield from attempts(task, planned)
        every += born
        population = deduplicate(task, [*population, *born])
        if not population:
            continue
        matrix = run_cross_tests(task, population, f"cross tests {number + 1}", every, matrix)
        scores = rank_candidates(population, matrix)[: task.turn.settings.attempts]
        for score in scores:
            task.note("score", str(score), share=score.share)
        population = [score.candidate for score in scores]
        if population[0].verdict.complete and not matrix.failed(population[0].name):
            break
    if not population:
        return task.best()
    return (yield from adopt_candidate(task, population[0], matrix, sure=False))


def _first(task: Task, given: Sequence[str], number: int) -> list[Attempt]:
    names = [f"born-{number + 1}-{at + 1}" for at in range(task.turn.settings.attempts)]
    return [attempt(task, name, given, variant_for(at)) for at, name in enumerate(names)]


def _next_generation(task: Task, given: Sequence[str], number: int, scores: Sequence[CandidateScore]) -> list[Attempt]:
    """Return one attempt for each operator: refining the best candidate, combining the two best, and revising the
    worst."""
    parents = [score.candidate for score in scores]
    best, worst = parents[0], parents[-1]
    words = f"{_trajectory(task, worst)}\n\n{attempt_summary(worst)}\n\n{task.prompt('revise')}"
    bred: list[tuple[tuple[Candidate, ...], Attempt]] = [
        (
            (best,),
            attempt(
                task,
                f"refined-{number + 1}",
                given,
                variant_for(0),
                describe_attempts(task, parents, 0),
                tree=best.tree,
            ),
        ),
        ((worst,), attempt(task, f"revised-{number + 1}", given, variant_for(number), words)),
    ]
    if len(parents) > 1:
        child = _combine(task, f"crossed-{number + 1}", given, best, parents[1])
        bred.insert(1, ((best, parents[1]), child))
    bred = bred[: task.turn.settings.attempts]
    for of, one in bred:
        task.note(
            "summary", f"{one.branch.name.rpartition('/')[2]} is derived from {' and '.join(each.name for each in of)}"
        )
    return [one for _, one in bred]


def _combine(task: Task, name: str, given: Sequence[str], one: Candidate, other: Candidate) -> Attempt:
    """Return an attempt that starts with the changes of two others, except those that conflict."""
    base = task.turn.base.tree
    both = merge_trees(task.trees, base, one.tree, source_only_tree(task, other.tree))
    tests = [path for path in new_tests(task, other.tree) if path not in new_tests(task, one.tree)]
    tree = task.trees.overlay(both.tree, other.tree, tests)
    words = [_trajectory(task, one), attempt_summary(one), _trajectory(task, other), attempt_summary(other)]
    words.append(task.prompt("cross", conflicts=", ".join(both.paths) or "none"))
    return attempt(task, name, given, variant_for(0), "\n\n".join(words), tree=tree)


def _trajectory(task: Task, one: Candidate) -> str:
    """Return a summary of what an attempt did."""
    steps = task.branch.engine.trajectory.steps.get(f"{task.branch.name}/{one.name}", [])
    return f"What {one.name} did: {quote_text(summarise_attempts(steps)) or 'nothing visible'}."
