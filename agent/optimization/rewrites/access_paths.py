"""Names with their attributes and constant subscripts as words, and which change of one may be seen at another."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

INSIDE, AT_END = "[*]", "[+]"
"""Marks on a path: something inside it changes, or is added at its end; without one, the path is bound anew."""


def path(node: ast.AST) -> str:
    """A name with its attributes and constant subscripts as one word, `self.rows['a']`; "" where it is none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = path(node.value)
        return inner and f"{inner}.{node.attr}"
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        inner = path(node.value)
        return inner and f"{inner}[{node.slice.value!r}]"
    return ""


def touched(node: ast.AST) -> str:
    """The path that a store into a node changes: `grid` for `grid[i][j]`."""
    while not path(node) and isinstance(node, ast.Subscript | ast.Attribute | ast.Starred):
        node = node.value
    return path(node)


def reads(node: ast.AST) -> set[str]:
    """The longest paths that an expression reads, without the names that it binds itself."""
    bound = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    bound |= {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}
    return {one for one in _reads(node) if root(one) not in bound}


def _reads(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield from _reads(node.func.value)
        for child in [*node.args, *node.keywords]:
            yield from _reads(child)
    elif path(node):
        yield path(node)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _reads(child)


def root(word: str) -> str:
    return word.split(".")[0].split("[")[0]


def hit(changed: Iterable[str], read: str) -> bool:
    """Whether a change of one of these paths may change what is read at this one."""
    bare = [one.removesuffix(INSIDE) for one in changed]
    return any(one == read or under(one, read) or under(read, one) for one in bare)


def under(inner: str, outer: str) -> bool:
    return inner.startswith((f"{outer}.", f"{outer}["))


def same(left: ast.AST, right: ast.AST) -> bool:
    return ast.dump(left) == ast.dump(right)
