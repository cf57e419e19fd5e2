"""What the results of blind tests say about a patch, as pure functions.

A study with tests written blind for 74 issues measured the rules: if a lost guard or two red tests that still fail
accuse a patch, 29 of 35 wrong ones are found, and 2 of 67 right ones are accused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from extensions.examiner.blind_tests import BlindResult, BlindTests, source_of_test
from trajectories.facts import Fact, FactValue

LEAST_RED = 2
"""Number of red tests that a judgement needs."""


@dataclass(frozen=True, slots=True)
class BlindEvidence:
    """The judgement on a patch: `agrees`, `disputed`, or `undecided`; `against` are the results that dispute it.

    `asks` are failing tests of which a second look at the issue must decide whether it implies them; until then, the
    judgement is `undecided`.
    """

    word: Literal["agrees", "disputed", "undecided"]
    red: int = 0
    guards: int = 0
    against: tuple[BlindResult, ...] = ()
    asks: tuple[BlindResult, ...] = ()


def judge_blind_tests(
    results: Sequence[BlindResult], fresh: Collection[str], withdrawn: Collection[str] | None = None
) -> BlindEvidence:
    """Judge a patch by the results of blind tests.

    `fresh` are the tests with inputs that occur neither in the issue nor in the patch's tests. `withdrawn` are the
    tests that the second look does not confirm, or None before it.

    A patch is disputed if it loses a guard, if LEAST_RED red tests still fail with it, or if a failing red test is
    confirmed. A failing test to which the base gives the same answer as the patch, without an error, is always asked
    about: its author may have generalized too far.
    """
    red = [one for one in results if one.base == "fails" and one.test.expected == "red"]
    guards = [one for one in results if one.base == "passes"]
    lost = [one for one in guards if one.patched == "fails"]
    failing = [one for one in red if one.patched == "fails"]
    counted = [one for one in failing if not one.same_answer]
    passing = [one for one in red if one.patched == "passes"]
    counts = len(passing), sum(one.patched == "passes" for one in guards)
    if lost or len(counted) >= LEAST_RED:
        return BlindEvidence("disputed", *counts, against=(*lost, *failing))
    if failing and withdrawn is None:
        return BlindEvidence("undecided", *counts, asks=tuple(failing))
    if confirmed := [one for one in failing if one.test.name not in (withdrawn or ())]:
        return BlindEvidence("disputed", *counts, against=tuple(confirmed))
    is_whole = all(one.patched != "unclear" for one in (*red, *guards))
    has_fresh = any(one.test.name in fresh for one in passing)
    agrees = is_whole and len(passing) >= LEAST_RED and has_fresh
    return BlindEvidence("agrees" if agrees else "undecided", *counts)


def fresh_tests(tests: BlindTests, known: str) -> set[str]:
    """Return the names of the tests with an input that does not occur in the text `known`.

    Inputs are the literals in a Python test that are not what a comparison expects; in other languages, all literals
    of the test.
    """
    fresh = set()
    for name, literals in _literals(tests).items():
        if any(not _occurs(literal, known) for literal in literals):
            fresh.add(name)
    return fresh


def _occurs(literal: str, known: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(literal)}(?!\w)", known) is not None if literal.strip() else literal in known


def _literals(tests: BlindTests) -> dict[str, list[str]]:
    names = [test.name for test in tests.tests]
    try:
        module = ast.parse(tests.source)
    except SyntaxError:
        return {name: _literals_of_text(source_of_test(name, tests)) for name in names}
    functions = [node for node in ast.walk(module) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {function.name: _inputs(function) for function in functions if function.name in names}


def _inputs(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    expected: set[ast.AST] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Compare):
            expected |= {inner for right in node.comparators for inner in ast.walk(right)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("raises"):
            expected |= {inner for keyword in node.keywords for inner in ast.walk(keyword)}
        elif isinstance(node, ast.Assert) and node.msg:
            expected |= set(ast.walk(node.msg))
    constants = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant) and node not in expected]
    doc = ast.get_docstring(function, clean=False)
    kinds = (str, bytes, int, float, complex)
    values = [value for value in constants if isinstance(value, kinds) and not isinstance(value, bool) and value != doc]
    return [value if isinstance(value, str) else repr(value) for value in values]


def _literals_of_text(text: str) -> list[str]:
    pattern = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'|(?<![\w.])(\d[\d.]*)")
    return [next(filter(None, groups), "") for groups in pattern.findall(text)]


def evidence_fact(judged: BlindEvidence, withdrawn: Collection[str] = ()) -> Fact:
    """Return the judgement as a fact: `word`, the numbers of `red` tests that now pass and of `guards`, and the names
    of the tests `against` the patch and of the `withdrawn` ones."""
    data: dict[str, FactValue] = {
        "word": judged.word,
        "red": judged.red,
        "guards": judged.guards,
        "against": tuple(one.test.name for one in judged.against),
        "withdrawn": tuple(sorted(withdrawn)),
    }
    return Fact("independent", _words(judged, withdrawn), data)


def _words(judged: BlindEvidence, withdrawn: Collection[str]) -> str:
    who = "Tests written from the issue, without the patch,"
    dropped = f" The second look withdrew {', '.join(sorted(withdrawn))}." if withdrawn else ""
    counts = f"{judged.red} failed before and pass now, {judged.guards} passed before and after"
    if judged.word == "agrees":
        return f"{who} agree: {counts}.{dropped}"
    if judged.word == "disputed":
        first = judged.against[0]
        return f"{who} disagree: {first.test.name} fails, which follows from “{first.test.sentence}”.{dropped}"
    return f"{who} do not decide: {counts}.{dropped}"
