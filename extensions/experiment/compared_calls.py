"""Calls with the answers of the base and of a patch, which the guest reports."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trajectories.facts import Fact

LONGEST = 160
CRASHES = {
    f"!{name}"
    for name in ("AttributeError", "IndexError", "KeyError", "TypeError", "UnboundLocalError", "ZeroDivisionError")
}
"""Exceptions that code seldom raises on purpose."""


@dataclass(frozen=True, slots=True)
class ComparedCall:
    """A call, and the answers of the base (twice) and of the patch. `made` calls are variants of recorded ones.

    `arguments` are, for each argument, the name of its type, its `repr` if it is a scalar, and whether it is special
    for its type. `copy` names the copy of a test that makes the call, if any; in a `whole` copy, all values that
    concern the call are others than in the test. `texts` are those of the base's and the patch's answers if they
    differ, and `features` properties of each argument by which a patch may select it. In a `nested` call, a changed
    function gets what it gets in the tests; in a `renamed` one, all words and numbers are others than in the tests.
    A `probe` varies a special argument. `given` are the parameters that get the arguments of a recorded call, "" if no
    version reads them; `varied` are those that get what they get in none of the tests' calls. The patch
    changes the code of the function of an `edited` call. If `word` is not "", only this word differs from the recorded
    call with the number `origin`.
    """

    function: str
    text: str
    base: str
    again: str
    patch: str
    made: bool
    arguments: tuple[tuple[str, str, bool], ...]
    copy: str = ""
    whole: bool = False
    texts: tuple[str, ...] = ()
    features: tuple[frozenset[str], ...] = ()
    nested: bool = False
    renamed: bool = False
    state: tuple[tuple[str, str], ...] = ()
    probe: bool = False
    given: tuple[str, ...] = ()
    varied: frozenset[str] = frozenset()
    edited: bool = False
    word: str = ""
    origin: int = 0


def parse_calls(answers: Sequence[dict[str, Any]], name: str, edited: Container[str] = ()) -> list[ComparedCall]:
    """Return the calls in the guest's answers under this name; their form is not trusted.

    `edited` are the qualified names of the functions that the patch changes.
    """
    rows = [row for answer in answers if isinstance(answer.get(name), list) for row in answer[name]]
    calls = [call for row in rows if (call := _parse(row)) is not None]
    return [replace(call, edited=call.function in edited) for call in calls]


def _parse(row: object) -> ComparedCall | None:
    """Return a call from a row of the guest, whose form is not trusted."""
    if not isinstance(row, dict):
        return None
    texts = [row.get(name) for name in ("function", "text", "base", "again", "patch")]
    given = row.get("arguments")
    if not all(isinstance(text, str) for text in texts) or not isinstance(given, list):
        return None
    arguments = [one for one in given if isinstance(one, list) and len(one) == 3]
    function, text, base, again, patch = map(str, texts)
    return ComparedCall(
        function,
        to_line(text),
        base,
        again,
        patch,
        row.get("made") is True,
        tuple((str(a), str(b), c is True) for a, b, c in arguments),
        str(row.get("copy", "")),
        row.get("whole") is True,
        tuple(map(to_line, _list(row.get("texts")))),
        tuple(frozenset(map(str, _list(one))) for one in _list(row.get("features"))),
        row.get("nested") is True,
        row.get("renamed") is True,
        tuple((str(one[0]), str(one[1])) for one in _list(row.get("state")) if isinstance(one, list) and len(one) == 2),
        row.get("probe") is True,
        tuple(map(to_line, _list(row.get("given")))),
        frozenset(map(to_line, _list(row.get("varied")))),
        word=to_line(row.get("word", "")),
        origin=origin if isinstance(origin := row.get("origin"), int) else 0,
    )


def to_line(text: object) -> str:
    """Return an untrusted text as one short line of printable characters."""
    line = "".join(char if char.isprintable() else " " for char in str(text)[: 4 * LONGEST])
    return f"{line[:LONGEST]}…" if len(line) > LONGEST else line


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def staying_exception(seeds: Sequence[ComparedCall], calls: Sequence[ComparedCall]) -> Fact | None:
    """Return the fact that variants still raise the type of exception that the tests' calls raise without the patch;
    None if there are none, or if code often raises this exception on purpose.

    The answers have no message of an exception that Python raises, so the cause may be another than the reported one.
    """
    reported = {(call.function, kind_of(call.base)) for call in seeds if kind_of(call.base) in CRASHES}
    variants = [call for call in calls if call.made and not call.probe and call.base == call.again]
    staying = [
        call
        for call in variants
        if kind_of(call.base) == kind_of(call.patch) and (call.function, kind_of(call.base)) in reported
    ]
    if not staying:
        return None
    error = kind_of(staying[0].base)[1:]
    where = f"With and without the patch, a {error} ends {staying[0].text}"
    return Fact("behaviour", f"{where}: the type that is reported, perhaps another cause.")


def kind_of(answer: str) -> str:
    """Return the type of an answer: that of the value, or of the exception."""
    return answer.partition(":")[0]
