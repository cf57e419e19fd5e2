"""The statements that may be edited, most suspicious first."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from extensions.experiment.evaluator.candidate_evaluator import FunctionSpan
from extensions.experiment.source.source_file import Definition, Source, header, statements
from extensions.repair.analysis.suspicious_statements import Suspect
from extensions.repair.candidates.template_weights import Weights


@dataclass(frozen=True, slots=True)
class Place:
    """A statement, its suspicion score, and its `holder`: the outermost function, or a module that contains only this
    statement."""

    suspicion: float
    source: Source
    statement: ast.stmt
    holder: ast.AST
    function: FunctionSpan | None

    @property
    def outside(self) -> bool:
        """Whether the statement is not in the body of a function: it is a function's definition or a constant."""
        return self.function is None or self.statement is self.holder

    def holds(self, edits: tuple[tuple[int, int, str], ...]) -> bool:
        """Return whether all edits are inside the function, or inside the statement if the statement is not in a
        function's body."""
        if self.function is not None and not self.outside:
            return all(self.function.start <= start and end <= self.function.end for start, end, _ in edits)
        first, last = self.source.span(self.statement)
        return all(first <= start and end <= last and (start, end) != (first, first) for start, end, _ in edits)


def editable_places(sources: Sequence[Source], suspects: Sequence[Suspect], weights: Weights) -> list[Place]:
    """Return the statements of suspected functions, the definitions of these functions (for default values), and the
    constants that the functions read."""
    found = [place for source in sources for place in _of(source, suspects, weights)]
    return sorted(found, key=lambda place: -place.suspicion)


def _of(source: Source, suspects: Sequence[Suspect], weights: Weights) -> Iterator[Place]:
    scores = {one.line: one.score for one in suspects if one.path == source.path}
    read: dict[str, float] = {}
    for function, node in source.functions:
        inside = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        top = max((scores.get(line, 0.0) for line in inside), default=0.0)
        if top <= 0:
            continue
        for statement in statements(node):
            own = max(scores.get(line, 0.0) for line in _lines(statement))
            yield Place(max(own, weights.unseen * top), source, statement, node, function)
        own = max((scores.get(line, 0.0) for line in header(node)), default=0.0)
        yield Place(max(own, weights.outside * top), source, node, node, function)
        for one in ast.walk(node):
            name = one.id if isinstance(one, ast.Name) else one.attr if isinstance(one, ast.Attribute) else ""
            read[name] = max(top, read.get(name, 0.0))
    for constant in _constants(source.tree):
        names = {one.id for one in ast.walk(constant) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        top = weights.outside * max((read.get(name, 0.0) for name in names), default=0.0)
        own = max((scores.get(line, 0.0) for line in header(constant)), default=0.0)
        if max(own, top) > 0:
            yield Place(max(own, top), source, constant, ast.Module(body=[constant], type_ignores=[]), None)


def _lines(statement: ast.stmt) -> Iterator[int]:
    """Yield the lines of a statement's header and of its `except` and `case` clauses, without their bodies."""
    yield from header(statement)
    for handler in getattr(statement, "handlers", ()):
        yield handler.lineno
    for case in getattr(statement, "cases", ()):
        yield case.pattern.lineno


def _constants(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield assignments at the module and class level, including those in branches (`if`, `try`)."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Assign | ast.AnnAssign):
            yield child
        elif not isinstance(child, Definition) and isinstance(child, ast.stmt | ast.ExceptHandler):
            yield from _constants(child)
