"""Rewrites of a function keep its behaviour."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from benchmarks import _patch_rewrites
from benchmarks._patch_rewrites import replace_function, rewrites
from extensions.experiment.changed_functions import functions_of

EXAMPLES = [
    (
        "swap_branches",
        "if n > 1:\n    n = 1\nelse:\n    n = 2\nreturn n",
        "if not n > 1:\n    n = 2\nelse:\n    n = 1\nreturn n",
    ),
    ("swap_branches", "return 1 if n == 1 else 2", "return 2 if n != 1 else 1"),
    ("guard_to_branches", "if n:\n    return 1\nreturn 2", "if not n:\n    return 2\nelse:\n    return 1"),
    ("result_variable", "if n:\n    return 1\nreturn 2", "if n:\n    result = 1\nelse:\n    result = 2\nreturn result"),
    (
        "result_variable",
        "for i in n:\n    if i:\n        return i\nreturn 2",
        "for i in n:\n    if i:\n        result = i\n        break\nelse:\n    result = 2\nreturn result",
    ),
    (
        "loop_to_comprehension",
        "a = []\nfor i in n:\n    if i:\n        a.append(i + 1)\nreturn a",
        "a = [i + 1 for i in n if i]\nreturn a",
    ),
    (
        "comprehension_to_loop",
        "return [i + 1 for i in n if i]",
        "answer = []\nfor i_item in n:\n    if i_item:\n        answer.append(i_item + 1)\nreturn answer",
    ),
    ("reorder_statements", "a = n\nb = n + 1\nreturn a - b", "b = n + 1\na = n\nreturn a - b"),
    ("inline_variable", "a = n + 1\nreturn 2 * a", "return 2 * (n + 1)"),
    ("introduce_variable", "return n + 1", "answer = n + 1\nreturn answer"),
    ("flip_comparisons", "return n < 1", "return 1 > n"),
    ("expand_updates", "n += 1\nreturn n", "n = n + 1\nreturn n"),
    ("rename_locals", "a = n\nreturn [a for i in n]", "a_value = n\nreturn [a_value for i in n]"),
]
UNSUITABLE = [
    ("result_variable", "for i in n:\n    for j in i:\n        if j:\n            return j\nreturn 2"),
    ("result_variable", "try:\n    return n[0]\nexcept IndexError:\n    return 0"),
    ("loop_to_comprehension", "a = []\nfor i in n:\n    a.append(i)\nreturn a, i"),
    ("loop_to_comprehension", "a = []\nfor i in n:\n    a.append(len(a))\nreturn a"),
    ("reorder_statements", "a = n\nb = a + 1\nreturn b"),
    ("reorder_statements", "a = n.pop()\nb = n.pop()\nreturn a, b"),
    ("inline_variable", "a = n[0]\nreturn n.pop() + a"),
    ("inline_variable", "a = n + 1\nreturn a, a"),
    ("expand_updates", "n += [1]\nreturn n"),
    ("rename_locals", "def inner():\n    nonlocal a\n    a = 1\na = 2\ninner()\nreturn a"),
    ("extract_helper", "return super().value + n"),
]


def function_with(body: str) -> ast.FunctionDef:
    lines = "\n    ".join(body.split("\n"))
    node = ast.parse(f"def f(n):\n    {lines}\n").body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


@pytest.mark.parametrize(("name", "before", "after"), EXAMPLES)
def test_a_rewrite_changes_the_first_suitable_place(name: str, before: str, after: str) -> None:
    function = function_with(before)
    assert getattr(_patch_rewrites, name)(function) == ()
    assert ast.unparse(ast.fix_missing_locations(function)) == ast.unparse(function_with(after))


@pytest.mark.parametrize(("name", "body"), UNSUITABLE)
def test_places_where_a_rewrite_would_change_the_behaviour_are_left_out(name: str, body: str) -> None:
    assert getattr(_patch_rewrites, name)(function_with(body)) is None


FILE = '''\
LIMIT = 3


class Box:
    """A box."""

    def __init__(self, items):
        self.items = items

    @staticmethod
    def half(n):
        return n / 2  # of it

    def large(self, least=1):
        """Items that are large, each with its number."""
        found = []
        number = 0
        for item in self.items:
            if item is None:
                continue
            if item < least:
                number += 1
            else:
                found.append((number * 2 + LIMIT, item))
        if not found:
            return None
        return sorted(found)
'''


def test_all_rewrites_of_a_method_answer_like_the_original() -> None:
    def answers(text: str) -> list[Any]:
        names: dict[str, Any] = {}
        exec(text, names)
        inputs: list[list[int | None]] = [[], [1, 0, 5], [None, 0, 0, 2], [0]]
        return [names["Box"](items).large(*least) for items in inputs for least in ((), (2,), (0,))]

    made = dict(rewrites(FILE, "Box.large"))
    assert list(made)[-1] == "all rewrites"
    assert {"swap branches", "guard to branches", "result variable", "extract helper", "rename locals"} <= made.keys()
    for form, text in made.items():
        assert answers(text) == answers(FILE), form
        assert text != FILE
        assert "return n / 2  # of it" in text
    assert functions_of(ast.parse(made["extract helper"])).keys() - functions_of(ast.parse(FILE)).keys() == {
        "compute_large_part"
    }


def test_a_function_is_replaced_with_its_decorators() -> None:
    function = functions_of(ast.parse(FILE))["Box.half"]
    function.name = "third"
    text = replace_function(FILE, "Box.half", function, [ast.parse("ADDED = 1").body[0]])
    assert text.count("@staticmethod") == 1
    assert "    def third(n):\n        return n / 2\n\n    def large" in text
    assert text.index("ADDED = 1") < text.index("class Box")
