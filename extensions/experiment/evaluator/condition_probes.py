"""Probes of conditions: their truth values each time a statement of the base is reached, in failing and in passing
tests.

A guard whose condition is never true in a failing test fixes nothing, and of two conditions whose truth values are
always the same, only one is worth trying. Conditions are evaluated in the frame that reaches the statement, in a child
process of the target.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.evaluator.spectrum import Spectrum

MOST_FAILING, MOST_PASSING = 4, 4
MOST_TEXTS = 2000
LEAST_LIMIT, LIMIT, SECONDS = 0.2, 2.0, 20.0
PURE_CALLS = ("len", "isinstance")
PURE = (
    ast.Expression,
    ast.BoolOp,
    ast.boolop,
    ast.BinOp,
    ast.operator,
    ast.UnaryOp,
    ast.unaryop,
    ast.Compare,
    ast.cmpop,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Slice,
    ast.Constant,
    ast.Tuple,
    ast.List,
    ast.expr_context,
    ast.IfExp,
    ast.Call,
)


@dataclass(frozen=True, slots=True)
class ConditionTruth:
    """The truth value of a condition each time the statement is reached, in order: `1` true, `0` false, `!` if it
    raised; a space separates tests.

    Only the first times that a few tests reach the statement are recorded, so that a condition that is never true is a
    strong hint, not a proof. The head of a loop is recorded in each iteration, and a statement of several lines may be
    recorded twice.
    """

    failing: str
    passing: str

    @property
    def digest(self) -> str:
        """A string that is equal for conditions whose truth values are always the same."""
        return f"{self.failing}|{self.passing}"


class ConditionProber:
    """Evaluates each condition once in the target. May be used while `evaluate` draws its candidates."""

    def __init__(self, evaluator: Evaluator, spectrum: Spectrum) -> None:
        self.evaluator = evaluator
        quick = sorted(spectrum.failing, key=lambda one: one.seconds)[:MOST_FAILING]
        self.failing = [one.test for one in quick]
        self.passing = [one.test for one in spectrum.passing[:MOST_PASSING]]
        ended = [one for one in (*quick, *spectrum.passing[:MOST_PASSING]) if one.outcome in ("passed", "failed")]
        self.limit = min(LIMIT, max(LEAST_LIMIT, 20 * max((one.seconds for one in ended), default=0.0)))
        self._known: dict[tuple[str, int, str], ConditionTruth | None] = {}

    def truths(self, path: str, line: int, texts: Sequence[str]) -> Mapping[str, ConditionTruth]:
        """Return the truth values of each condition at the statement that starts on `line`.

        Conditions that are not pure (see `is_pure`) are omitted, as are all conditions if no failing test reached the
        statement.
        """
        new = [text for text in dict.fromkeys(texts) if (path, line, text) not in self._known and is_pure(text)]
        for start in range(0, len(new), MOST_TEXTS):
            self._ask(path, line, new[start : start + MOST_TEXTS])
        found = {text: self._known.get((path, line, text)) for text in texts}
        return {text: truth for text, truth in found.items() if truth}

    def _ask(self, path: str, line: int, texts: list[str]) -> None:
        places = [{"path": path, "line": line, "texts": texts}]
        job = {"mode": "probe", "asked": places, "failing": self.failing, "passing": self.passing, "limit": self.limit}
        answers = self.evaluator.ask(job, SECONDS)
        by_test = {str(one.get("test")): signs for one in answers if (signs := _signs(one, len(texts)))}
        for number, text in enumerate(texts):
            failing, passing = (
                " ".join(by_test[test][number] for test in tests if test in by_test)
                for tests in (self.failing, self.passing)
            )
            self._known[(path, line, text)] = ConditionTruth(failing, passing) if failing else None


def _signs(answer: Mapping[str, Any], count: int) -> list[str]:
    """Return the recorded truth values of each condition, or an empty list if the answer does not have the expected
    form."""
    signs = answer.get("truths")
    if not isinstance(signs, list) or len(signs) != count:
        return []
    return signs if all(isinstance(one, str) and not one.strip("01!") for one in signs) else []


def is_pure(text: str) -> bool:
    """Whether a condition can be evaluated without side effects: it contains no calls other than `len` and
    `isinstance`."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return all(
        isinstance(node, PURE)
        and (not isinstance(node, ast.Call) or (isinstance(node.func, ast.Name) and node.func.id in PURE_CALLS))
        for node in ast.walk(tree)
    )
