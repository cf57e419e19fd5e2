"""Snippets: statements of the repository that fit elsewhere, and unbound names that show missing code."""

from __future__ import annotations

import ast

import pytest

from extensions.experiment.source.source_file import Definition, Source, statements
from extensions.repair.analysis.code_snippets import Snippets, raise_statements, rename
from extensions.repair.analysis.unbound_names import find_unbound_names

SIBLINGS = """\
import re
from collections import deque


def first(iterable, default=None):
    pool = tuple(iterable)
    if not pool:
        return default
    return pool[0]


def last(iterable, default=None):
    if not pool:
        return default
    return pool[-1]


def count(text):
    total = len(text)
    return total


class Box:
    def __init__(self):
        self.items = []

    def put(self, item):
        self.items.append(item)

    def take(self):
        item = self.items.pop()
        return item


class Other:
    def put(self, thing):
        self.things = thing
"""


def parse(code: str = SIBLINGS) -> tuple[Source, dict[str, Definition]]:
    source = Source("a.py", code.encode())
    return source, {function.qualname: node for function, node in source.functions}


def snippets_before(name: str, index: int = 0, last: bool = False) -> list[str]:
    source, functions = parse()
    holder = functions[name]
    statement = list(statements(holder))[index]
    return [fit.text for fit in Snippets([source]).before(source, holder, statement, last)]


def test_binding_of_unbound_name_comes_first() -> None:
    assert snippets_before("last")[0] == "pool = tuple(iterable)"


def test_foreign_name_is_renamed_to_names_in_scope() -> None:
    snippets = snippets_before("count")
    assert "if not total:\n    return text" in snippets
    assert "total = tuple(text)" in snippets


def test_snippet_with_other_attributes_does_not_fit() -> None:
    snippets = snippets_before("Other.put")
    assert not any("self.items" in text for text in snippets)
    assert any("self.items.append" in text for text in snippets_before("Box.take"))


def test_function_gets_no_own_snippets() -> None:
    source, functions = parse()
    fits = Snippets([source]).fitting(source, functions["count"])
    assert all(fit.snippet.holder is not functions["count"] for fit in fits)
    assert len({fit.text for fit in fits}) == len(fits)


def test_similar_adjacent_statements_count() -> None:
    code = """\
def f(a):
    a.open()
    a.lock()
    a.close()

def g(a):
    a.first()
    a.second()
    a.third()

def h(a):
    a.open()
    a.close()
"""
    source, functions = parse(code)
    holder = functions["h"]
    close = list(statements(holder))[1]
    assert next(Snippets([source]).before(source, holder, close)).text == "a.lock()"


def test_snippets_have_deterministic_order() -> None:
    assert snippets_before("last") == snippets_before("last")
    assert snippets_before("Box.put", last=True) == snippets_before("Box.put", last=True)


def test_conditions_of_other_functions_fit_in_scope() -> None:
    source, functions = parse(SIBLINGS.replace("self.items.append(item)", "if self.is_full():\n            return"))
    snippets = Snippets([source])
    assert snippets.conditions(source, functions["last"]) == ["not pool"]
    assert snippets.conditions(source, functions["Box.take"]) == ["self.is_full()"]
    assert snippets.conditions(source, functions["count"]) == []


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("a = a.a(b, a=c)", {"a": "x"}, "x = x.a(b, a=c)"),
        ("if a:\n    b(a)", {"a": "long", "b": "c"}, "if long:\n    c(long)"),
        ("é = 'a' + a", {"a": "ü", "é": "b"}, "b = 'a' + ü"),
        ("a", {}, "a"),
    ],
)
def test_names_are_renamed_at_every_use(text: str, names: dict[str, str], expected: str) -> None:
    assert rename(text, names) == expected


def test_raise_statements_come_from_function_then_file() -> None:
    code = "def f(a):\n    raise KeyError(a)\n\ndef g(b):\n    raise TypeError('x')\n\ndef h(a, c):\n    return c\n"
    source, functions = parse(code)
    raises = raise_statements(source, functions["g"])
    assert raises[:3] == ["raise TypeError('x')", "raise TypeError", "raise ValueError"]
    assert "raise KeyError(a)" not in raises
    assert "raise KeyError(a)" in raise_statements(source, functions["h"])


# Unbound names


def unbound_names(code: str) -> tuple[tuple[str, ...], ...]:
    source, functions = parse(code)
    unbound = find_unbound_names(source, next(iter(functions.values())))
    return unbound.missing, unbound.idle, unbound.unused, unbound.unset


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(a, b):\n    return a + c\n", (("c",), ("b",), (), ())),
        ("import re\ndef f(a):\n    return [b for b in a]\n", ((), (), ("re",), ())),
        ("from os import *\ndef f(a):\n    return path(a)\n", ((), (), (), ())),
        ("def f(a):\n    a += 1\n", ((), (), (), ())),
        ("def f():\n    try:\n        g()\n    except OSError as e:\n        print(e)\n", (("g",), (), (), ())),
        ("def f(a):\n    def g():\n        return a\n    return g\n", ((), (), (), ())),
        ("@d.x\ndef f(a):\n    return a\n", ((), (), (), ())),
        ("class A:\n    def f(self):\n        return self.a + self.f()\n", ((), (), (), ("a",))),
        ("class A(B):\n    def f(self):\n        return self.a\n", ((), (), (), ())),
        ("class A:\n    a = 1\n    def f(self):\n        return self.a\n", ((), (), (), ())),
    ],
)
def test_unbound_and_unused_names_are_found(code: str, expected: tuple[tuple[str, ...], ...]) -> None:
    assert unbound_names(code) == expected


def test_all_fits_parse() -> None:
    source, functions = parse()
    for holder in functions.values():
        for fit in Snippets([source]).fitting(source, holder):
            ast.parse(fit.text)
