"""The place that a template works on, and what a template yields."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from agent.moves.template_donors import Donors
from agent.moves.template_source import Draft, Source, own

Drafts = Iterator[Draft | None]


@dataclass
class Spot:
    """A statement and what may be put into it."""

    source: Source
    donors: Donors
    statement: ast.stmt

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return own(self.statement)

    @cached_property
    def values(self) -> list[ast.expr]:
        """Expressions that are read, those that name what is called left out."""
        return [node for node in self.nodes if isinstance(node, ast.expr) and self._is_value(node)]

    @cached_property
    def tests(self) -> list[ast.expr]:
        """Expressions whose truth is asked for."""
        found: list[ast.expr] = []
        for node in [self.statement, *self.nodes]:
            if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
                found.append(node.test)
            elif isinstance(node, ast.comprehension):
                found += node.ifs
            elif isinstance(node, ast.BoolOp):
                found += node.values
        return found

    def text(self, node: ast.expr | ast.stmt) -> str:
        return self.source.text(node)

    def _is_value(self, node: ast.expr) -> bool:
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or isinstance(node, ast.Slice | ast.Starred):
            return False
        parent = self.source.parents.get(node)
        return not (isinstance(parent, ast.Call) and parent.func is node)
