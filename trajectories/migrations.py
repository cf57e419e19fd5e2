"""Migrations of journal lines from earlier format versions to the current one.

The first line of a journal states its version. If a later version of the program continues the journal, a note marks
where the new lines begin. Each line is therefore parsed in the version in which it was written, and no line is ever
rewritten. docs/journal.md lists the versions.

Up to version 2 of the journal, verdicts and reviews recorded facts as sentences (`notes`), and `verified` needed no
independent evidence. The patterns below are those by which readers of that time told them apart. They are used for
nothing else: today's facts carry their kind and their values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from trajectories.errors import NewerRun
from trajectories.facts import ENVIRONMENT, INSTALLED, Fact, FactKind, FactValue
from trajectories.records import VERSION, Note
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


Line = dict[str, Any]
"""A record as JSON."""
GOES_ON = "version"
"""Key in the data of a `life` note: the format version of the lines after it."""


def migrate_line(line: object, version: int) -> Line:
    """Convert a line of format `version` to the current version. Raises ValueError if it is not an object."""
    if not isinstance(line, dict):
        raise ValueError("not an object")
    for number in range(version, VERSION):
        line = _CHANGES.get(number + 1, _unchanged)(line)
    return {**line, "version": VERSION} if line.get("type") == "run" and version < VERSION else line


def version_of(line: object) -> int:
    """Return the version in a journal's first line; the current version if that line is not a run record. Raises
    ValueError if the version is invalid."""
    if not isinstance(line, dict) or line.get("type") != "run":
        return VERSION
    return _number(line.get("version", 1))


def version_after(note: Note, version: int) -> int:
    """Return the version of the lines after a note. Raises ValueError if the version is invalid."""
    return _number(note.data[GOES_ON]) if is_version_note(note) else version


def is_version_note(note: Note) -> bool:
    """Whether a note changes the version of the lines after it. Do not copy such a note to another journal, because the
    first line of that journal already states its version."""
    return note.kind == "life" and GOES_ON in note.data


def version_note() -> Note:
    """Return the note after which the lines of an older journal have the current version."""
    return Note("main", "life", f"goes on in version {VERSION} of the journal", {GOES_ON: VERSION})


def check_not_newer(version: int, name: str) -> None:
    """Raise NewerRun for a version whose lines this program may not understand."""
    if version > VERSION:
        raise NewerRun(
            f"The run {name} was made by a newer swe-agent: its journal has version {version}, not {VERSION}.",
            "Update swe-agent.",
        )


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} is not a version")
    return value


def _unchanged(line: Line) -> Line:
    return line


def _second(line: Line) -> Line:
    """Convert a line to version 2, which has no setting `timeout` (of one command); unknown settings are rejected."""
    return _without_setting(line, "timeout") if line.get("type") == "run" else line


def _without_setting(line: Line, removed: str) -> Line:
    settings = line.get("settings")
    if not isinstance(settings, dict) or removed not in settings:
        return line
    return {**line, "settings": {name: value for name, value in settings.items() if name != removed}}


def _third(line: Line) -> Line:
    """Convert a line to version 3, whose verdicts have facts instead of notes, and whose notes on the environment tell
    installed copies of the package from other facts. `load_verdict` converts the verdicts in observations' data."""
    if line.get("type") == "exit" and isinstance(verdict := line.get("verdict"), dict) and "facts" not in verdict:
        others = {name: part for name, part in verdict.items() if name != "notes"}
        return {
            **line,
            "verdict": others | {"facts": [asdict(fact) for fact in facts_of_notes(verdict.get("notes", ()))]},
        }
    if line.get("type") == "note" and line.get("kind") == ENVIRONMENT:
        is_copy = fact_of_note(str(line.get("text", ""))).kind == "environment"
        return {**line, "data": {**line.get("data", {}), INSTALLED: is_copy}}
    return line


def _fourth(line: Line) -> Line:
    """Convert a line to version 4, in which `verified` needs independent evidence. The exit code stays."""
    if line.get("type") != "exit" or not isinstance(verdict := line.get("verdict"), dict):
        return line
    kind = "plausible" if line.get("kind") == verdict.get("kind") == "verified" else line.get("kind")
    return {**line, "kind": kind, "verdict": with_evidence(verdict)}


def _fifth(line: Line) -> Line:
    """Convert a line to version 5, which has no setting `ask_at_plateau`."""
    return _without_setting(line, "ask_at_plateau")


_CHANGES: dict[int, Callable[[Line], Line]] = {2: _second, 3: _third, 4: _fourth, 5: _fifth}
"""Functions that convert a line to a version from the one before it; versions that only add records have none."""
