"""The question to the locator: the issue with the ranking of places, and the answer, which is not trusted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from aci.issue_text.issue_discussion import append_discussion
from aci.observation.output_text import shorten
from aci.observation.untrusted_text import one_line, quote_fully, quote_text

if TYPE_CHECKING:
    from aci.localization.place_ranking import RankedPlace, RankedPlaces
    from trajectories.records import Issue

LISTED_FILES, LISTED_FUNCTIONS = 20, 50
"""Numbers of files and functions of the ranking that the locator sees."""
MAX_ISSUE_CHARACTERS = 3_600
MAX_SIGNATURE_CHARACTERS = 70
MAX_PLACES, MAX_SOURCES = 20, 6
"""Maximum numbers of places in an answer, and of functions whose source the locator may ask for."""
MAX_REASON_CHARACTERS, MAX_LINE_CHARACTERS, MAX_ITEMS_CHARACTERS = 200, 600, 2_000
AGAIN = "The source of the functions that you named. Answer now with the places; you cannot ask again."

_NUMBER = r"#(?P<number>\d{1,3})\b[`*]*(?:[ ][^:\n]{1,200}?)?|(?P<bare>\d{1,3})"
_NAMED = r"(?P<path>[^`\n:#]{1,300}?)(?:::(?P<name>[^\s`]{1,200}?))?(?:\(\))?"
_MARK = r"\s*(?:[-*+]\s+|\d{1,2}[.)]\s+)?[`*]*"
_LINE = re.compile(rf"{_MARK}(?:{_NUMBER}|{_NAMED})(?::\d+(?:-\d+)?)?[`*]*\s*[:\u2013\u2014-]\s+(?P<reason>\S.*)")
_ITEM = re.compile(
    r"(?P<path>[^\s`,;:#]{1,300})::(?P<name>[^\s`,;:()]{1,200}(?:::[^\s`,;:()]{1,200}){0,9})"
    r"|#(?P<number>\d{1,3})\b|(?<![^\s,;])(?P<bare>\d{1,3})(?![^\s,;])"
)
_UNSURE = re.compile(r"\W*unsure\b[\s:*]*", re.IGNORECASE)


class NamedPlace(NamedTuple):
    """A place as the locator names it: the rank of a function in the list, or else a path with or without a name."""

    number: int
    path: str
    name: str
    reason: str = ""

    def __str__(self) -> str:
        return f"#{self.number}" if self.number else "::".join(filter(None, [self.path, self.name]))


class LocatorAnswer(NamedTuple):
    """What an answer says: places, most likely first; or, if it `is_unsure`, functions whose source is asked for."""

    is_unsure: bool
    places: tuple[NamedPlace, ...]


def locator_request(issue: Issue, places: RankedPlaces) -> str:
    """Return the message with the issue and the list, both as data."""
    text = shorten(append_discussion(issue).text, MAX_ISSUE_CHARACTERS)
    return f"<issue>\n{quote_fully(text)}\n</issue>\n\nThe list:\n{quote_text(list_places(places))}"


def list_places(places: RankedPlaces) -> str:
    """Return the first files of a ranking with the first functions, which are numbered by their rank."""
    lines: dict[str, list[str]] = {hit.path: [] for hit in places.files[:LISTED_FILES]}
    for number, hit in enumerate(places.functions[:LISTED_FUNCTIONS], 1):
        lines.setdefault(hit.path, []).append(f" #{number} {_signature(hit)} {hit.line}-{hit.end}")
    return "\n".join(line for path, inside in lines.items() for line in (one_line(path), *inside)) or "nothing"


def _signature(hit: RankedPlace) -> str:
    """Return the dotted name with what follows the bare name in the signature, such as the parameters."""
    bare = hit.name.rpartition(".")[2]
    shown = one_line(hit.name + hit.signature.partition(bare)[2].rstrip(":{ "))
    return shown if len(shown) <= MAX_SIGNATURE_CHARACTERS else f"{shown[:MAX_SIGNATURE_CHARACTERS]}…"


def parse_answer(answer: str) -> LocatorAnswer:
    """Return the places in an answer without repetitions; lines of another form are ignored."""
    lines = [line[:MAX_LINE_CHARACTERS] for line in answer.splitlines() if line.strip()]
    if lines and (mark := _UNSURE.match(lines[0])):
        matches = _ITEM.finditer("\n".join([lines[0][mark.end() :], *lines[1:]])[:MAX_ITEMS_CHARACTERS])
        return LocatorAnswer(True, _distinct(matches, MAX_SOURCES))
    return LocatorAnswer(False, _distinct([_LINE.fullmatch(line) for line in lines], MAX_PLACES))


def _distinct(matches: Iterable[re.Match[str] | None], most: int) -> tuple[NamedPlace, ...]:
    places: dict[tuple[int, str, str], NamedPlace] = {}
    for match in filter(None, matches):
        parts = match.groupdict()
        number = int(parts["number"] or parts["bare"] or 0)
        name = (parts["name"] or "").replace("::", ".").replace("#", ".").strip(".")
        reason = one_line(parts.get("reason") or "")[:MAX_REASON_CHARACTERS]
        place = NamedPlace(number, one_line(parts["path"] or "").removeprefix("./"), name, reason)
        places.setdefault(place[:3], place)
    return tuple(places.values())[:most]
