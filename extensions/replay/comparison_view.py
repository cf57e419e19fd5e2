"""The comparison of two runs, as JSON or as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import takewhile
from typing import Any

from aci.observation.untrusted_text import escape_invisible, one_line
from agent.console.run_display import escape_markup
from extensions.replay.run_comparison import Difference, RunComparison

SHOWN = 20
"""Maximum number of differences shown in a terminal."""
WIDTH = 300
"""Maximum number of characters shown for each run."""
AROUND = 100
"""Maximum number of characters shown before the first difference."""


def comparison_json(found: RunComparison) -> dict[str, Any]:
    """Return the comparison as a JSON object."""
    values = asdict(found)
    return {name: values[name] for name in ("same", "first", "differences", "texts")}


def comparison_lines(found: RunComparison, sides: tuple[str, str]) -> list[str]:
    """Return the comparison as lines of Rich markup."""
    steps = "1 step" if found.same == 1 else f"{found.same} steps"
    if found.first is None:
        lines = [f"[bold green]Identical:[/] {steps}."]
    else:
        lines = [
            f"[bold yellow]First difference at {_escaped(found.first.id)}[/] ({found.first.what}); "
            f"identical before it: {steps}."
        ]
    for title, differences in (("", found.differences), ("Only text differs:", found.texts)):
        if differences and title:
            lines.append(title)
        for each in differences[:SHOWN]:
            lines.append(f"[cyan]{_escaped(each.id)}[/] {each.what}")
            both = (sides[0], each.left, each.right), (sides[1], each.right, each.left)
            lines += [
                f"  [dim]{_escaped(side)}[/] {escape_markup(_line(each, words, other))}" for side, words, other in both
            ]
        if len(differences) > SHOWN:
            lines.append(f"… and {len(differences) - SHOWN} more; --json has all.")
    return lines


def _escaped(name: str) -> str:
    """Escape the name of a run or a step, which the record of a stranger may hold, for a line of markup."""
    return escape_markup(one_line(name))


def _line(each: Difference, words: str, other: str) -> str:
    """Return the first differing line of one run, starting shortly before the difference.

    If the success or the exit code differs, this value comes first.
    """
    if each.what == "tree":
        return words[:10]
    mine, theirs = words.split("\n"), other.split("\n")
    judged: list[str] = []
    if each.what in ("ok", "exit"):
        judged, _ = [mine.pop(0)], theirs.pop(0)
    text = "" if judged and mine == theirs else _first_unlike(mine, theirs)
    return ": ".join([*judged, *filter(None, [text])])


def _first_unlike(mine: list[str], theirs: list[str]) -> str:
    if mine in ([""], []):
        return "(nothing)"
    at = _alike(mine, theirs)
    if at == len(mine):
        return "(ends here)"
    line, there = mine[at], theirs[at] if at < len(theirs) else ""
    start = max(0, _alike(line, there) - AROUND) if len(line) > WIDTH else 0
    shown = line[start : start + WIDTH]
    shown = repr(shown) if line.split() in ([], there.split()) else escape_invisible(shown)  # make whitespace visible
    return f"{'…' * (start > 0)}{shown}{'…' * (start + WIDTH < len(line))}"


def _alike(left: Sequence[str], right: Sequence[str]) -> int:
    """Return the length of the common prefix."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
