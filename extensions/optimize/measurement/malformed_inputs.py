"""Findings on weakened checks: errors that malformed inputs no longer raise, and removed checks or parts of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

from extensions.optimize.measurement.changed_code import Change
from extensions.optimize.measurement.code_assertions import find_checks, find_old_checks, removed_terms

Found = tuple[str, str]
NOT_CHECKS = {"RecursionError", "MemoryError", "TimeUp", "TooMuch"}
WRONG_TYPE = {"TypeError", "AttributeError"}


def malformed_input_findings(was: Mapping[str, Any], now: Mapping[str, Any], change: Change) -> Iterator[Found]:
    """Yield (kind, why) for each error that is no longer raised or has changed, and for each removed check."""
    new = {row[0]: row[2] for row in now["misused"].get("outcome", ())}
    met: dict[tuple[int, str], list[MalformedCall]] = {}
    for index, kind, before in was["misused"].get("outcome", ()):
        after = new.get(index, {"late": True})
        if "raised" in before and before["raised"] not in NOT_CHECKS and "late" not in after:
            met.setdefault((before["line"], before["raised"]), []).append(MalformedCall(kind, before, after))
    found = [(line, wrong) for (line, _), cases in sorted(met.items()) if (wrong := _wrong(cases))]
    yield from (("checks", wrong) for _, wrong in found)
    kept = {line for (line, _), cases in met.items() if any(case.before["explicit"] and case.same for case in cases)}
    yield from _removed_checks(change, kept | {line for line, _ in found})
    alone = [case.before for cases in met.values() for case in cases if case.same and len(case.before["met"]) == 1]
    yield from _removed_terms(change, {(before["line"], before["met"][0]) for before in alone})


class MalformedCall(NamedTuple):
    """The error of a malformed call before the change, and its outcome afterwards.

    `kind` is "edge" or "type", see `malformed` in `extensions/optimize/guest/probe_calls.py`.
    """

    kind: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def same(self) -> bool:
        return all(self.before[key] == self.after.get(key) for key in ("raised", "text"))

    @property
    def error(self) -> str:
        return f"{self.before['raised']}: {self.before['text'][:80]}"


def _wrong(cases: Sequence[MalformedCall]) -> str:
    """Return a description of how the errors raised at one line of the old code changed, or "" if the change is
    acceptable.

    Arguments of a wrong type may raise a different error (such as unhashable values put into a set), as long as the
    check works on other inputs. Where the interpreter refused the type of a value, there was no check.
    """
    explicit = cases[0].before["explicit"]
    line = cases[0].before["line"]
    for case in cases:
        is_check = explicit or (case.kind == "edge" and case.before["raised"] not in WRONG_TYPE)
        if "raised" not in case.after and is_check:
            return f"A malformed input raised {case.error!r} (old line {line}) and raises nothing now; check for it."
    others = [case for case in cases if explicit and not case.same]
    worse = [case for case in others if case.kind == "edge" and not case.after["explicit"]]
    if worse or (len(others) == len(cases) and others):
        case = (worse or others)[0]
        now = f"{case.after['raised']}: {case.after['text'][:60]}" if "raised" in case.after else "nothing"
        return f"A malformed input raised {case.error!r} (old line {line}) and now {now!r}; keep type and text."
    return ""


def _removed_checks(change: Change, tried: set[int]) -> Iterator[Found]:
    """Yield removed checks that the target reached, unless a malformed input shows that they still work.

    A check counts as kept if another one raises the same error and concerns the same names.
    """
    kept = [check for source in change.after for check in find_checks(source.tree)]
    for check in find_old_checks(change):
        again = any(check.text == other.text or check.is_like(other) for other in kept)
        if not again and check.line not in tried:
            what = f"The check {check.text[:100]!r} (old line {check.line})"
            yield "checks", f"{what} was removed, and no input showed that it is unnecessary; keep it."


def _removed_terms(change: Change, shown: Set[tuple[int, str]]) -> Iterator[Found]:
    """Yield removed parts of conditions, unless an input that satisfied only that part is still rejected."""
    for check, term in removed_terms(change):
        if (check.line, term) not in shown:
            what = f"{check.text[:60]!r} (old line {check.line}) was raised for {term[:100]!r} too"
            yield "checks", f"{what}, and no condition tests for that any more; keep it."
