"""Selection of a candidate by its proof, the tests of all attempts, a model that reads the patches if tests disagree,
and the number of attempts that made the same patch.

The use of tests and patches to check each other is based on CodeT (arXiv 2207.10397), and the selector role on the
selector of Trae Agent (arXiv 2507.23370). A majority is weak evidence, since one model may repeat a mistake.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text
from aci.proof.proof_run import format_names
from agent.candidates.attempt_summary import cut
from agent.candidates.cross_test_matrix import Matrix, new_tests
from agent.candidates.diverse_attempts import summarise_candidate
from agent.candidates.role_questions import LETTERS, Question, ask_roles, parse_letter
from agent.engine.proof_step import with_doubt
from agent.engine.run_memory import run_memory
from agent.prompts.quotation import framed_issue
from agent.run_state.attempt_outcome import Outcome
from trajectories.facts import Fact

if TYPE_CHECKING:
    from agent.candidates.diverse_attempts import Candidate
    from agent.engine.task import Task
    from trajectories.records import Step

ROLE = "selector"
SHOWN = 8
"""Maximum number of patches that the selector is shown."""
MOST_DIFF, MOST_TEST = 6_000, 3_000
"""Maximum number of characters of each patch and of each attempt's tests that the selector is shown."""
MOST_DECISIVE, LONGEST_ID = 30, 200
"""Maximum number of tests that the selector is shown, and of characters of a test's name."""


@dataclass(frozen=True, slots=True)
class CandidateScore:
    """A candidate and the share of all attempts' tests that it passes.

    The share is None if no test counts (see `cross_test_matrix`); `compared` is false if no tests were run because
    there was no other candidate.
    """

    candidate: Candidate
    share: float | None
    compared: bool = True

    @property
    def key(self) -> tuple[object, ...]:
        """The sort key of candidates; the best candidate has the highest key."""
        one = self.candidate
        share = 1.0 if self.share is None else self.share
        lossless, complete = one.verdict.no_loss is not False, one.verdict.complete
        return lossless, complete, round(share, 3), one.verdict.rank, len(one.alike), -len(one.patch.source)

    def __str__(self) -> str:
        reason = "no test counts" if self.compared else "no other patch to compare it with"
        result = reason if self.share is None else f"{self.share:.0%} of all tests pass"
        votes = f", made {len(self.candidate.alike)} times" if len(self.candidate.alike) > 1 else ""
        return f"{self.candidate.name}: {result}, {summarise_candidate(self.candidate)}{votes}"


def rank_candidates(candidates: Sequence[Candidate], matrix: Matrix) -> list[CandidateScore]:
    """Return the candidates' scores, best first; ties keep the order of the candidates."""
    found = [CandidateScore(one, matrix.share(one.name), bool(matrix.authors)) for one in candidates]
    return sorted(found, key=lambda score: score.key, reverse=True)


def select_candidate(
    task: Task, candidates: Sequence[Candidate], matrix: Matrix, name: str = "select"
) -> Generator[Step, None, tuple[Candidate, bool]]:
    """Return the best candidate, and whether the choice is sure: no test contradicts it, or the selector made it.

    The selector is asked only if another candidate passes a test that the best one fails.
    """
    scores = rank_candidates(candidates, matrix)
    for score in scores:
        one = score.candidate
        against = _failed_tests_note(matrix, one)
        task.note("score", str(score), share=score.share, tree=one.tree, against=against, alike=list(one.alike))
    best = scores[0].candidate
    if not matrix.failed(best.name):
        return best, True
    if task.turn.settings.model:
        likely = [one.candidate for one in scores if one.candidate.verdict.no_loss is not False or one is scores[0]]
        likely = likely[:SHOWN]
        changes = "\n".join(one.patch.source for one in likely)
        advice = run_memory().lessons(task.branch, name, changes)
        [said] = yield from ask_roles(task, [Question(name, ROLE, _selection_question(task, likely, matrix, advice))])
        place = parse_letter(said, len(likely))
        if place is not None:
            chosen = likely[place]
            task.note("vote", f"The selector chooses {chosen.name}.", tree=chosen.tree, against="")
            return chosen, True
        task.note("vote", "The selector chooses none.")
    return best, False


def adopt_candidate(
    task: Task, one: Candidate, matrix: Matrix | None = None, sure: bool = True
) -> Generator[Step, None, Outcome]:
    """End the task with a candidate's files and the verdict of its proof.

    If the choice is not `sure` and the candidate fails tests of other attempts, it does not count as verified.
    """
    yield task.adopt(one.tree, f"Chosen: {one.name}, {summarise_candidate(one)}.", author=ROLE)
    note = _failed_tests_note(matrix, one) if matrix else ""
    if note and sure:
        return Outcome(one.tree, replace(one.verdict, facts=(Fact("limit", note), *one.verdict.facts)), one.end)
    return Outcome(one.tree, with_doubt(one.verdict, note), one.end)


def _failed_tests_note(matrix: Matrix, one: Candidate) -> str:
    failed = matrix.failed(one.name)
    return f"It fails tests of another attempt that the other passes: {format_names(failed)}." if failed else ""


def _selection_question(task: Task, candidates: Sequence[Candidate], matrix: Matrix, advice: str) -> str:
    """Return the selector's prompt: the issue, each patch with its tests, which patches pass each test, and advice."""
    letters = dict(zip([one.name for one in candidates], LETTERS, strict=False))
    parts = [framed_issue(task.turn.issue)]
    for one in candidates:
        files = new_tests(task, one.tree)
        tests = "\n".join(task.trees.read(one.tree, path).decode("utf-8", "replace") for path in files)
        parts.append(f"Patch {letters[one.name]}:\n{quote_text(cut(one.patch.source, MOST_DIFF))}")
        parts.append(f"Its tests:\n{quote_text(cut(tests, MOST_TEST))}" if tests else "")
    for test in _interleave(matrix.distinguishing_tests)[:MOST_DECISIVE]:
        author, _, id = test.partition(": ")
        author_note = "".join(f" (of {letters[one.name]})" for one in candidates if author in one.alike)
        passes = [letters[one.name] for one in candidates if test in matrix.passed[one.name]]
        fails = [
            f"{letters[one.name]}{_failure_reason(matrix, one, test)}"
            for one in candidates
            if letters[one.name] not in passes
        ]
        before = ", without a patch too" if test in matrix.green else ""
        parts.append(
            f"{quote_text(id[:LONGEST_ID])}{author_note}: passes with {_join_letters(passes)}{before}, "
            f"fails with {_join_letters(fails)}."
        )
    if len(matrix.distinguishing_tests) > MOST_DECISIVE:
        parts.append(f"… and {len(matrix.distinguishing_tests) - MOST_DECISIVE} more tests.")
    parts += [advice, "Which patch solves the issue?"]
    return "\n\n".join(filter(None, parts))


def _interleave(tests: Sequence[str]) -> list[str]:
    """Interleave the tests by author: the first test of each author, then the second of each, and so on."""
    of_writer: dict[str, list[str]] = {}
    for test in tests:
        of_writer.setdefault(test.partition(": ")[0], []).append(test)
    return [test for turn in zip_longest(*of_writer.values()) for test in turn if test is not None]


def _failure_reason(matrix: Matrix, one: Candidate, test: str) -> str:
    why = matrix.why.get(one.name, {}).get(test, "")
    return f" ({quote_text(why)})" if why else ""


def _join_letters(letters: Sequence[str]) -> str:
    return ", ".join(letters) or "none"
