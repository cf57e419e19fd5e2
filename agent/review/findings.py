"""Findings of a run, each with a rule and a place: from its verdict, its review for merging, and its candidates.

Nothing is analysed here. A fact's kind gives its rule. Its place is that of its data, or else the first `PATH:LINE` in
its text, since it may quote a hook, a linter or a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from aci.observation.output_text import mask_secrets
from aci.observation.untrusted_text import one_line
from agent.review.review_focus import ROUTINE
from trajectories.fact_migration import facts_of
from trajectories.outcome_words import proof_headline

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from trajectories.facts import Fact, FactKind
    from trajectories.verdict import Verdict

Level = Literal["error", "warning", "note"]
LONGEST = 1_000
"""Maximum number of characters of a finding's text."""
LONGEST_SEARCHED = 4_000
"""Maximum number of characters of a text that are searched for places."""
MOST_TESTS = 50
"""Maximum number of tests that get a finding of their own."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding: its level as in SARIF, a name, and what it means. `group` is its heading in a review."""

    level: Level
    group: str
    name: str
    meaning: str


RULES = {
    "broken-test": Rule("error", "Broken tests", "Broken test", "A test that passed before fails with the change."),
    "not-verified": Rule("warning", "Proof", "Not verified", "The proof of the change lacks a part or evidence."),
    "proof-limit": Rule("note", "Proof", "Limit of the proof", "What the proof does not cover, or found beside it."),
    "affected-caller": Rule(
        "warning", "Callers", "Affected caller", "Calls outside the change may break: it changes a signature."
    ),
    "behaviour-change": Rule(
        "note", "Changes of behaviour", "Change of behaviour", "How the change alters what existing code does."
    ),
    "shown-change": Rule("note", "Changes of behaviour", "Shown change", "What an experiment showed the change to do."),
    "changed-default": Rule(
        "warning", "Changes of behaviour", "Changed default", "Another literal as a default, not named by the issue."
    ),
    "new-check-finding": Rule(
        "warning", "Checks of the repository", "New finding of a check", "A linter or type checker reports it anew."
    ),
    "missing-test": Rule("warning", "Missing tests", "Missing test", "No test needs this part of the change."),
    "missing-companion": Rule(
        "note", "Missing tests", "Missing companion", "Most earlier changes came with such a file."
    ),
    "debug-output": Rule("warning", "Not needed", "Debug output", "A print, log or debugger call."),
    "unused-definition": Rule("note", "Not needed", "Unused definition", "A new name that nothing uses."),
    "rename": Rule("note", "Not needed", "Rename", "A name that is replaced everywhere."),
    "reformatting": Rule("note", "Not needed", "Reformatting", "Other layout of code that stays the same."),
    "deleted-comment": Rule("note", "Not needed", "Deleted comment", "A comment or docstring whose code stays."),
    "model-remark": Rule("note", "Remarks of the model", "Remark of a model", "A model said this; nothing checked it."),
    "faster-function": Rule("note", "Speed", "Faster function", "The function executes fewer instructions."),
    "hot-function": Rule("note", "Speed", "Hot function", "A function that takes much of the workload's time."),
    "refused-candidate": Rule("note", "Speed", "Refused candidate", "A faster version that was refused, and why."),
}
"""All rules by id, in the order in which a reviewer should look at their findings."""
_RULES: dict[FactKind, str] = {
    "callers": "affected-caller",
    "behaviour": "behaviour-change",
    "tests": "behaviour-change",
}
"""Rules of a verdict's facts; all others are limits of the proof."""
_CHECK = re.compile(r"(?P<name>[^:]+): \d+ new: (?P<found>.*)", re.DOTALL)
_PLACE = re.compile(r"(?P<path>\S+?):(?P<line>[1-9]\d{0,8})\b")
_TARGET = re.compile(r"(?P<function>(?P<path>[^:\n]+\.py):(?P<name>[\w.]+)): (?P<text>.+)")
_GAIN = re.compile(r"[\d,]+ -> [\d,]+ instructions")


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of the rule `rule`. `line` is a line of the new file, for `optimize` of the base, from 1; 0 is the
    whole file. Without a `path` it is about the whole change."""

    rule: str
    text: str
    path: str = ""
    line: int = 0

    @property
    def level(self) -> Level:
        return RULES[self.rule].level

    @property
    def where(self) -> str:
        """The place as `PATH:LINE`, or ""."""
        return f"{self.path}:{self.line}" if self.line else self.path

    @property
    def sentence(self) -> str:
        """The text with its place, unless the text names it."""
        return self.text if self.where in self.text else f"{self.where}: {self.text}"


def patch_findings(engine: Engine, ended: Result, changed: Collection[str]) -> list[Finding]:
    """Return the findings on a proved patch that changes the paths `changed`, in the order of RULES, secrets masked."""
    stopped = bool(ended.exit.message)
    found = [*_of_verdict(ended.verdict, changed, stopped), *_of_merge_review(ended.review or {}, changed)]
    return _finished(engine, found)


def optimization_findings(engine: Engine, ended: Result) -> list[Finding]:
    """Return the findings of `optimize`: functions that are hot, faster versions, refused ones with the reason."""
    from trajectories.errors import UsageError

    lines: dict[tuple[str, str], int] = {}

    def line(path: str, name: str) -> int:
        from aci.runtime.target_function import Target

        if (path, name) not in lines:
            try:
                function = Target(path, name).find(engine.trees.read(engine.run.base.tree, path))
                lines[path, name] = function.lineno
            except (OSError, UsageError, SyntaxError, ValueError):
                lines[path, name] = 0
        return lines[path, name]

    said = [*ended.verdict.notes, *ended.word.splitlines()]
    return _finished(engine, _of_optimization(said, ended.candidates, ended.verdict.kind == "faster", line))


def _finished(engine: Engine, found: Iterable[Finding]) -> list[Finding]:
    """Return the findings in order, without repetitions, on one line each, with secrets masked."""
    hide = partial(mask_secrets, secrets=engine.secrets)
    order = {rule: at for at, rule in enumerate(RULES)}
    clean = dict.fromkeys(replace(one, text=_cut(one_line(hide(one.text)))) for one in found)
    return sorted(clean, key=lambda one: order[one.rule])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


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
        if fact.kind not in ROUTINE and fact.kind != "covered":
            is_shown = fact.kind == "behaviour" and verdict.generality == "shown"
            rule = "shown-change" if is_shown else _RULES.get(fact.kind, "proof-limit")
            yield Finding(rule, fact.text, *_place(fact, changed))
    for line in verdict.checks:
        if match := _CHECK.fullmatch(line):
            for each in match["found"].split("; "):
                yield Finding("new-check-finding", f"{match['name']}: {each}", *place_in(each, changed))


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


def _of_optimization(
    said: Iterable[str], candidates: Iterable[Mapping[str, Any]], is_faster: bool, line: Callable[[str, str], int]
) -> Iterator[Finding]:
    """Yield the findings; `line` returns the line of a function, from its path and name."""
    texts: dict[str, list[str]] = {}
    for match in filter(None, map(_TARGET.fullmatch, said)):
        texts.setdefault(match["function"], []).append(match["text"])
    refused: dict[str, list[str]] = {}
    for one in candidates:
        texts.setdefault(str(one["function"]), [])
        if one["status"] != "right":
            why = "; ".join(map(str, one.get("why", ())[:3]))
            refused.setdefault(str(one["function"]), []).append(f"{one['what']}: {one['status']}: {why}")
    for function, lines in texts.items():
        path, _, name = function.rpartition(":")
        at = path, line(path, name)
        if gain := next((text for text in lines if is_faster and _GAIN.match(text)), ""):
            yield Finding("faster-function", f"{name}: {gain}", *at)
        else:
            more = f" {lines[0]}" if lines else ""
            yield Finding("hot-function", f"{name} is hot, and was not made faster.{more}", *at)
        for text in refused.get(function, ()):
            yield Finding("refused-candidate", f"{name}: {text}", *at)


def place_in(text: str, paths: Collection[str]) -> tuple[str, int]:
    """Return the first place in a text whose path is in `paths`, or ("", 0)."""
    return next(places_in(text, paths), ("", 0))


def places_in(text: str, paths: Collection[str]) -> Iterator[tuple[str, int]]:
    """Yield the places `PATH:LINE` in a text whose path is in `paths`. Paths with white space are not found."""
    for match in _PLACE.finditer(text[:LONGEST_SEARCHED]):
        path = match["path"].lstrip("([`'\"")
        if path in paths:
            yield path, int(match["line"])
