"""Answers of plausible candidates and of the base to calls similar to those that the tests make."""

from __future__ import annotations

import ast
import io
import math
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from extensions.experiment.evaluator.candidate_evaluator import Candidate, Evaluator

LATE = "!late"
BASE = -1
MOST_TEXT = 600
MOST_CONSTANTS = 12


@dataclass(frozen=True, slots=True)
class AnswerInput:
    """A recorded call, or a variation of one, as human-readable text.

    `entry`: it calls a function that tests call; otherwise it calls one that candidates edit. `failing`: it was
    recorded in a failing test, or derived from one recorded there. `made`: it is a variation of a recorded call.
    """

    text: str
    entry: bool = True
    failing: bool = True
    made: bool = False


@dataclass(frozen=True, slots=True)
class CandidateAnswers:
    """The answers of the base and of each candidate (`given`) to each input; equal strings mean equal behaviour.

    An answer is `type:digest`; or `!` and the exception's name, with `:digest` if the repository's own code raises it;
    or `!late` after a time-out; or "" if the candidate was not run on this input. `texts` maps answers to
    human-readable descriptions. `silent` are the candidates that never answered.
    """

    inputs: tuple[AnswerInput, ...] = ()
    base: tuple[str, ...] = ()
    given: tuple[tuple[str, ...], ...] = ()
    texts: dict[str, str] | None = None
    lost: tuple[float, ...] = ()
    """For each candidate, the share of the edited function's lines that ran on the base, but never with the edit."""
    silent: frozenset[int] = frozenset()

    def text(self, answer: str) -> str:
        """Return a human-readable description of an answer."""
        if answer == LATE:
            return "does not finish in time"
        default = f"raises {answer[1:].partition(':')[0]}" if answer.startswith("!") else "something else"
        return (self.texts or {}).get(answer, default)


def collect_answers(
    evaluator: Evaluator,
    candidates: Sequence[Candidate],
    failing: Sequence[str],
    passing: Sequence[str],
    limit: float,
    seconds: float,
) -> CandidateAnswers:
    """Run the base and all candidates on calls recorded in these tests, and on variations of them.

    `limit` is in CPU seconds for each call. The most likely candidates run first; answers that are missing after
    `seconds` of wall time are empty. Raises UsageError and Cancelled as the evaluator does.
    """
    by_score = sorted(enumerate(candidates), key=lambda one: -one[1].score)
    job = {
        "mode": "behave",
        "failing": list(failing),
        "passing": list(passing),
        "limit": limit,
        "constants": edit_constants(candidates),
        "candidates": [candidate.job(index) for index, candidate in by_score],
    }
    return parse_answers(evaluator.ask(job, seconds), len(candidates))


def edit_constants(candidates: Iterable[Candidate]) -> list[int | float | str]:
    """Return the numbers in the edits, each with the numbers one above and one below it, since conditions may change
    there."""
    found: dict[int | float | str, None] = {}
    for candidate in candidates:
        for _, _, text in candidate.edits:
            for value in literals_of(text):
                if isinstance(value, int | float) and abs(value) < 10**9:
                    found |= dict.fromkeys((value, value + 1, value - 1))
    return list(found)[:MOST_CONSTANTS]


def literals_of(text: str) -> list[int | float | str]:
    """Return the numbers (without signs) and strings in a fragment of code, which need not be valid."""
    found: list[int | float | str] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text.strip()).readline):
            if token.type in (tokenize.NUMBER, tokenize.STRING):
                value = ast.literal_eval(token.string)
                found += [value] if type(value) in (int, float, str) else []
    except (tokenize.TokenError, SyntaxError, ValueError, MemoryError, RecursionError):
        return found  # the fragment ends inside a bracket or a string
    return found


def parse_answers(lines: Iterable[dict[str, Any]], count: int) -> CandidateAnswers:
    """Parse the answers of `count` candidates; the lines may have any form, as untrusted code could have written
    them."""
    inputs: tuple[AnswerInput, ...] = ()
    given: dict[int, tuple[str, ...]] = {}
    texts: dict[str, str] = {}
    lost: dict[int, float] = {}
    for line in lines:
        new_inputs, new_texts, answers = line.get("inputs"), line.get("texts"), line.get("answers")
        if isinstance(new_inputs, list) and not inputs:
            inputs = tuple(_input(one) for one in new_inputs if isinstance(one, dict))
        if isinstance(new_texts, dict):
            texts |= {str(key): str(value)[:MOST_TEXT] for key, value in new_texts.items()}
        id = line.get("id")
        if isinstance(answers, list) and isinstance(id, int) and BASE <= id < count and len(answers) == len(inputs):
            given[id] = tuple(map(str, answers))
        share = line.get("lost")
        if isinstance(share, float) and math.isfinite(share) and isinstance(id, int):
            lost[id] = min(max(share, 0.0), 1.0)
    no_answers = ("",) * len(inputs)
    every = tuple(given.get(index, no_answers) for index in range(count))
    shares = tuple(lost.get(index, 0.0) for index in range(count))
    silent = frozenset(range(count)) - frozenset(given)
    return CandidateAnswers(inputs, given.get(BASE, no_answers), every, texts, shares, silent)


def _input(line: dict[str, Any]) -> AnswerInput:
    flags = (bool(line.get(name)) for name in ("entry", "failing", "made"))
    return AnswerInput(str(line.get("text", ""))[:MOST_TEXT], *flags)
