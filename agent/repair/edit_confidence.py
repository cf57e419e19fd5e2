"""Marks of plausible edits: factors by which their text and their answers reduce the confidence in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aci.repair.candidate_answers import LATE, AnswerInput, CandidateAnswers
from aci.repair.candidate_evaluator import Candidate
from agent.repair.edit_overfitting import special_case, stops_recursion

SPECIAL = 0.2
"""Factor for an edit that is tailored to the tests' own values."""
STRANGE, LOST = 0.4, 0.8
"""Confidence lost if all answers have a type that no passing test has seen, and if none of the previously executed
lines runs: edits that delete functionality pass weak tests (Qi et al., 2015)."""
HALF, LEAST = 0.5, 0.01
"""If the tests failed only by crashes: the factor for each changed answer that was not a crash, and its lower bound. A
fix of a crash hardly ever changes answers that were not crashes, however small their share of the calls is. For a few
bugs, however, the crash is only the visible part."""
ENDLESS = 0.2
"""If calls did not terminate: the factor for an edit with which more calls do not terminate than with an edit that
changes no sound answer. No call is meant to run forever, while other crashes may be the intended answer to a made-up
input."""
STOPPED = 0.1
"""If the tests failed only by crashes: the factor for an edit that removes a function's recursion."""
UNSHOWN = 0.1
"""Factor for an edit that changes no answer to a call of the failing tests, while other edits do: it passed by luck."""
ACCIDENTS = frozenset(
    f"!{name}"
    for name in (
        *("late", "IndexError", "TypeError", "AttributeError", "ZeroDivisionError", "RecursionError", "KeyError"),
        *("NameError", "UnboundLocalError", "MemoryError", "RuntimeError", "StopIteration"),
    )
)
"""Answers that are mostly unintended. Exceptions that the repository's own code raises have a digest and are not listed
here."""
NEVER = frozenset((LATE, "!RecursionError"))
"""Answers of calls that do not terminate."""
SEVERAL = 0.25
"""Factor for an edit of two places: most faults are in one place."""
ENOUGH, VOUCHED = 12, 3
"""Minimum number of answered variants of failing inputs from which unchanged answers count against an edit, and minimum
number of calls of passing tests from which their types are assumed to be all types."""

Row = tuple[AnswerInput, str, str]
"""A call, and the answers of the base and of a hit."""


@dataclass(slots=True)
class AnswerCheck:
    """The evidence on one hit.

    `answered`: the hit gave at least one answer. `pinned`: the number of different calls of the failing tests that it
    fixes. `special`: why it seems to be tailored to the values in these tests. `mark`: the factor for the confidence in
    it.
    """

    answered: bool
    pinned: int
    special: str = ""
    mark: float = 1.0


def check_hits(
    hits: Sequence[Candidate], answers: CandidateAnswers, files: Mapping[str, bytes], hints: Sequence[str]
) -> list[AnswerCheck]:
    """Check each hit. A hit without answers gets the average mark of the others."""
    looks = []
    least = _least_endless(answers)
    for index, hit in enumerate(hits):
        data, pinned = files.get(hit.path, b""), _pinned(answers, index)
        look = AnswerCheck(index not in answers.silent and (not answers.inputs or any(answers.given[index])), pinned)
        look.special = special_case(hit, data, {*_seen(answers, index), *(() if pinned else hints)})
        if look.answered:
            look.mark = _mark(answers, index, least, stops_recursion(hit, data))
        looks.append(look)
    if any(look.pinned for look in looks):
        for index, look in enumerate(looks):
            look.mark *= UNSHOWN if not look.pinned and any(_is_seen(one) for one, _, _ in _rows(answers, index)) else 1
    usual = [look.mark for look in looks if look.answered]
    for look, hit in zip(looks, hits, strict=True):
        if not look.answered and usual:
            look.mark = sum(usual) / len(usual)
        look.mark *= (SPECIAL if look.special else 1.0) * _several(hit)
    return looks


def _seen(answers: CandidateAnswers, index: int) -> set[str]:
    """Return the calls of failing tests, and a hit's answers to them, as text."""
    rows = zip(answers.inputs, answers.given[index], strict=True)
    known = [(one.text, answers.text(answer)) for one, answer in rows if _is_seen(one) and answer]
    return {text for pair in known for text in pair}


def _mark(answers: CandidateAnswers, index: int, least: int | None, stopped: bool) -> float:
    """Return the factor for the confidence in a hit, based on its changes to the base's answers.

    `least`: the minimum number of endless calls with an edit that changes no sound answer. `stopped`: it removes a
    recursion.
    """
    rows = _rows(answers, index)
    near = [row for row in rows if row[0].made and row[0].failing]
    mark = 1.0
    if len(near) >= ENOUGH and all(old == new for _, old, new in near):
        mark *= SPECIAL
    fixed = _fixed(rows)
    if fixed and fixed <= ACCIDENTS:
        mark *= max(LEAST, HALF ** _changed(rows)) * (STOPPED if stopped else 1.0)
    if fixed & NEVER and least is not None and _endless(rows) > least:
        mark *= ENDLESS
    known = [_kind(old) for one, old, _ in rows if not one.failing and not one.made]
    if len(known) >= VOUCHED:
        mark *= 1 - STRANGE * _share(_kind(new) not in known for _, _, new in rows)
    return mark * (1 - LOST * (answers.lost[index] if answers.lost else 0.0))


def _rows(answers: CandidateAnswers, index: int) -> list[Row]:
    """Return the calls that both the base and a hit answered, with their answers."""
    return [row for row in zip(answers.inputs, answers.base, answers.given[index], strict=True) if row[1] and row[2]]


def _is_seen(one: AnswerInput) -> bool:
    """Return whether an input is a call recorded from a failing test."""
    return one.failing and not one.made


def _fixed(rows: Sequence[Row]) -> set[str]:
    """Return the base's answers to calls of failing tests that the hit changes."""
    return {old for one, old, new in rows if _is_seen(one) and old != new}


def _changed(rows: Sequence[Row]) -> int:
    """Count the changed answers that were not accidents."""
    return sum(old != new for _, old, new in rows if old not in ACCIDENTS)


def _endless(rows: Sequence[Row]) -> int:
    """Count the calls that terminate neither with the hit nor on the base."""
    return sum(old in NEVER and new in NEVER for _, old, new in rows)


def _least_endless(answers: CandidateAnswers) -> int | None:
    """Return the minimum number of endless calls with an edit that changes no sound answer; None if there is no such
    edit."""
    every = [_rows(answers, index) for index in range(len(answers.given))]
    return min((_endless(rows) for rows in every if _fixed(rows) and not _changed(rows)), default=None)


def _several(hit: Candidate) -> float:
    return SEVERAL if hit.template == "pair" else 1.0


def _share(of: Iterable[bool]) -> float:
    found = list(of)
    return sum(found) / max(1, len(found))


def _kind(answer: str) -> str:
    """Return the type of a result. Each exception counts as a separate type."""
    return answer.partition(":")[0]


def _pinned(answers: CandidateAnswers, index: int) -> int:
    """Count the different calls of failing tests whose answer the edit changes.

    Calls that the tests make themselves are counted if there are any, otherwise calls of the edited function.
    """
    seen = [(one.entry, one.text) for one, old, new in _rows(answers, index) if _is_seen(one) and old != new]
    own = [text for entry, text in seen if entry]
    return len(set(own or [text for _, text in seen]))
