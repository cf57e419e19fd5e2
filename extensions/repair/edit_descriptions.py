"""Descriptions of edits for users: their changes, and how their behaviours differ."""

from __future__ import annotations

from collections.abc import Sequence

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


def describe_behaviours(options: Sequence[str], telling: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Describe behaviours, labelled A, B and C, by their changes and their answers to some inputs."""
    lines = [f"{letter}: {text}" for letter, text in zip(LETTERS, options, strict=False)]
    for call, answers in telling:
        lines.append(f"{call}")
        lines += [f"    {letter}: {answer}" for letter, answer in zip(LETTERS, answers, strict=False)]
    return "\n".join(lines)
