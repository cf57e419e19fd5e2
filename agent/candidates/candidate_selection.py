"""Which of several candidates is taken: by the tests that they wrote for each other, by a role that reads where these
disagree, by their own proofs; how many made the same patch comes last.

The agreement of code and tests is CodeT's (arXiv 2207.10397), the reader of the patches Trae Agent's selector
(arXiv 2507.23370). A majority is no evidence where one model makes the same mistake twice.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from aci.trial import some
from agent.best import doubted
from agent.moves.attempting import in_short
from agent.moves.crossing import Matrix, new_tests
from agent.moves.framing import framed, framed_issue
from agent.moves.telling import cut
from agent.moves.voices import LETTERS, Question, letter_of, voices
from agent.outcome import Outcome

if TYPE_CHECKING:
    from agent.moves.attempting import Candidate
    from agent.task import Task
    from trajectories.records import Step

ROLE = "selector"
SHOWN = 8
"""Patches that the selector is shown at most."""
MOST_DIFF, MOST_TEST = 6_000, 3_000
"""Characters that the selector is shown of each patch, and of the tests of each."""
MOST_TELLING, LONGEST_ID = 30, 200
"""Tests that it is told of, and characters of a test's name."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidate and the share of all attempts' tests that it passes; None where there are none that count, or none
    were run, as it is not `compared`."""

    candidate: Candidate
    share: float | None
    compared: bool = True

    @property
    def key(self) -> tuple[object, ...]:
        """Orders candidates, the best last: what is proven before what is not."""
        one = self.candidate
        share = 1.0 if self.share is None else self.share
        lossless, verified = one.verdict.no_loss is not False, one.verdict.verified
        return lossless, verified, round(share, 3), one.verdict.rank, len(one.alike), -len(one.patch.source)

    def __str__(self) -> str:
        none = "nobody wrote a test that counts" if self.compared else "no other patch to compare it with"
        told = none if self.share is None else f"{self.share:.0%} of all tests pass"
        votes = f", made {len(self.candidate.alike)} times" if len(self.candidate.alike) > 1 else ""
        return f"{self.candidate.name}: {told}, {in_short(self.candidate)}{votes}"


def ranked(candidates: Sequence[Candidate], matrix: Matrix) -> list[Standing]:
    """The best first; of equals the earlier one."""
    found = [Standing(one, matrix.share(one.name), bool(matrix.authors)) for one in candidates]
    return sorted(found, key=lambda standing: standing.key, reverse=True)


def selected(
    task: Task, candidates: Sequence[Candidate], matrix: Matrix, name: str = "select"
) -> Generator[Step, None, tuple[Candidate, bool]]:
    """The candidate to go on with, and whether nothing speaks for another. A model is asked only where tests contradict
    it: another candidate passes one that it fails."""
    standings = ranked(candidates, matrix)
    for standing in standings:
        against = _against(matrix, standing.candidate)
        task.note("score", str(standing), share=standing.share, tree=standing.candidate.tree, against=against)
    best = standings[0].candidate
    if not matrix.failed(best.name):
        return best, True
    if task.settings.model:
        likely = [
            one.candidate for one in standings if one.candidate.verdict.no_loss is not False or one is standings[0]
        ]
        likely = likely[:SHOWN]
        [said] = yield from voices(task, [Question(name, ROLE, _asked(task, likely, matrix))])
        place = letter_of(said, len(likely))
        if place is not None:
            task.note("vote", f"The selector takes {likely[place].name}.", tree=likely[place].tree, against="")
            return likely[place], True
        task.note("vote", "The selector takes none.")
    return best, False


def taken(
    task: Task, one: Candidate, matrix: Matrix | None = None, sure: bool = True
) -> Generator[Step, None, Outcome]:
    """End with a candidate: its files, and what its proof said. Where it is not `sure`, the tests of others that it
    fails are a doubt, and it is not called verified."""
    yield task.adopt(one.tree, f"Taken: {one.name}, {in_short(one)}.", author=ROLE)
    note = _against(matrix, one) if matrix else ""
    if note and sure:
        return Outcome(one.tree, replace(one.verdict, notes=(note, *one.verdict.notes)), one.end)
    return Outcome(one.tree, doubted(one.verdict, note), one.end)


def _against(matrix: Matrix, one: Candidate) -> str:
    failed = matrix.failed(one.name)
    return f"Tests that another attempt wrote, and passes, fail with it: {some(failed)}." if failed else ""


def _asked(task: Task, candidates: Sequence[Candidate], matrix: Matrix) -> str:
    """The issue, each patch with its tests, and which test passes with which patch."""
    letters = dict(zip([one.name for one in candidates], LETTERS, strict=False))
    parts = [framed_issue(task.issue)]
    for one in candidates:
        files = new_tests(task, one.tree)
        tests = "\n".join(task.trees.read(one.tree, path).decode("utf-8", "replace") for path in files)
        parts.append(f"Patch {letters[one.name]}:\n{framed(cut(one.patch.source, MOST_DIFF))}")
        parts.append(f"The tests that came with it:\n{framed(cut(tests, MOST_TEST))}" if tests else "")
    for test in _in_turn(matrix.telling)[:MOST_TELLING]:
        author, _, id = test.partition(": ")
        whose = "".join(f" (of {letters[one.name]})" for one in candidates if author in one.alike)
        passes = [letters[one.name] for one in candidates if test in matrix.passed[one.name]]
        fails = [
            f"{letters[one.name]}{_because(matrix, one, test)}" for one in candidates if letters[one.name] not in passes
        ]
        before = ", without a patch too" if test in matrix.green else ""
        parts.append(f"{framed(id[:LONGEST_ID])}{whose}: passes with {_and(passes)}{before}, fails with {_and(fails)}.")
    if len(matrix.telling) > MOST_TELLING:
        parts.append(f"… and {len(matrix.telling) - MOST_TELLING} tests more.")
    parts.append("Which patch solves the issue?")
    return "\n\n".join(filter(None, parts))


def _in_turn(tests: Sequence[str]) -> list[str]:
    """One test of each writer, then another of each."""
    of_writer: dict[str, list[str]] = {}
    for test in tests:
        of_writer.setdefault(test.partition(": ")[0], []).append(test)
    return [test for turn in zip_longest(*of_writer.values()) for test in turn if test is not None]


def _because(matrix: Matrix, one: Candidate, test: str) -> str:
    why = matrix.why.get(one.name, {}).get(test, "")
    return f" ({framed(why)})" if why else ""


def _and(letters: Sequence[str]) -> str:
    return ", ".join(letters) or "none"
