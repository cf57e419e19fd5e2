"""What is left of the belief in a plausible edit once its text and its answers are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aci.behaviours import LATE, Answers, Input
from aci.candidates import Candidate
from agent.repair.special import special_case, stops_recursion

SPECIAL = 0.2
"""What belief is left in an edit made for the tests' own values."""
STRANGE, LOST = 0.4, 0.8
"""What belief is lost where all answers are of a type that no passing test has seen, and where no line runs that ran
before: what deletes functionality passes weak tests (Qi et al., 2015)."""
HALF, LEAST = 0.5, 0.01
"""Where only crashes were to be mended, what belief is left by each answer that was none and changes, and in the end:
a repair of a crash hardly ever changes what did not crash, however small the share of such calls is among those made,
but of a few bugs the crash is only the visible part."""
ENDLESS = 0.2
"""Where it was to end, what is left in an edit with which more calls do not end than with one that keeps all that was
sound: nobody means a call not to end, while other crashes may be meant for what was made up."""
STOPPED = 0.1
"""Where only crashes were to be mended, what is left in an edit that ends a function's recursion."""
UNSHOWN = 0.1
"""What is left in an edit that changes no answer to a call of the failing tests, where others do: it passed by luck."""
ACCIDENTS = frozenset(
    f"!{name}"
    for name in (
        *("late", "IndexError", "TypeError", "AttributeError", "ZeroDivisionError", "RecursionError", "KeyError"),
        *("NameError", "UnboundLocalError", "MemoryError", "RuntimeError", "StopIteration"),
    )
)
"""Answers that nobody means to give, mostly: where the repository's own code raises them, they have a digest."""
NEVER = frozenset((LATE, "!RecursionError"))
"""Answers of calls that do not end."""
SEVERAL = 0.25
"""What belief is left in an edit of two places: most faults are in one."""
ENOUGH, VOUCHED = 12, 3
"""So many variants of failing inputs must be answered before it means something that none of them changes, and so many
calls of passing tests seen before their types are all there are."""

Row = tuple[Input, str, str]
"""A call, and what the base and a hit answer."""


@dataclass(slots=True)
class Look:
    """What the answers say of one hit. `answered`: it gave any; `pinned`: how many different calls of the failing tests
    it mends; `special`: what shows that it knows their values; `mark`: what is left of the belief in it."""

    answered: bool
    pinned: int
    special: str = ""
    mark: float = 1.0


def looks_of(
    hits: Sequence[Candidate], answers: Answers, files: Mapping[str, bytes], hints: Sequence[str]
) -> list[Look]:
    """One that did not answer is marked as those that did are on average: it could have anything against it."""
    looks = []
    least = _least_endless(answers)
    for index, hit in enumerate(hits):
        data, pinned = files.get(hit.path, b""), _pinned(answers, index)
        look = Look(index not in answers.silent and (not answers.inputs or any(answers.given[index])), pinned)
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


def _seen(answers: Answers, index: int) -> set[str]:
    """The calls of failing tests, and what a hit answers to them, as texts."""
    rows = zip(answers.inputs, answers.given[index], strict=True)
    known = [(one.text, answers.text(answer)) for one, answer in rows if _is_seen(one) and answer]
    return {text for pair in known for text in pair}


def _mark(answers: Answers, index: int, least: int | None, stopped: bool) -> float:
    """What is left of the belief in a hit once it is seen what it does to the base's answers. `least`: calls that do
    not end with an edit that keeps what was sound; `stopped`: it ends a recursion."""
    rows = _rows(answers, index)
    near = [row for row in rows if row[0].made and row[0].failing]
    mark = 1.0
    if len(near) >= ENOUGH and all(old == new for _, old, new in near):
        mark *= SPECIAL
    mended = _mended(rows)
    if mended and mended <= ACCIDENTS:
        mark *= max(LEAST, HALF ** _changed(rows)) * (STOPPED if stopped else 1.0)
    if mended & NEVER and least is not None and _endless(rows) > least:
        mark *= ENDLESS
    known = [_kind(old) for one, old, _ in rows if not one.failing and not one.made]
    if len(known) >= VOUCHED:
        mark *= 1 - STRANGE * _share(_kind(new) not in known for _, _, new in rows)
    return mark * (1 - LOST * (answers.lost[index] if answers.lost else 0.0))


def _rows(answers: Answers, index: int) -> list[Row]:
    """Calls that the base and a hit were asked, with their answers."""
    return [row for row in zip(answers.inputs, answers.base, answers.given[index], strict=True) if row[1] and row[2]]


def _is_seen(one: Input) -> bool:
    """Whether it is a call of a failing test, as it was seen there."""
    return one.failing and not one.made


def _mended(rows: Sequence[Row]) -> set[str]:
    """The base's answers to calls of failing tests that are others now."""
    return {old for one, old, new in rows if _is_seen(one) and old != new}


def _changed(rows: Sequence[Row]) -> int:
    """Answers that were none by accident, and are others now."""
    return sum(old != new for _, old, new in rows if old not in ACCIDENTS)


def _endless(rows: Sequence[Row]) -> int:
    """Calls that do not end, and did not on the base."""
    return sum(old in NEVER and new in NEVER for _, old, new in rows)


def _least_endless(answers: Answers) -> int | None:
    """How many calls, at least, do not end with an edit that changes no sound answer; None where there is none."""
    every = [_rows(answers, index) for index in range(len(answers.given))]
    return min((_endless(rows) for rows in every if _mended(rows) and not _changed(rows)), default=None)


def _several(hit: Candidate) -> float:
    return SEVERAL if hit.template == "pair" else 1.0


def _share(of: Iterable[bool]) -> float:
    found = list(of)
    return sum(found) / max(1, len(found))


def _kind(answer: str) -> str:
    """The type of a result; what is raised is a kind of its own."""
    return answer.partition(":")[0]


def _pinned(answers: Answers, index: int) -> int:
    """Different calls seen in failing tests that the edit answers otherwise than the base: of the tests' own calls if
    there are such, else of the edited function's."""
    seen = [(one.entry, one.text) for one, old, new in _rows(answers, index) if _is_seen(one) and old != new]
    own = [text for entry, text in seen if entry]
    return len(set(own or [text for _, text in seen]))
