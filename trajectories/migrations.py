"""Migrations of journal lines from earlier format versions to the current one.

The first line of a journal states its version. If a later version of the program continues the journal, a note marks
where the new lines begin. Each line is therefore parsed in the version in which it was written, and no line is ever
rewritten. docs/journal.md lists the versions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from trajectories.errors import NewerRun
from trajectories.fact_migration import fact_of_note, facts_of_notes, with_evidence
from trajectories.facts import ENVIRONMENT, INSTALLED
from trajectories.records import VERSION, Note

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
    if line.get("type") != "run" or not isinstance(settings := line.get("settings"), dict):
        return line
    return {**line, "settings": {name: value for name, value in settings.items() if name != "timeout"}}


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


_CHANGES: dict[int, Callable[[Line], Line]] = {2: _second, 3: _third, 4: _fourth}
"""Functions that convert a line to a version from the one before it; versions that only add records have none."""
