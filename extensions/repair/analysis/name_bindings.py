"""Name binding: which names a syntax node binds."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def bound_names(node: ast.AST) -> list[str]:
    """Return the names that a node itself binds, without those of nodes inside it. The `*` of an import is returned as
    `*`."""
    if isinstance(node, ast.Name):
        return [node.id] if isinstance(node.ctx, ast.Store) else []
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return [node.name] if node.name else []
    if isinstance(node, ast.MatchMapping):
        return [node.rest] if node.rest else []
    return []


def captured_names(pattern: ast.pattern) -> Iterator[str]:
    """Yield the names that a pattern of a `case` binds."""
    for node in ast.walk(pattern):
        yield from bound_names(node)
