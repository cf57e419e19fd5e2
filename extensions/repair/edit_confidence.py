"""Confidence in plausible edits: factors that lower it, based on an edit's text and on its answers to calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from extensions.experiment.evaluator.candidate_answers import LATE, AnswerInput, CandidateAnswers
from extensions.experiment.evaluator.candidate_evaluator import Candidate
from extensions.repair.edit_overfitting import special_case, stops_recursion

SPECIAL = 0.2
"""Factor for an edit that is tailored to the values in the tests."""
STRANGE, LOST = 0.4, 0.8
"""Maximum reductions of the confidence: for answers of types that no passing test has seen, and for executed lines that
no longer run, since edits that delete functionality pass weak tests (Qi et al., 2015)."""
HALF, LEAST = 0.5, 0.01
"""Factor for each changed answer that was not a crash, and the lower bound of the product of these factors, if the
tests failed only because of crashes. A correct fix for a crash rarely changes answers that were not crashes, even for a
small share of the calls. For a few bugs, however, the crash is only one of several symptoms."""
ENDLESS = 0.2
"""Factor for an edit if the failing tests made endless calls, and the edit leaves more calls endless than another edit
that changes no answers except crashes. No call is meant to run forever, whereas other crashes may be the intended
answer to a generated input."""
STOPPED = 0.1
"""Factor for an edit that removes a function's recursion, if the tests failed only because of crashes."""
UNSHOWN = 0.1
"""Factor for an edit that changes no answer to a call of the failing tests although other edits do: it probably passed
by chance."""
ACCIDENTS = frozenset(
    f"!{name}"
    for name in (
        *("late", "IndexError", "TypeError", "AttributeError", "ZeroDivisionError", "RecursionError", "KeyError"),
        *("NameError", "UnboundLocalError", "MemoryError", "RuntimeError", "StopIteration"),
    )
)
"""Answers that are usually unintended: timeouts and exceptions that indicate a bug. Exceptions that the repository's
own code raises do not match these names, since their answers contain a digest."""
NEVER = frozenset((LATE, "!RecursionError"))
"""Answers of calls that do not terminate."""
SEVERAL = 0.25
"""Factor for an edit of two places, since most bugs are in one place."""
ENOUGH, VOUCHED = 12, 3
"""Minimum number of answered variations of failing inputs for unchanged answers to count against an edit, and minimum
number of calls in passing tests for new types of answers to count against it."""

Row = tuple[AnswerInput, str, str]
"""A call, and the answers of the original code and of a plausible edit."""


@dataclass(slots=True)
class AnswerCheck:
    """The evidence about one plausible edit.

    `answered`: whether the edit gave at least one answer. `pinned`: the number of different calls of the failing tests
    whose answers the edit changes. `special`: the reason why the edit seems to be tailored to the values in these
    tests, if any. `mark`: the factor for the confidence in the edit. `stops_code`: whether code that ran before never
    runs with the edit.
    """

    answered: bool
    pinned: int
    special: str = ""
    mark: float = 1.0
    stops_code: bool = False


def check_hits(
    hits: Sequence[Candidate], answers: CandidateAnswers, files: Mapping[str, bytes], hints: Sequence[str]
) -> list[AnswerCheck]:
    """Return the evidence about each plausible edit. An edit without answers gets the average mark of the other
    edits."""
    looks = []
    least = _least_endless(answers)
    for index, hit in enumerate(hits):
        data, pinned = files.get(hit.path, b""), _pinned(answers, index)
        look = AnswerCheck(index not in answers.silent and (not answers.inputs or any(answers.given[index])), pinned)
        look.special = special_case(hit, data, {*_seen(answers, index), *(() if pinned else hints)})
        look.stops_code = bool(answers.lost and answers.lost[index])
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
    """Return the calls of failing tests, and a plausible edit's answers to them, as text."""
    rows = zip(answers.inputs, answers.given[index], strict=True)
    known = [(one.text, answers.text(answer)) for one, answer in rows if _is_seen(one) and answer]
    return {text for pair in known for text in pair}


def _mark(answers: CandidateAnswers, index: int, least: int | None, stopped: bool) -> float:
    """Return the factor for the confidence in an edit, based on the answers that it changes.

    `least`: the smallest number of endless calls among the edits that change no answers except crashes. `stopped`:
    whether the edit removes a recursion.
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
    """Return the calls that both the original code and the edit answered, with both answers."""
    return [row for row in zip(answers.inputs, answers.base, answers.given[index], strict=True) if row[1] and row[2]]


def _is_seen(one: AnswerInput) -> bool:
    """Return whether an input is a call recorded from a failing test."""
    return one.failing and not one.made


def _fixed(rows: Sequence[Row]) -> set[str]:
    """Return the original answers to calls of failing tests that the edit changes."""
    return {old for one, old, new in rows if _is_seen(one) and old != new}


def _changed(rows: Sequence[Row]) -> int:
    """Count the changed answers whose original is not in ACCIDENTS."""
    return sum(old != new for _, old, new in rows if old not in ACCIDENTS)


def _endless(rows: Sequence[Row]) -> int:
    """Count the calls that terminate neither in the original code nor after the edit."""
    return sum(old in NEVER and new in NEVER for _, old, new in rows)


def _least_endless(answers: CandidateAnswers) -> int | None:
    """Return the smallest number of endless calls among the edits that change no answers except crashes; None if there
    is no such edit."""
    every = [_rows(answers, index) for index in range(len(answers.given))]
    return min((_endless(rows) for rows in every if _fixed(rows) and not _changed(rows)), default=None)


def _several(hit: Candidate) -> float:
    return SEVERAL if hit.template == "pair" else 1.0


def _share(of: Iterable[bool]) -> float:
    found = list(of)
    return sum(found) / max(1, len(found))


def _kind(answer: str) -> str:
    """Return the type of an answer. Each exception counts as a separate type."""
    return answer.partition(":")[0]


def _pinned(answers: CandidateAnswers, index: int) -> int:
    """Count the different calls of failing tests whose answers the edit changes.

    Only calls that the tests themselves make are counted, if there are any; otherwise, calls to the edited function are
    counted.
    """
    seen = [(one.entry, one.text) for one, old, new in _rows(answers, index) if _is_seen(one) and old != new]
    own = [text for entry, text in seen if entry]
    return len(set(own or [text for _, text in seen]))
