"""Values that the code of the base lists: keys of tables, members of sets, values that conditions compare with.

One more of them is a fix of its own, although it changes the behaviour for a single value. Where the base lists no
values of this type, such a fix is a special case.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from aci.repository.python_source import parse

Listed = frozenset[tuple[str, str]]
"""(type, `repr`) of each value; the `repr` "" stands for every value of the type."""
ALL: Listed = frozenset((kind.__name__, "") for kind in (bool, int, float, complex, str, bytes, type(None)))
LEAST = 2
"""Minimum number of values of one type that make a list."""
WORDS = {"split", "startswith", "endswith", "removeprefix", "removesuffix"}


def listed_values(texts: Iterable[str]) -> Listed:
    """Return the constants of these Python files, and the types of which they list values."""
    found = set[tuple[str, str]]()
    for text in texts:
        tree = parse(text)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Constant):
                found.add((type(node.value).__name__, repr(node.value)))
            found |= {(kind, "") for kind, count in Counter(_kinds(node)).items() if count >= LEAST}
    return frozenset(found)


def _kinds(node: ast.AST) -> Iterator[str]:
    """Yield the type of each value that a node lists."""
    match node:
        case ast.Dict(keys=values) | ast.Set(elts=values):
            yield from _types(values)
        case ast.List(elts=values) | ast.Tuple(elts=values):
            yield from (kind for kind in _types(values) if kind in ("str", "bytes"))
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[ast.List(elts=values) | ast.Tuple(elts=values)]):
            yield from _types(values)
        case ast.Constant(value=str(text)) if "|" in text:
            yield from ("str", "str")
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="split")) if len(text.split()) > 1:
            yield from ("str", "str")
        case ast.Match(cases=cases):
            patterns = [part for case in cases for part in ast.walk(case.pattern)]
            yield from _types(part.value for part in patterns if isinstance(part, ast.MatchValue))
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from _compared(node)


def _compared(function: ast.AST) -> Iterator[str]:
    """Yield the type of each constant with which a function compares one of its variables more than once."""
    compared: dict[str, list[str]] = {}
    for node in ast.walk(function):
        match node:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[value]):
                compared.setdefault(ast.dump(left), []).extend(_types([value]))
            case ast.Call(func=ast.Attribute(value=left, attr=name), args=[value, *_]) if name in WORDS:
                compared.setdefault(ast.dump(left), []).extend(_types([value]))
    for kinds in compared.values():
        yield from kinds if len(kinds) >= LEAST else ()


def _types(nodes: Iterable[ast.expr | None]) -> Iterator[str]:
    return (type(node.value).__name__ for node in nodes if isinstance(node, ast.Constant))
