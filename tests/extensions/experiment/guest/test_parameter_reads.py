"""Parameters that the code of a function may read."""

from __future__ import annotations

from types import CodeType
from typing import Any

import pytest

from extensions.experiment.guest.parameter_reads import parameter_at, parameter_names, read_parameters


def code_of(text: str) -> CodeType:
    names: dict[str, Any] = {}
    exec(text, names)
    found = names["f"].__code__
    assert isinstance(found, CodeType)
    return found


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("def f(a, b): return a", "a"),
        ("def f(a, b):\n    b = 1\n    return a + b", "ab"),
        ("def f(a, b):\n    b = 1\n    return a", "a"),
        ("def f(a, b): return a + b", "ab"),
        ("def f(a, b): return [a for _ in range(3)]", "a"),
        ("def f(a, b): return lambda: b", "b"),
        ("def f(a, b):\n    def g():\n        return b\n    return g", "b"),
        ("def f(a, b):\n    def g(b):\n        return b\n    return g", ""),
        ("def f(a, b):\n    del b\n    return a", "ab"),
        ("def f(a, b):\n    b += 1", "b"),
        ("def f(a, b): return a.b", "a"),
        ("def f(a, b): return b", "b"),
        ("def f(a, b): return f.a", ""),
        ("def f(a, b): return locals()", "ab"),
        ("def f(a, b): return eval('b')", "ab"),
        ("import sys\ndef f(a, b): return sys._getframe().f_locals", "ab"),
        ("def f(a, b): return [locals() for _ in '1']", "ab"),
        ("def f(a, b):\n    if a:\n        yield b", "ab"),
        ("async def f(a, b): return await a", "a"),
        ("def f(*a, **b): return a", "a"),
        ("def f(*a, **b): return f(*a, **b)", "ab"),
        ("def f(a, *, b): return a", "a"),
        ("def f(a, b):\n    match a:\n        case 1: return 2", "a"),
        ("def f(a, b): return f'{b!r}'", "b"),
        ("def f(a, b='x'): pass", ""),
    ],
)
def test_parameters_that_are_read(text, read):
    assert read_parameters(code_of(text)) == set(read)


def test_parameter_of_each_argument():
    code = code_of("def f(a, b, *c, d, **e): pass")
    given = [(0, 0), (0, 1), (0, 2), (0, 3), (1, "d"), (1, "b"), (1, "x")]
    assert parameter_names(code) == ("a", "b", "d", "c", "e")
    assert [parameter_at(code, place) for place in given] == ["a", "b", "c", "c", "d", "b", "e"]
    code = code_of("def f(a): pass")
    assert [parameter_at(code, place) for place in ((0, 0), (0, 1), (1, "b"))] == ["a", "", ""]
