"""What plausible candidates answer on calls like those of the tests, and what the base answers."""

from __future__ import annotations

import ast
import io
import math
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aci.candidates import Candidate, Evaluator

LATE = "!late"
BASE = -1
MOST_TEXT = 600
MOST_CONSTANTS = 12


@dataclass(frozen=True, slots=True)
class Input:
    """A call, as a text to be read. `entry`: of a function that tests call, else of one that candidates edit.

    `failing`: seen in a test that is to be mended, or made from one seen there; `made`: varied, not seen.
    """

    text: str
    entry: bool = True
    failing: bool = True
    made: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """`base` and `given` (by candidate) hold an answer for each input, equal texts for equal behaviour: `type:digest`,
    `!` and the exception's name, then `:digest` where the repository's own code raises it, `!late` after a time-out,
    "" where the candidate was not asked.

    `texts` say in words what an answer is; `silent` are the candidates that did not come to answering.
    """

    inputs: tuple[Input, ...] = ()
    base: tuple[str, ...] = ()
    given: tuple[tuple[str, ...], ...] = ()
    texts: dict[str, str] | None = None
    lost: tuple[float, ...] = ()
    """By candidate: the share of the edited function's lines that ran on the base and never run with the edit."""
    silent: frozenset[int] = frozenset()

    def text(self, answer: str) -> str:
        """An answer as a text to be read."""
        if answer == LATE:
            return "does not end in time"
        otherwise = f"raises {answer[1:].partition(':')[0]}" if answer.startswith("!") else "something else"
        return (self.texts or {}).get(answer, otherwise)


def ask_all(
    evaluator: Evaluator,
    candidates: Sequence[Candidate],
    failing: Sequence[str],
    passing: Sequence[str],
    limit: float,
    seconds: float,
) -> Answers:
    """Let the base and all candidates answer calls recorded from these tests and varied; `limit`: CPU seconds a call.

    The likeliest are asked first; what was not answered within `seconds` by the clock is empty. Raises UsageError,
    Cancelled as the evaluator does.
    """
    likeliest = sorted(enumerate(candidates), key=lambda one: -one[1].score)
    job = {
        "mode": "behave",
        "failing": list(failing),
        "passing": list(passing),
        "limit": limit,
        "constants": constants(candidates),
        "candidates": [candidate.job(index) for index, candidate in likeliest],
    }
    return read(evaluator.ask(job, seconds), len(candidates))


def constants(candidates: Iterable[Candidate]) -> list[int | float | str]:
    """Numbers that the edits bring in, and their neighbours: where conditions may turn."""
    found: dict[int | float | str, None] = {}
    for candidate in candidates:
        for _, _, text in candidate.edits:
            for value in literals(text):
                if isinstance(value, int | float) and abs(value) < 10**9:
                    found |= dict.fromkeys((value, value + 1, value - 1))
    return list(found)[:MOST_CONSTANTS]


def literals(text: str) -> list[int | float | str]:
    """The numbers and strings of a piece of code, whatever it is a piece of; signs are not theirs."""
    found: list[int | float | str] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text.strip()).readline):
            if token.type in (tokenize.NUMBER, tokenize.STRING):
                value = ast.literal_eval(token.string)
                found += [value] if type(value) in (int, float, str) else []
    except (tokenize.TokenError, SyntaxError, ValueError, MemoryError, RecursionError):
        return found  # it ends inside of a bracket or a string
    return found


def read(lines: Iterable[dict[str, Any]], count: int) -> Answers:
    """The answers of `count` candidates; the code under test could have written lines of its own, in any shape."""
    inputs: tuple[Input, ...] = ()
    given: dict[int, tuple[str, ...]] = {}
    texts: dict[str, str] = {}
    lost: dict[int, float] = {}
    for line in lines:
        told, said, answers = line.get("inputs"), line.get("texts"), line.get("answers")
        if isinstance(told, list) and not inputs:
            inputs = tuple(_input(one) for one in told if isinstance(one, dict))
        if isinstance(said, dict):
            texts |= {str(key): str(value)[:MOST_TEXT] for key, value in said.items()}
        id = line.get("id")
        if isinstance(answers, list) and isinstance(id, int) and BASE <= id < count and len(answers) == len(inputs):
            given[id] = tuple(map(str, answers))
        share = line.get("lost")
        if isinstance(share, float) and math.isfinite(share) and isinstance(id, int):
            lost[id] = min(max(share, 0.0), 1.0)
    silent = ("",) * len(inputs)
    every = tuple(given.get(index, silent) for index in range(count))
    left = tuple(lost.get(index, 0.0) for index in range(count))
    return Answers(inputs, given.get(BASE, silent), every, texts, left, frozenset(range(count)) - frozenset(given))


def _input(line: dict[str, Any]) -> Input:
    flags = (bool(line.get(name)) for name in ("entry", "failing", "made"))
    return Input(str(line.get("text", ""))[:MOST_TEXT], *flags)
