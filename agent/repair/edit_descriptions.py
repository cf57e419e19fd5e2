"""In words: what an edit changes, why it is believed, and how two behaviours differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.repair.choice import Choice

LETTERS = "ABC"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def counted(number: int) -> str:
    """A small number in words."""
    return NUMBERS[number] if 0 <= number < len(NUMBERS) else f"{number:,}"


def changed(path: str, line: int, function: str, description: str) -> str:
    """What an edit changes, as a sentence that names its place."""
    where = f"in `{function}` (`{path}`, line {line})" if function else f"in `{path}`, line {line}"
    return f"{description[:1].upper()}{description[1:]} {where}."


def why_believed(choice: Choice, place: int, special: str = "") -> str:
    """Why the behaviour at a place of the choice is believed, and what speaks against it."""
    behaviour = choice.behaviours[place]
    told = []
    alike, others = len(behaviour.alike), len(choice.behaviours) - 1
    if choice.inputs:
        calls = f"{choice.inputs:,} calls recorded from the tests and varied"
        if alike:
            many = "Another edit that passes" if alike == 1 else f"{counted(alike).capitalize()} other edits that pass"
            told.append(f"{many} the tests {'does' if alike == 1 else 'do'} the same on {calls}.")
        if others and not place:
            ways = "One edit behaves" if others == 1 else f"{counted(others).capitalize()} edits behave"
            told.append(f"{ways} otherwise there and {'is' if others == 1 else 'are'} believed less.")
        if not alike and not others:
            told.append("No other edit that was tried passes the tests.")
    if choice.pinned and not place:
        calls = "one call" if choice.pinned == 1 else f"{counted(choice.pinned)} different calls"
        told.append(f"It changes the answer to {calls} of the failing tests.")
    if special:
        told.append(f"Against it: it {special}.")
    return " ".join(told)


def side_by_side(options: Sequence[str], telling: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Behaviours as A, B, C, what each changes, and inputs with what each of them answers there."""
    lines = [f"{letter}: {text}" for letter, text in zip(LETTERS, options, strict=False)]
    for call, answers in telling:
        lines.append(f"{call}")
        lines += [f"    {letter}: {answer}" for letter, answer in zip(LETTERS, answers, strict=False)]
    return "\n".join(lines)
