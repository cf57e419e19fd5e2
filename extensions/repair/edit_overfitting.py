"""Signs of overfitting in an edit: it contains values from the tests, or removes a function's recursion."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable

from extensions.experiment.evaluator.candidate_answers import literals_of
from extensions.experiment.evaluator.candidate_evaluator import Candidate
from extensions.experiment.source.source_file import brief

COMMON = frozenset(map(repr, (0, 1, 2, -1, 10, 0.0, 1.0, 0.5, "", " ", "\n", ",", ".", True, False)))
"""Literals that are common in all programs."""


def special_case(candidate: Candidate, data: bytes, seen: Iterable[str]) -> str:
    """Return why the edit seems to be tailored to the failing tests' values, or "".

    The text completes a sentence that starts with "the edit". An edit is suspected if it adds a literal to the function
    that occurs in `seen`, the failing calls and their answers as text.
    """
    new = [value for _, _, text in candidate.edits for value in literals_of(text)]
    new = [value for value in new if repr(value) not in COMMON]
    if not new:
        return ""
    old = _around(candidate, data)
    known = set(map(repr, literals_of(old.decode("utf-8", "replace"))))
    there = {repr(value) for text in seen for value in literals_of(text)}
    copied = [repr(value) for value in new if repr(value) in there - known]
    return f"contains the value `{brief(copied[0])}` of a failing test" if copied else ""


def stops_recursion(candidate: Candidate, data: bytes) -> bool:
    """Return whether the edit makes a recursive function stop calling itself.

    Recursion is never written by mistake. Removing a recursive call always stops endless recursion, so passing a test
    that failed because of endless recursion proves little.
    """
    function = candidate.function
    if function is None:
        return False
    rest = len(data) - function.end
    edited = candidate.apply(data)
    after = edited[function.start : len(edited) - rest]
    before = recursive(_around(candidate, data))
    return bool(before) and not before <= recursive(after)


def recursive(text: bytes) -> set[str]:
    """Return the names of the functions in a piece of code that call themselves; empty if the code cannot be parsed."""
    try:
        tree = ast.parse(textwrap.dedent(text.decode("utf-8", "replace")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {one.name for one in found if one.name in {_called(node) for node in ast.walk(one)}}


def _called(node: ast.AST) -> str:
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def _around(candidate: Candidate, data: bytes) -> bytes:
    """Return the bytes of the edited function, or of the whole file if the edit is not in a function."""
    function = candidate.function
    return data[function.start : function.end] if function else data
