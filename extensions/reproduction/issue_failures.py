"""Statements of an issue's example that fail as the issue reports, and the result that they should have instead."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from aci.testing.suite_results import TestResult
from extensions.reproduction.example_run import StepResult
from extensions.reproduction.issue_claims import (
    asks_for_error,
    is_expression,
    normalize,
    normalize_words,
    quotes_message,
    reported_errors,
    reported_outputs,
    says_hangs,
    shown_texts,
    wanted_errors,
)
from extensions.reproduction.issue_examples import Piece

OF_THE_EXAMPLE = {"NameError", "SyntaxError", "IndentationError", "ImportError", "ModuleNotFoundError"}
"""Exceptions that say that the example is incomplete, if the example itself raises them."""

ALIKE = 0.6
"""Minimum similarity of an exception's message and the reported one."""

SAYS_RESULT = "The issue says that {} is expected."
NO_RESULT = (
    "The issue reports this exception, but states no result, so the test only checks that no exception is raised."
)

HANGS = "The issue says that it does not end."

Form = Literal["runs", "asserts", "equals", "is", "text", "raises", "ends"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that fails. `form` is how a test checks it, `expected` the expression or the exception that it checks
    for, `today` what happens instead, and `because` what in the issue says that this is wrong."""

    step: int
    form: Form
    expected: str
    today: str
    because: str


def find_failures(
    pieces: Sequence[Piece], steps: Sequence[Piece], results: Sequence[StepResult], expected: Sequence[Sequence[str]]
) -> list[Failure]:
    """Return the failures that match the issue, in the order of the steps; `expected` are the texts that may be a
    step's expected value."""
    wanted = wanted_errors(pieces)
    outputs, shown = reported_outputs(pieces), shown_texts(pieces)
    asks = asks_for_error(pieces)
    found: list[Failure] = []
    for n, (step, result) in enumerate(zip(steps, results, strict=False)):
        if result.kind == "raised":
            # a value that the issue states below several statements is that of the last one
            own = [text for text in expected[n] if not any(text in later for later in expected[n + 1 :])]
            found += _raised(n, step, result, pieces, wanted, asks, own)
        elif result.kind == "value" and is_reported(step, result, outputs):
            same = [other.shown for m, other in enumerate(results) if m != n and steps[m].text == step.text]
            found += _value(n, result, expected[n], shown, {normalize(text) for texts in same for text in texts})
    return found


def _raised(
    n: int,
    step: Piece,
    result: StepResult,
    pieces: Sequence[Piece],
    wanted: Sequence[str],
    asks: bool,
    expected: Sequence[str],
) -> Iterator[Failure]:
    today = f"{result.error}: {result.message}".strip(": ")
    if result.is_timeout:
        if says_hangs(pieces):
            yield Failure(n, "ends", "", "It does not end.", HANGS)
        return
    if result.error == "AssertionError" and result.in_example and re.match(r"assert\b|unittest\.", step.text):
        yield Failure(n, "asserts", "", today, "The issue asserts it.")
        return
    if not is_reported_error(result, pieces) or (result.in_example and _raises(step.text, result.error)):
        return
    if asks:
        for name in wanted:
            if name not in result.as_wanted:
                yield Failure(n, "raises", name, today, f"The issue says that {name} should be raised.")
    elif result.error not in wanted:
        form, value = _stated_result(step, result.error, expected)
        yield Failure(n, form, value, today, SAYS_RESULT.format(value) if value else NO_RESULT)


def _stated_result(step: Piece, error: str, expected: Sequence[str]) -> tuple[Form, str]:
    """Return how a test checks the result of a statement that raises an exception today, and the result: the one that a
    session shows below it, as a doctest compares it, or the only literal that the issue expects; ("runs", "") if there
    is none."""
    tree = ast.parse(step.text).body
    if len(tree) != 1 or not isinstance(tree[0], ast.Expr):
        return "runs", ""
    is_printed = re.match(r"p?print\(", step.text) is not None
    shown = step.shown.strip() if step.aloud and not is_printed else ""
    if shown and is_expression(shown) and "\n" not in shown and error not in shown:
        return _literal_form(shown) or ("text", repr(shown))
    stated = {text: form for text in expected if not is_printed and (form := _literal_form(text))}
    return next(iter(stated.values())) if len(stated) == 1 else ("runs", "")


def _literal_form(text: str) -> tuple[Form, str] | None:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return "is" if value is None or isinstance(value, bool) else "equals", text


def judge_test(pieces: Sequence[Piece], failed: TestResult, path: str) -> str:
    """Return why a failure of a test in the issue, written to `path`, shows the issue; "" if it may have another
    reason."""
    error = failed.error.rpartition(".")[2]
    if error == "AssertionError" and failed.trace and failed.trace[-1].startswith(f"{path}:"):
        return "The issue asserts it."
    result = StepResult("raised", error=error, message=failed.message, in_example=True)
    is_reported = is_reported_error(result, pieces) and not asks_for_error(pieces)
    return "The issue reports this exception." if is_reported and error not in wanted_errors(pieces) else ""


def _raises(text: str, error: str) -> bool:
    """Return whether a statement of the example raises this exception itself, to show something else."""
    raised = [node.exc for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Raise) and node.exc]
    names = [one.func if isinstance(one, ast.Call) else one for one in raised]
    return any(ast.unparse(name).rpartition(".")[2] == error for name in names)


