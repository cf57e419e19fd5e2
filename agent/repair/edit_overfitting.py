"""What an edit's text says against it: that it has the tests' values in it, or takes a function's recursion away."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable

from aci.behaviours import literals
from aci.candidates import Candidate
from agent.repair.source import brief

COMMON = frozenset(map(repr, (0, 1, 2, -1, 10, 0.0, 1.0, 0.5, "", " ", "\n", ",", ".", True, False)))
"""Literals that are in every program."""


def special_case(candidate: Candidate, data: bytes, seen: Iterable[str]) -> str:
    """What shows that the edit knows the failing tests' values, as the end of a sentence that begins with "the edit";
    "" where nothing does.

    That is a literal that the function did not have and that is in a failing call or its answer (`seen`, as texts).
    """
    new = [value for _, _, text in candidate.edits for value in literals(text)]
    new = [value for value in new if repr(value) not in COMMON]
    if not new:
        return ""
    old = _around(candidate, data)
    known = set(map(repr, literals(old.decode("utf-8", "replace"))))
    there = {repr(value) for text in seen for value in literals(text)}
    copied = [repr(value) for value in new if repr(value) in there - known]
    return f"has the value `{brief(copied[0])}` of a failing test in it" if copied else ""


def stops_recursion(candidate: Candidate, data: bytes) -> bool:
    """Whether a function that calls itself no longer does: nobody writes that by mistake, and it ends any endless
    recursion, so a test for that shows little."""
    function = candidate.function
    if function is None:
        return False
    rest = len(data) - function.end
    edited = candidate.apply(data)
    after = edited[function.start : len(edited) - rest]
    before = recursive(_around(candidate, data))
    return bool(before) and not before <= recursive(after)


def recursive(text: bytes) -> set[str]:
    """The names of the functions defined in a piece of code that call themselves; none where it is no Python."""
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
    """The bytes of the edited function, or of the file."""
    function = candidate.function
    return data[function.start : function.end] if function else data
