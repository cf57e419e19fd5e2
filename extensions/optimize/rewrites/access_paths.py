"""Access paths: names with attributes and constant subscripts as text, and a check whether a change of one path affects
another."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

INSIDE, AT_END = "[*]", "[+]"
"""Suffixes of a changed path: something inside the object changes, or something is appended to the object. Without a
suffix, the path itself is rebound."""


def path(node: ast.AST) -> str:
    """Return a name with its attributes and constant subscripts as text, like `self.rows['a']`; "" for other nodes."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = path(node.value)
        return inner and f"{inner}.{node.attr}"
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        inner = path(node.value)
        return inner and f"{inner}[{node.slice.value!r}]"
    return ""


def last_word(node: ast.AST, otherwise: str = "") -> str:
    """Return the last name of a path without leading underscores, like `rows` for `self._rows`; `otherwise` if there is
    none."""
    word = path(node).rpartition(".")[2].lstrip("_")
    return word if word.isidentifier() else otherwise


def stored_path(node: ast.AST) -> str:
    """Return the path that a store into a node changes: `grid` for a store into `grid[i][j]`."""
    while not path(node) and isinstance(node, ast.Subscript | ast.Attribute | ast.Starred):
        node = node.value
    return path(node)


def read_paths(node: ast.AST) -> set[str]:
    """Return the longest paths that an expression reads, without the names that it binds itself."""
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


def is_affected(changed: Iterable[str], read: str) -> bool:
    """Whether a change of one of these paths may change the value at the path `read`."""
    bare = [one.removesuffix(INSIDE) for one in changed]
    return any(one == read or is_below(one, read) or is_below(read, one) for one in bare)


def is_below(inner: str, outer: str) -> bool:
    return inner.startswith((f"{outer}.", f"{outer}["))


def substitute(node: ast.expr, values: Mapping[str, str]) -> str:
    """Return the text of an expression with names in it replaced."""
    parsed = {name: ast.parse(f"({text})", mode="eval").body for name, text in values.items()}

    class Substitution(ast.NodeTransformer):
        def visit_Name(self, found: ast.Name) -> ast.expr:
            return parsed.get(found.id, found)

    return ast.unparse(Substitution().visit(ast.parse(ast.unparse(node), mode="eval").body))


def is_same_code(left: ast.AST, right: ast.AST) -> bool:
    return ast.dump(left) == ast.dump(right)
