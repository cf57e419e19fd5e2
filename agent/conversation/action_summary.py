"""One-line summaries of an action and its result for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aci.observation.untrusted_text import clean_text

if TYPE_CHECKING:
    from trajectories.records import Action, Observation

LONGEST_READ = 4_000
"""Number of characters in which the first line of a text is looked for."""


def describe(action: Action) -> str:
    """Return an action as one short line, with an arrow between an old text and its replacement."""
    arrow = {"new": "→ "} if "old" in action.arguments else {}
    words = [action.tool]
    for name, value in ((name, value) for name, value in action.arguments.items() if name != "timeout"):
        word = " ".join((" ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)).split())
        words.append(arrow.get(name, "") + (word if len(word) <= 60 else f"{word[:59]}…"))
    return " ".join(words)[:200].strip()


def describe_result(seen: Observation) -> str:
    """Return the result of an action as one line: of a failed command how it ended and the last line of its output, of
    everything else the first line. Runs of earlier versions have only the first line."""
    if seen.ok or not isinstance(last_line := seen.data.get("last_line"), str):
        return first_line(seen.text)
    return ": ".join(filter(None, (describe_exit(seen), first_line(last_line))))


def describe_exit(seen: Observation) -> str:
    """Return how the command of an observation ended; "" for actions that run no command."""
    code = seen.data.get("code")
    if seen.data.get("timed_out") is True:
        return "timed out"
    return f"exit code {code}" if isinstance(code, int) else ""


def first_line(text: str) -> str:
    """Return the first line that is not blank, without control characters."""
    return next((line.strip() for line in clean_text(text[:LONGEST_READ]).splitlines() if line.strip()), "")
