"""Verdicts and reviews of earlier versions: facts that were recorded as sentences (`notes`), and `verified` without
independent evidence.

Up to version 2 of the journal, they had only sentences. The patterns below are those by which readers of that time
told them apart. They are used for nothing else: today's facts carry their kind and their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from trajectories.facts import Fact, FactKind, FactValue
from trajectories.verdict import EARLIER_RULES

_SUITE = re.compile(r"The suite (?P<which>with|without) the patch: (?P<summary>.*)\Z", re.DOTALL)
_COUNTS = re.compile(r"(?:(?P<failed>\d+) failed, )?(?:\d+ errors?, )?(?:(?P<passed>\d+) passed)?")
_PLACE = re.compile(r"\((?P<path>[^\s():]+):(?P<line>[1-9]\d{0,8})\) ")
_UNNEEDED = re.compile(
    r"The tests that show the issue pass without \d+ of \d+ hunks: (?P<places>.*?)(?: and \d+ more)?\.", re.DOTALL
)
_COMPANION = re.compile(r"\d+ of the last \d+ changes to source came with (?P<what>.+?); this one does not")
_KINDS: tuple[tuple[FactKind, re.Pattern[str]], ...] = (
    ("partial", re.compile(r"Only the \d+ tests that had passed")),
    ("extent", re.compile(r"Run first, |The test command did not end|The code under test runs")),
    ("pages", re.compile(r"Pages were compared")),
    ("untested", re.compile(r"No test ran")),
    ("reproduction", re.compile(r"Failing before and (?:fixed|mended)|No test reproduces the issue")),
    ("environment", re.compile(r".* is installed in .*: it may hold the fix\.$")),
    (
        "covered",
        re.compile(
            r"A check of the repository reports something new: |Nothing was changed\.|No test fails without the patch"
        ),
    ),
    ("callers", re.compile(r"(?s:.*); calls outside the patch: |The same goes for \d+ more functions whose signature")),
    ("behaviour", re.compile(r"(?s:.*)The patch (?:changes the behaviour|gives )")),
    ("tests", re.compile(r"(?s:.*)(?:Changes to .* were left out: |Removed from tests )")),
)


def fact_of_note(note: str) -> Fact:
    """Return the fact that a recorded sentence states."""
    if suite := _SUITE.match(note):
        return Fact("suite", note, _suite_data(suite["which"], suite["summary"]))
    if unneeded := _UNNEEDED.fullmatch(note):
        return Fact("unneeded", note, {"places": tuple(unneeded["places"].split(", "))})
    if companion := _COMPANION.match(note):
        return Fact("companion", note, {"is_test": "test" in companion["what"]})
    kind: FactKind = next((kind for kind, pattern in _KINDS if pattern.match(note)), "limit")
    place = _PLACE.search(note) if kind == "callers" else None
    return Fact(kind, note, {"path": place["path"], "line": int(place["line"])} if place else {})


def _suite_data(which: str, summary: str) -> dict[str, FactValue]:
    counts = _COUNTS.match(summary)
    failed, passed = (int((counts and counts[name]) or 0) for name in ("failed", "passed"))
    whole = "not finished" not in summary and "timed out" not in summary
    return {"with_patch": which == "with", "failed": failed, "passed": passed, "whole": whole}


def facts_of(found: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return the facts of a verdict or a review in JSON; those of earlier versions are made from its notes."""
    if "facts" in found:
        return tuple(map(_fact, found["facts"]))
    return facts_of_notes(found.get("notes", ()))


def with_evidence(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verdict in JSON with its evidence; up to version 3 of the journal, `verified` needed none."""
    if "evidence" in verdict or verdict.get("kind") != "verified":
        return dict(verdict)
    conditions = [*verdict.get("conditions", ()), EARLIER_RULES]
    return {**verdict, "kind": "plausible", "evidence": "none", "conditions": conditions}


def facts_of_notes(notes: Iterable[str]) -> tuple[Fact, ...]:
    return tuple(map(fact_of_note, notes))


def _fact(value: Mapping[str, Any]) -> Fact:
    data = {name: tuple(each) if isinstance(each, list) else each for name, each in value.get("data", {}).items()}
    return Fact(value["kind"], value["text"], data)