def is_reported_error(result: StepResult, pieces: Sequence[Piece]) -> bool:
    """Return whether the issue reports this exception: the same type and, if it gives a message, a similar one; or the
    whole message without the type."""
    same = [one for one in reported_errors(pieces) if one.name == result.error]
    if result.in_example and result.error in OF_THE_EXAMPLE:
        return False
    if not same:
        return not result.in_example and quotes_message(pieces, result.message)
    messages = [one.message for one in same if one.message]
    if not messages:
        return bool(result.frames) and result.error not in OF_THE_EXAMPLE
    return any(_alike(message, result.message) for message in messages)


def _alike(one: str, other: str) -> bool:
    first, second = (normalize_words(text.split("\n")[0]) for text in (one, other))
    if not first or not second:
        return first == second
    return first in second or second in first or difflib.SequenceMatcher(None, first, second).ratio() >= ALIKE


def is_reported(step: Piece, result: StepResult, outputs: Collection[str]) -> bool:
    """Return whether the issue shows today's result of the step: below it, or elsewhere if nothing is shown below."""
    today = {normalize(text) for text in result.shown}
    if step.shown:
        return normalize(step.shown) in today
    return bool(today & set(outputs))


def _value(
    n: int, result: StepResult, expected: Sequence[str], shown: Collection[str], elsewhere: Collection[str]
) -> Iterator[Failure]:
    """Yield the expected values that the step does not have today. A value that the same statement has `elsewhere` in
    the example, in another state, is not expected here."""
    today = result.shown[0] if result.shown else ""
    because = SAYS_RESULT
    for text, compared in zip(expected, result.expected, strict=False):
        if normalize(text) in elsewhere or (compared.get("equal") and compared.get("fits")):
            continue
        if result.is_text:
            if (plain := _as_text(text, today)) is not None and plain != today:
                yield Failure(n, "equals", plain, today, because.format(plain))
        elif compared.get("fits"):
            form: Form = "is" if text in ("True", "False", "None") else "equals"
            yield Failure(n, form, text, today, because.format(text))
        elif text in shown and normalize(text) not in map(normalize, result.shown) and _looks_alike(text, today):
            yield Failure(n, "text", repr(text), today, because.format(text))


def _as_text(text: str, today: str) -> str | None:
    """Return the literal of an expected text that is written with or without quotes; None if it is another text."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None
    literal = repr(value) if isinstance(value, str) else repr(text)
    return literal if difflib.SequenceMatcher(None, literal, today).ratio() >= ALIKE else None


def _looks_alike(one: str, other: str) -> bool:
    """Return whether a text has the form of another one: both are Python expressions, or neither is."""
    if is_expression(one) != is_expression(other):
        return False
    return difflib.SequenceMatcher(None, one, other).ratio() >= ALIKE and one[:1] == other[:1]
