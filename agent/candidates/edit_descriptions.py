"""Descriptions of edits for users: their changes, the evidence for them, and how their behaviours differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.candidates.behaviour_choice import Choice

LETTERS = "ABC"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number_in_words(number: int) -> str:
    """Return a small number in words."""
    return NUMBERS[number] if 0 <= number < len(NUMBERS) else f"{number:,}"


def count_passing(count: int) -> str:
    """Return how many edits pass the tests, as the second half of a sentence."""
    return f"{count:,} {'passes' if count == 1 else 'pass'} the tests"


def describe_change(path: str, line: int, function: str, description: str) -> str:
    """Describe an edit in a sentence that includes its location."""
    where = f"in `{function}` (`{path}`, line {line})" if function else f"in `{path}`, line {line}"
    return f"{description[:1].upper()}{description[1:]} {where}."


def describe_evidence(choice: Choice, place: int, special: str = "") -> str:
    """Describe the evidence for and against the behaviour with this index in `choice`."""
    behaviour = choice.behaviours[place]
    sentences = []
    alike, others = len(behaviour.alike), len(choice.behaviours) - 1
    if choice.inputs:
        calls = f"{choice.inputs:,} calls recorded from the tests and varied"
        if alike:
            many = (
                "Another edit that passes"
                if alike == 1
                else f"{number_in_words(alike).capitalize()} other edits that pass"
            )
            sentences.append(f"{many} the tests {'does' if alike == 1 else 'do'} the same on {calls}.")
        if others and not place:
            ways = "One edit behaves" if others == 1 else f"{number_in_words(others).capitalize()} edits behave"
            sentences.append(f"{ways} differently there and {'is' if others == 1 else 'are'} less likely.")
        if not alike and not others:
            sentences.append("No other edit that was tried passes the tests.")
    if choice.pinned and not place:
        calls = "one call" if choice.pinned == 1 else f"{number_in_words(choice.pinned)} different calls"
        sentences.append(f"It changes the answer to {calls} of the failing tests.")
    if special:
        sentences.append(f"Evidence against it: it {special}.")
    return " ".join(sentences)


def describe_behaviours(options: Sequence[str], telling: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Describe behaviours, labelled A, B and C, by their changes and their answers to some inputs."""
    lines = [f"{letter}: {text}" for letter, text in zip(LETTERS, options, strict=False)]
    for call, answers in telling:
        lines.append(f"{call}")
        lines += [f"    {letter}: {answer}" for letter, answer in zip(LETTERS, answers, strict=False)]
    return "\n".join(lines)
