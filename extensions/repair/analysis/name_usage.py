"""Analysis of a function: its expressions, its names, and the lines where each name can be read."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from extensions.experiment.source.source_file import Definition, Source, own_nodes, statements
from extensions.repair.analysis.callable_library import Library
from extensions.repair.analysis.name_bindings import bound_names
from extensions.repair.analysis.value_types import Scope, Types

T = TypeVar("T")
MEASURES = ("len", "sum", "min", "max", "any", "all", "sorted", "reversed", "enumerate")


@dataclass(frozen=True, slots=True)
class ScopeUsage:
    """A piece of the function's text, with its line and the outer names that it reads."""

    text: str
    line: int
    reads: frozenset[str]


class FunctionFacts:
    """Facts about a function that do not depend on a particular statement, each computed once."""

    def __init__(self, source: Source, holder: ast.AST, library: Library | None, types: Types | None) -> None:
        self.source, self.holder, self.types = source, holder, types
        if library is not None:
            self.library = library

    @cached_property
    def library(self) -> Library:
        return Library([self.source])

    @cached_property
    def scope(self) -> Scope:
        return Scope(self.source, self.holder, self.types)

    @cached_property
    def statements(self) -> list[ast.stmt]:
        return list(statements(self.holder))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return [node for statement in self.statements for node in own_nodes(statement)]

    @cached_property
    def bindings(self) -> list[tuple[str, int, range]]:
        """The bound names, each with its line and the lines where it can be read."""
        return list(_bound(self.holder, self.holder))

    @cached_property
    def bound(self) -> frozenset[str]:
        """The names that statements of the function bind."""
        return frozenset(name for name, _, _ in self.bindings)

    @cached_property
    def local(self) -> frozenset[str]:
        """The bound names and those that only comprehensions and lambdas bind. All other names are bound outside the
        function."""
        inner = [one for one in self.nodes if isinstance(one, ast.comprehension | ast.Lambda)]
        return self.bound.union(name for one in inner for name in names_of(one))

    @cached_property
    def loops(self) -> list[range]:
        kinds = ast.For | ast.While | ast.AsyncFor
        found = [node for node in self.statements if isinstance(node, kinds)]
        return [range(node.lineno, (node.end_lineno or node.lineno) + 1) for node in found]

    @cached_property
    def names(self) -> list[ScopeUsage]:
        """Each use of a name that the function binds."""
        bound = [ScopeUsage(name, line, frozenset([name])) for name, line, _ in self.bindings]
        uses = [node for node in self.nodes if isinstance(node, ast.Name) and node.id in self.bound]
        return bound + [ScopeUsage(node.id, node.lineno, frozenset([node.id])) for node in uses]

    @cached_property
    def terms(self) -> list[ScopeUsage]:
        kinds = ast.Attribute | ast.Subscript | ast.Call | ast.BinOp
        found = [node for node in self.nodes if isinstance(node, kinds)]
        return [self.usage_in(node) for node in found if isinstance(getattr(node, "ctx", ast.Load()), ast.Load)]

    @cached_property
    def conditions(self) -> list[ScopeUsage]:
        found = [
            node
            for node in self.nodes
            if isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))
        ]
        return [self.usage_in(node) for node in found]

    @cached_property
    def returned(self) -> list[ScopeUsage]:
        found = [node.value for node in self.statements if isinstance(node, ast.Return) and node.value]
        return [self.usage_in(node) for node in found]

    @cached_property
    def simple(self) -> list[ScopeUsage]:
        kinds = ast.Assign | ast.AugAssign | ast.Expr | ast.Delete
        return [self.usage_in(node) for node in self.statements if isinstance(node, kinds)]

    @cached_property
    def constants(self) -> list[ScopeUsage]:
        found = [node for node in self.nodes if isinstance(node, ast.Constant)]
        seen = [ScopeUsage(self.source.text(node), node.lineno, frozenset()) for node in found]
        return [one for one in seen if "\n" not in one.text]

    @cached_property
    def measured(self) -> list[str]:
        """Names used as containers."""
        found = []
        for node in ast.walk(self.holder):
            value: ast.AST | None = None
            if isinstance(node, ast.Subscript):
                value = node.value
            elif isinstance(node, ast.For | ast.comprehension):
                value = node.iter
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                value = node.args[0] if node.func.id in MEASURES else None
            if isinstance(value, ast.Name):
                found.append(value.id)
        return unique(found)

    @cached_property
    def containers(self) -> dict[str, str]:
        kinds = {ast.List: "list", ast.ListComp: "list", ast.Set: "set", ast.Dict: "dict", ast.DictComp: "dict"}
        found: dict[str, str] = {}
        for node in ast.walk(self.holder):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                called = node.value.func if isinstance(node.value, ast.Call) else None
                kind = kinds.get(type(node.value)) or (called.id if isinstance(called, ast.Name) else "").lower()
                if kind in ("list", "set", "dict", "deque", "queue"):
                    found.setdefault(node.targets[0].id, kind)
        return found

    def usage_in(self, node: ast.expr | ast.stmt) -> ScopeUsage:
        inside = [one for one in ast.walk(node) if isinstance(one, ast.Name)]
        inner = [one for one in ast.walk(node) if isinstance(one, ast.comprehension | ast.Lambda)]
        made = {name for one in inner for name in names_of(one)}
        reads = frozenset(one.id for one in inside if isinstance(one.ctx, ast.Load)) - made
        return ScopeUsage(self.source.text(node), node.lineno, reads)


def names_of(node: ast.AST) -> list[str]:
    """Return the names that a function, a lambda or a comprehension clause binds."""
    if isinstance(node, ast.comprehension):
        return [one.id for one in ast.walk(node.target) if isinstance(one, ast.Name)]
    if isinstance(node, Definition | ast.Lambda):
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
        return [one.arg for one in every if one is not None]
    return []


def _bound(node: ast.AST, region: ast.AST) -> Iterator[tuple[str, int, range]]:
    """Yield bound names, except those of lambdas and comprehensions, each with its line and the lines where it can be
    read."""
    first = getattr(region, "lineno", 0)
    lines = range(first, (getattr(region, "end_lineno", None) or 10**9) + 1)
    if isinstance(node, Definition):
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        yield from ((name, node.lineno, lines) for name in names_of(node))
        region = node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        held = lines if not isinstance(child, ast.ExceptHandler) else range(child.lineno, (child.end_lineno or 0) + 1)
        if not isinstance(child, ast.arguments):
            line = getattr(child, "lineno", 0)
            yield from ((name, line, held) for name in bound_names(child) if name != "*")
        if not isinstance(child, ast.ClassDef | ast.arguments):
            yield from _bound(child, region)


def unique(texts: Iterable[str]) -> list[str]:
    """Return the texts without duplicates, in the order of first occurrence."""
    return list(dict.fromkeys(texts))


def interleave(streams: Iterable[Iterator[T]]) -> Iterator[T]:
    """Yield the first item of each stream, then the second item of each, and so on."""
    waiting = deque(streams)
    while waiting:
        stream = waiting.popleft()
        for one in stream:
            yield one
            waiting.append(stream)
            break
