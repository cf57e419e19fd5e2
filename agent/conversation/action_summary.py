"""A one-line summary of an action for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trajectories.records import Action


def describe(action: Action) -> str:
    """Return an action as one short line, with an arrow between an old text and its replacement."""
    arrow = {"new": "→ "} if "old" in action.arguments else {}
    words = [action.tool]
    for name, value in ((name, value) for name, value in action.arguments.items() if name != "timeout"):
        word = " ".join((" ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)).split())
        words.append(arrow.get(name, "") + (word if len(word) <= 60 else f"{word[:59]}…"))
    return " ".join(words)[:200].strip()
