"""What earlier versions of this program wrote into a journal, in the form of today.

A journal says its version in the first line. One that an earlier version began and a later one goes on with has a note
where the later one's lines begin, so each line is read as what it is and no line is ever written anew. A version more
is needed where a line would be read wrongly without it; a new field with a default needs none.

    2   of records that are written together all but the first say `joined`; `settings` of a run hold no `timeout`
    1   the first; it had no number
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trajectories.errors import NewerRun
from trajectories.records import VERSION, Note

Line = dict[str, Any]
"""A record as JSON."""
GOES_ON = "version"
"""In the data of a `life` note: the version of the lines after it."""


def migrated(line: object, version: int) -> Line:
    """A line of that version in the form of today. Raises ValueError for what is no line."""
    if not isinstance(line, dict):
        raise ValueError("not an object")
    for number in range(version, VERSION):
        line = _NEXT[number](line)
    return line


def version_of(line: object) -> int:
    """The version that a journal's first line says; that of today where it is no run's. Raises ValueError."""
    if not isinstance(line, dict) or line.get("type") != "run":
        return VERSION
    return _number(line.get("version", 1))


def version_after(note: Note, version: int) -> int:
    """The version of the lines after a note. Raises ValueError."""
    return _number(note.data[GOES_ON]) if is_goes_on(note) else version


def is_goes_on(note: Note) -> bool:
    """Whether it says so; in another journal, whose first line does, it would be wrong."""
    return note.kind == "life" and GOES_ON in note.data


def goes_on() -> Note:
    """The note before the first line of today's version in an earlier one's journal."""
    return Note("main", "life", f"goes on in version {VERSION} of the journal", {GOES_ON: VERSION})


def check_not_newer(version: int, name: str) -> None:
    """Raises NewerRun for a version whose lines this program may not understand."""
    if version > VERSION:
        raise NewerRun(
            f"The run {name} was made by a newer swe-agent: its journal has version {version}, not {VERSION}.",
            "Update swe-agent.",
        )


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} is no version")
    return value


def _second(line: Line) -> Line:
    """`timeout`, of one command, was a setting of the first days, and settings that nobody knows are refused."""
    if line.get("type") == "run" and isinstance(settings := line.get("settings"), dict):
        line = {**line, "settings": {name: value for name, value in settings.items() if name != "timeout"}}
    return line if line.get("type") != "run" else {**line, "version": 2}


_NEXT: dict[int, Callable[[Line], Line]] = {1: _second}
