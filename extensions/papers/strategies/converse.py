"""A conversation with feedback: failures and all wrong patches so far go back to the model.

Partial fixes are kept, and a patch that passes is compared with an alternative.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text
from aci.proof.evidence import find_test_file
from aci.repository.test_files import belongs_to_tests
from aci.runtime.workspace import HARNESS_SESSION
from agent.candidates.attempt_summary import MOST_PATCH, attempt_summary, cut
from agent.candidates.candidate_selection import adopt_candidate, select_candidate
from agent.candidates.cross_test_matrix import new_tests, run_cross_tests, run_reported_tests
from agent.candidates.diverse_attempts import (
    FILES_OF_BASE,
    Candidate,
    attempt,
    attempts,
    candidate,
    summarise_candidate,
    variant_for,
)
from agent.candidates.patch_deduplication import deduplicate
from agent.engine.loop import is_answer, is_submission, loop
from agent.engine.permission_checks import Scope
from agent.engine.proof_step import expect_proof
from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import likely_sources, opening
from agent.run_state.attempt_outcome import Outcome
from extensions.papers.step_rewind import rewind_to

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ("coder",)
MAY_ASK = ("selector",)
PROMPTS = ("test_then_patch", "best_of", "converse")
SOURCE = "ChatRepair (arXiv 2304.00385), ITER (arXiv 2304.12015), RepairAgent (arXiv 2403.17134)"
WHEN = "failing tests exist, and the first patch is often nearly right"
READING = "nothing may be changed until you have explained the fault in words"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Ask for an explanation of the fault, then for patches until one is proven; each patch starts from the
    explanation, with feedback on the earlier patches."""
    given = yield from given_tests(task)
    expect_proof(task.branch, given, likely_sources(task.branch))
    start = task.tree
    task.note("phase", "understand")
    task.branch.scope = Scope(nothing=True, because=READING)
    yield task.say(f"{task.once('opening', lambda: opening(task.branch))}\n\n{task.prompt('understand')}")
    yield from loop(task.branch, is_answer, nudge=())
    task.branch.scope = Scope(task.turn.settings.subtree)
    understood = task.branch.steps[-1].n
    wrong: list[Candidate] = []
    best = Left(start)
    for number in range(task.turn.settings.rounds):
        task.note("phase", f"patch {number + 1}")
        if wrong:
            yield rewind_to(task, understood, best.tree, _feedback(task, wrong, best, start), "feedback")
        else:
            yield task.say(task.prompt("patch"))
        yield from loop(task.branch)
        verdict = yield from task.prove(given, likely_sources(task.branch))
        found = candidate(task, f"patch-{number + 1}", Outcome(task.tree, verdict))
        task.note("candidate", f"{found.name}: {summarise_candidate(found)}")
        if verdict.complete:
            return (yield from _compare_alternative(task, found, given, start))
        wrong.append(found)
        best = _better(task, best, found, given)
    return task.best()


@dataclass(frozen=True, slots=True)
class Left:
    """The files to continue from, and, for a partial fix, the tests that still fail with them."""

    tree: str
    failing: tuple[str, ...] = ()


def _better(task: Task, best: Left, found: Candidate, given: Sequence[str]) -> Left:
    """Return the new patch as the one to continue from if it fixes some failing tests and breaks none; otherwise return
    the previous best. Without `given` tests, those of the patch count: `verdict.tests` lists only the fixed ones."""
    tests = given or _tests_of_patch(task, found)
    if found.verdict.no_loss is False or not tests:
        return best
    compared = task.once(f"partial fix {found.name}", lambda: _compare(task, best.tree, found.tree, tests))
    fixed, failing = set(compared["after"]) - set(compared["before"]), tuple(compared["failing"])
    if not fixed or not failing or not set(compared["before"]) <= set(compared["after"]):
        return best
    task.note("score", f"{found.name} fixes {len(fixed)} of {len(fixed) + len(failing)} tests")
    return Left(found.tree, failing)


def _tests_of_patch(task: Task, found: Candidate) -> list[str]:
    """Return the test files that a patch adds, and those of the tests that it fixes."""
    fixed = {find_test_file(test, task.trees.files(found.tree)) for test in found.verdict.tests}
    return sorted({*new_tests(task, found.tree), *fixed} - {""})


def _compare(task: Task, before: str, after: str, tests: Sequence[str]) -> dict[str, list[str]]:
    """Run the tests of the tree `after` with the source of both trees. Return those that pass with each, and those that
    fail with `after`."""
    changed = [change.path for change in task.trees.changed(before, after) if belongs_to_tests(change.path)]
    with closing(task.branch.place.fork(after)) as workspace:
        workspace.expect(HARNESS_SESSION)
        trees = task.trees.overlay(before, after, changed), after
        reports = [run_reported_tests(task, workspace, tree, tests) for tree in trees]
    passed = [list(report.passed) if report else [] for report in reports]
    return {"before": passed[0], "after": passed[1], "failing": list(reports[1].failed) if reports[1] else []}


def _feedback(task: Task, wrong: Sequence[Candidate], best: Left, start: str) -> str:
    """Return the feedback on these patches, which asks the model to continue from a partial fix or to start again."""
    patches = "\n\n".join(attempt_summary(one) for one in wrong)
    if best.tree == start:
        return f"{patches}\n\n{task.prompt('anew')}"
    kept = next(one.name for one in wrong if one.tree == best.tree)
    left = quote_text("\n".join(f"- {test}" for test in best.failing))
    return f"{patches}\n\n{task.prompt('partly', kept=kept, left=left)}"


def _is_decision(step: Step) -> bool:
    """Return whether the step submits another patch or answers that the current one is right."""
    return is_submission(step) or is_answer(step)


def _compare_alternative(
    task: Task, found: Candidate, given: tuple[str, ...], start: str
) -> Generator[Step, None, Outcome]:
    """Return the proven patch, or a better alternative that the model makes after seeing the first one."""
    outcome = Outcome(found.tree, found.verdict)
    if task.turn.settings.attempts < 2:
        return outcome
    task.note("phase", "another")
    tests = f"Its tests:\n{quote_text(cut(found.patch.tests, MOST_PATCH))}" if found.patch.tests else ""
    words = "\n\n".join(filter(None, [attempt_summary(found), tests, task.prompt("another")]))
    alternative = attempt(
        task, "another", given, variant_for(0), words, tree=start, left=FILES_OF_BASE, until=_is_decision
    )
    others = yield from attempts(task, [alternative])
    known = deduplicate(task, [found, *others])
    if len(known) < 2:
        return outcome
    matrix = run_cross_tests(task, known)
    chosen, sure = yield from select_candidate(task, known, matrix)
    return (yield from adopt_candidate(task, chosen, matrix, sure))
