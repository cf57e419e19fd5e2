"""Doubts about checks: what malformed inputs raised and no longer do, and `raise` statements, or parts, that went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

from aci.guards_checks import checks, old_checks, weakened
from aci.guards_code import Change

Found = tuple[str, str]
NOT_CHECKS = {"RecursionError", "MemoryError", "TimeUp", "TooMuch"}


def misuse_doubts(was: Mapping[str, Any], now: Mapping[str, Any], change: Change) -> Iterator[Found]:
    """(kind, why) of errors that are gone or others."""
    new = {row[0]: row[2] for row in now["misused"].get("outcome", ())}
    met: dict[tuple[int, str], list[Misuse]] = {}
    for index, kind, before in was["misused"].get("outcome", ()):
        after = new.get(index, {"late": True})
        if "raised" in before and before["raised"] not in NOT_CHECKS and "late" not in after:
            met.setdefault((before["line"], before["raised"]), []).append(Misuse(kind, before, after))
    found = [(line, wrong) for (line, _), cases in sorted(met.items()) if (wrong := _wrong(cases))]
    yield from (("checks", wrong) for _, wrong in found)
    kept = {line for (line, _), cases in met.items() if any(case.before["explicit"] and case.same for case in cases)}
    yield from _gone(change, kept | {line for line, _ in found})
    alone = [case.before for cases in met.values() for case in cases if case.same and len(case.before["met"]) == 1]
    yield from _weaker(change, {(before["line"], before["met"][0]) for before in alone})


class Misuse(NamedTuple):
    """What a malformed call raised before the change, and what came of it afterwards; `kind` as in guarding_vary."""

    kind: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def same(self) -> bool:
        return all(self.before[key] == self.after.get(key) for key in ("raised", "text"))

    @property
    def said(self) -> str:
        return f"{self.before['raised']}: {self.before['text'][:80]}"


def _wrong(cases: Sequence[Misuse]) -> str:
    """How the errors of one old line are others now; "" where they are the same or were nobody's intention.

    Wrong types may fail otherwise (unhashable ones in a set) as long as the check is seen to work on other inputs.
    """
    explicit = cases[0].before["explicit"]
    line = cases[0].before["line"]
    for case in cases:
        if "raised" not in case.after and (explicit or case.kind == "edge"):
            return f"A malformed input raised {case.said!r} (old line {line}) and raises nothing now; check it."
    others = [case for case in cases if explicit and not case.same]
    worse = [case for case in others if case.kind == "edge" and not case.after["explicit"]]
    if worse or (len(others) == len(cases) and others):
        case = (worse or others)[0]
        now = f"{case.after['raised']}: {case.after['text'][:60]}" if "raised" in case.after else "nothing"
        return f"A malformed input raised {case.said!r} (old line {line}) and now {now!r}; keep type and text."
    return ""


def _gone(change: Change, tried: set[int]) -> Iterator[Found]:
    """Checks that the target reached, that stand nowhere any more, and that no malformed input showed to be kept.

    One whose like is kept, of the same error and about the same names, was made twice.
    """
    kept = [check for source in change.after for check in checks(source.tree)]
    for check in old_checks(change):
        again = any(check.text == other.text or check.is_like(other) for other in kept)
        if not again and check.line not in tried:
            what = f"The check {check.text[:100]!r} (old line {check.line})"
            yield "checks", f"{what} is gone and no input showed it needless; keep it."


def _weaker(change: Change, shown: Set[tuple[int, str]]) -> Iterator[Found]:
    """Parts of conditions that went, unless an input that met nothing but that part is still refused."""
    for check, term in weakened(change):
        if (check.line, term) not in shown:
            what = f"{check.text[:60]!r} (old line {check.line}) was raised for {term[:100]!r} too"
            yield "checks", f"{what} and nothing asks that any more; keep it."
