"""The function to mutate, as the mutation operators see it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from aci.repository.python_source import is_docstring
from extensions.experiment.source.source_file import Definition, Source, own_nodes, statements

Edit = tuple[int, int, str]
Edits = tuple[Edit, ...]


@dataclass
class Code:
    """The function to mutate, in its source file.

    `calls` are the calls in the file of functions that the repository defines: line and name, as the code graph has
    them.
    """

    source: Source
    node: ast.FunctionDef | ast.AsyncFunctionDef
    calls: frozenset[tuple[int, str]] = frozenset()

    @cached_property
    def statements(self) -> list[ast.stmt]:
        return [one for one in statements(self.node) if not isinstance(one, Definition | ast.ClassDef)]

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return [node for statement in self.statements for node in own_nodes(statement)]

    @cached_property
    def names(self) -> list[str]:
        """Parameters and variables of the function."""
        names = [node.arg for node in ast.walk(self.node.args) if isinstance(node, ast.arg)]
        names += [node.id for node in self.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        return [name for name in dict.fromkeys(names) if name not in ("self", "cls")]

    def nodes_of(self, *kinds: type[ast.AST]) -> list[ast.AST]:
        return [node for node in self.nodes if isinstance(node, kinds)]

    @cached_property
    def owner(self) -> ast.ClassDef | None:
        """The class whose method this is."""
        parent = self.source.parents.get(self.node)
        return parent if isinstance(parent, ast.ClassDef) else None

    @cached_property
    def siblings(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """The other functions of the same class or module."""
        holder = self.source.parents.get(self.node)
        body = getattr(holder, "body", [])
        return [one for one in body if isinstance(one, Definition) and one is not self.node]

    def is_own_call(self, node: ast.Call) -> bool:
        """Return whether the call is one of a function that the repository defines."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return any((line, name) in self.calls for line in range(node.lineno, (node.func.end_lineno or 0) + 1))

    def text(self, node: ast.expr | ast.stmt) -> str:
        return self.source.text(node)

    def replace(self, node: ast.expr | ast.stmt, text: str) -> Edits:
        if isinstance(node, ast.expr):
            return self.source.replace(node, text).edits
        return ((*self.source.span(node), text),)

    def blocks(self) -> Iterator[list[ast.stmt]]:
        for holder in [self.node, *self.statements]:
            for name in ("body", "orelse", "finalbody"):
                block = getattr(holder, name, None)
                if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                    yield block

    def lines(self, statement: ast.stmt) -> tuple[int, int] | None:
        """Return the byte range of a statement's whole lines, or None if they contain other code."""
        start, end = self.source.span(statement)
        head = self.source.line_start(start)
        tail = self.source.data.find(b"\n", end)
        if self.source.data[head:start].strip() or tail < 0 or self.source.data[end:tail].split(b"#")[0].strip():
            return None
        return head, tail + 1


Operator = Callable[[Code], Iterator[Edits]]
"""Yields all possible mutations of a function; the caller picks one."""


def apply_edits(data: bytes, edits: Edits) -> bytes:
    """Return the file's bytes with the edits applied."""
    for start, end, new in sorted(edits, reverse=True):
        data = data[:start] + new.encode() + data[end:]
    return data


def is_other_program(data: bytes, new: bytes) -> bool:
    """Return whether `new` is a program that compiles without warnings and differs in more than docstrings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", SyntaxWarning)
        try:
            compile(new, "mutant", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
        return _dump(data) != _dump(new)


def _dump(data: bytes) -> str:
    """Return the syntax tree without docstrings as text."""
    tree = ast.parse(data)
    for node in ast.walk(tree):
        if isinstance(node, Definition | ast.ClassDef | ast.Module) and node.body and is_docstring(node.body[0]):
            del node.body[0]
    return ast.dump(tree)
