"""Where two runs part, for a program and for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import takewhile
from typing import Any

from aci.cleaning import visible
from agent.console import told
from trajectories.parting import Difference, Parting

SHOWN = 20
"""Differences that a terminal shows."""
WIDTH = 300
"""Characters of each side."""
AROUND = 100
"""Of them, those before the first that differs."""


def as_json(found: Parting) -> dict[str, Any]:
    """Where two runs part, as programs and reports read it."""
    values = asdict(found)
    return {name: values[name] for name in ("same", "first", "differences", "texts")}


def in_words(found: Parting, sides: tuple[str, str]) -> list[str]:
    """The same for a terminal, in Rich's markup."""
    steps = "1 step" if found.same == 1 else f"{found.same} steps"
    if found.first is None:
        lines = [f"[bold green]The same:[/] {steps}."]
    else:
        lines = [f"[bold yellow]They part at {found.first.id}[/] ({found.first.what}); {steps} alike."]
    for title, differences in (("", found.differences), ("Only text differs:", found.texts)):
        if differences and title:
            lines.append(title)
        for each in differences[:SHOWN]:
            lines.append(f"[cyan]{told(each.id)}[/] {each.what}")
            both = (sides[0], each.left, each.right), (sides[1], each.right, each.left)
            lines += [f"  [dim]{told(side)}[/] {told(_line(each, words, other))}" for side, words, other in both]
        if len(differences) > SHOWN:
            lines.append(f"… and {len(differences) - SHOWN} more; --json has all.")
    return lines


def _line(each: Difference, words: str, other: str) -> str:
    """The first line that the other side does not have there, from shortly before where it differs; what was judged,
    with such a line of the text."""
    if each.what == "tree":
        return words[:10]
    mine, theirs = words.split("\n"), other.split("\n")
    judged: list[str] = []
    if each.what in ("ok", "exit"):
        judged, _ = [mine.pop(0)], theirs.pop(0)
    said = "" if judged and mine == theirs else _first_unlike(mine, theirs)
    return ": ".join([*judged, *filter(None, [said])])


def _first_unlike(mine: list[str], theirs: list[str]) -> str:
    if mine in ([""], []):
        return "(nothing there)"
    at = _alike(mine, theirs)
    if at == len(mine):
        return "(it ends here)"
    line, there = mine[at], theirs[at] if at < len(theirs) else ""
    start = max(0, _alike(line, there) - AROUND) if len(line) > WIDTH else 0
    shown = line[start : start + WIDTH]
    shown = repr(shown) if line.split() in ([], there.split()) else visible(shown)  # blanks count, and are not seen
    return f"{'…' * (start > 0)}{shown}{'…' * (start + WIDTH < len(line))}"


def _alike(left: Sequence[str], right: Sequence[str]) -> int:
    """How many of the first are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
