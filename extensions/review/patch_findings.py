"""The findings on a proved patch, from its verdict and its review for merging.

Nothing is analysed here. A fact's kind gives its rule. Its place is that of its data, or else the first `PATH:LINE` in
its text, since it may quote a hook, a linter or a model.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agent.patch_checks.findings import RULES, Finding, clean_findings
from agent.patch_checks.review_focus import ROUTINE
from trajectories.migrations import facts_of
from trajectories.outcome_words import proof_headline

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from trajectories.facts import Fact, FactKind
    from trajectories.verdict import Verdict

LONGEST_SEARCHED = 4_000
"""Maximum number of characters of a text that are searched for places."""
MOST_TESTS = 50
"""Maximum number of tests that get a finding of their own."""
_RULES: dict[FactKind, str] = {
    "callers": "affected-caller",
    "mirror": "unchanged-mirror",
    "behaviour": "behaviour-change",
    "tests": "behaviour-change",
}
"""Rules of a verdict's facts; all others are limits of the proof."""
_PLACE = re.compile(r"(?P<path>\S+?):(?P<line>[1-9]\d{0,8})\b")


def patch_findings(engine: Engine, ended: Result, changed: Collection[str]) -> list[Finding]:
    """Return the findings on a proved patch that changes the paths `changed`, in the order of RULES, secrets masked."""
    stopped = bool(ended.exit.message)
    found = [*_of_verdict(ended.verdict, changed, stopped), *_of_merge_review(ended.review or {}, changed)]
    return clean_findings(found, engine.secrets)


def _of_verdict(verdict: Verdict, changed: Collection[str], stopped: bool = False) -> Iterator[Finding]:
    for test in verdict.lost[:MOST_TESTS]:
        path = test.partition("::")[0]
        known = path if path.endswith(".py") else ""
        yield Finding("broken-test", f"{test} passed before the change and does not pass with it.", known)
    for test in verdict.contradicted[:MOST_TESTS]:
        yield Finding("behaviour-change", f"The issue asks for it: {test}")
    if not verdict.verified and not verdict.lost:
        is_untested = verdict.kind == "none" or not verdict.is_tested
        rule = "not-verified" if is_untested or verdict.red else "missing-test"
        yield Finding(rule, proof_headline(verdict, stopped))
    for fact in verdict.facts:
        if isinstance(found := fact.data.get("found"), tuple):
            for each in found:
                yield Finding("new-check-finding", each, *place_in(each, changed))
        elif fact.kind not in ROUTINE and fact.kind != "covered":
            is_shown = fact.kind == "behaviour" and verdict.generality == "shown"
            rule = "shown-change" if is_shown else _RULES.get(fact.kind, "proof-limit")
            yield Finding(rule, fact.text, *_place(fact, changed))


def _place(fact: Fact, changed: Collection[str]) -> tuple[str, int]:
    path, line = fact.data.get("path"), fact.data.get("line")
    if isinstance(path, str) and isinstance(line, int) and line and path in changed:
        return path, line
    return place_in(fact.text, changed)


def _of_merge_review(review: Mapping[str, Any], changed: Collection[str]) -> Iterator[Finding]:
    for one in review.get("findings", ()):
        rule = str(one["kind"]).replace(" ", "-")
        yield Finding(rule if rule in RULES else "proof-limit", str(one["text"]), str(one["path"]), int(one["line"]))
    for fact in facts_of(review):
        named = fact.data.get("places", ())
        texts = named if isinstance(named, tuple) else ()
        if places := [place for text in texts for place in places_in(text, changed)]:
            for path, line in places:
                yield Finding("missing-test", "The tests that show the issue pass without this change.", path, line)
        elif fact.kind == "companion":
            yield Finding("missing-test" if fact.data.get("is_test") else "missing-companion", fact.text)
        else:
            yield Finding("proof-limit", fact.text)


def place_in(text: str, paths: Collection[str]) -> tuple[str, int]:
    """Return the first place in a text whose path is in `paths`, or ("", 0)."""
    return next(places_in(text, paths), ("", 0))


def places_in(text: str, paths: Collection[str]) -> Iterator[tuple[str, int]]:
    """Yield the places `PATH:LINE` in a text whose path is in `paths`. Paths with white space are not found."""
    for match in _PLACE.finditer(text[:LONGEST_SEARCHED]):
        path = match["path"].lstrip("([`'\"")
        if path in paths:
            yield path, int(match["line"])
