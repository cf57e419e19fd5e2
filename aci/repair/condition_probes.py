"""What conditions are on arrival at a statement of the base, in failing and in passing tests.

A guard whose condition is never true in a failing test mends nothing, and two conditions that were alike on every
arrival are hardly worth two tries. The conditions are evaluated in the frame that arrives, in a child of the target.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aci.candidates import Evaluator
from aci.spectrum import Spectrum

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
class Truth:
    """What a condition was on each arrival, in order: `1` true, `0` false, `!` where it raised; a blank between tests.

    The first arrivals of a few tests only: that it never fires is a strong hint, and no proof. A loop's head is arrived
    at each time round, a statement of several lines perhaps twice.
    """

    failing: str
    passing: str

    @property
    def digest(self) -> str:
        """Equal for conditions that were alike on every arrival."""
        return f"{self.failing}|{self.passing}"


class Prober:
    """Asks the target about conditions, each once. May be used while an `evaluate` draws its candidates."""

    def __init__(self, evaluator: Evaluator, spectrum: Spectrum) -> None:
        self.evaluator = evaluator
        quick = sorted(spectrum.failing, key=lambda one: one.seconds)[:MOST_FAILING]
        self.failing = [one.test for one in quick]
        self.passing = [one.test for one in spectrum.passing[:MOST_PASSING]]
        ended = [one for one in (*quick, *spectrum.passing[:MOST_PASSING]) if one.outcome in ("passed", "failed")]
        self.limit = min(LIMIT, max(LEAST_LIMIT, 20 * max((one.seconds for one in ended), default=0.0)))
        self._known: dict[tuple[str, int, str], Truth | None] = {}

    def truths(self, path: str, line: int, texts: Sequence[str]) -> Mapping[str, Truth]:
        """Text -> what it was on arrival at the statement that begins on `line`.

        Missing are conditions that are not pure (`pure`), and all where no failing test arrived: nothing is known of
        those.
        """
        new = [text for text in dict.fromkeys(texts) if (path, line, text) not in self._known and pure(text)]
        for start in range(0, len(new), MOST_TEXTS):
            self._ask(path, line, new[start : start + MOST_TEXTS])
        found = {text: self._known.get((path, line, text)) for text in texts}
        return {text: truth for text, truth in found.items() if truth}

    def _ask(self, path: str, line: int, texts: list[str]) -> None:
        asked = [{"path": path, "line": line, "texts": texts}]
        job = {"mode": "probe", "asked": asked, "failing": self.failing, "passing": self.passing, "limit": self.limit}
        answers = self.evaluator.ask(job, SECONDS)
        told = {str(one.get("test")): signs for one in answers if (signs := _signs(one, len(texts)))}
        for number, text in enumerate(texts):
            failing, passing = (
                " ".join(told[test][number] for test in tests if test in told) for tests in (self.failing, self.passing)
            )
            self._known[(path, line, text)] = Truth(failing, passing) if failing else None


def _signs(answer: Mapping[str, Any], count: int) -> list[str]:
    """The signs of each text, or none if the answer is not one of ours."""
    signs = answer.get("truths")
    if not isinstance(signs, list) or len(signs) != count:
        return []
    return signs if all(isinstance(one, str) and not one.strip("01!") for one in signs) else []


def pure(text: str) -> bool:
    """Whether a condition may be evaluated without a side effect: no calls but `len` and `isinstance`."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return all(
        isinstance(node, PURE)
        and (not isinstance(node, ast.Call) or (isinstance(node.func, ast.Name) and node.func.id in PURE_CALLS))
        for node in ast.walk(tree)
    )
