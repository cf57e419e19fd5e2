"""The place that a template works on, and what a template yields."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from aci.probing import Truth
from agent.repair.binding import captured
from agent.repair.donors import OBJECTS, Donors, short
from agent.repair.reading import names_of, unique
from agent.repair.scope import INDEXED, ITERABLE, NUMBER, UNKNOWN, Kinds, Scope
from agent.repair.snippets import Snippets, raises
from agent.repair.source import Draft, Source, own

Drafts = Iterator[Draft | None]
ODD = 0.15
"""The weight of a draft whose type does not fit, for all that was seen."""
MEMBERSHIP = ast.In | ast.NotIn
TAKES: dict[str, Kinds] = {
    **dict.fromkeys(("len", "sum", "any", "all", "sorted", "enumerate", "iter", "reversed", "zip"), ITERABLE),
    **dict.fromkeys(("abs", "range", "chr"), NUMBER),
}


@dataclass
class Spot:
    """A statement and what may be put into it."""

    source: Source
    donors: Donors
    statement: ast.stmt
    snippets: Snippets | None = None
    """Statements of the repository, from which some may be borrowed."""
    probe: Callable[[Sequence[str]], Mapping[str, Truth]] | None = None
    """What conditions are on arrival at the statement in the tests; it knows of none that calls or is not reached."""

    awaited: tuple[str, ...] = ()
    """Names of the exceptions that failing tests wait for in vain."""

    def __post_init__(self) -> None:
        self.donors = self.donors.at(self.statement)

    @property
    def scope(self) -> Scope:
        """What is known of types."""
        return self.donors.scope

    @cached_property
    def indent(self) -> str:
        """What blocks are indented by here."""
        return self.source.unit(self.statement)

    @cached_property
    def refusals(self) -> list[str]:
        """What may be raised here, as statements."""
        return raises(self.source, self.donors.holder, self.awaited)

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
        if isinstance(self.statement, ast.Match):
            found += [case.guard for case in self.statement.cases if case.guard]
        return found

    @cached_property
    def expected(self) -> dict[ast.expr, Kinds]:
        """What a value may be by its own kind and by what is done with it; nothing where that is not known."""
        return {node: self._expected(node) for node in self.values}

    def inner(self, node: ast.AST) -> list[str]:
        """Names bound around a node by comprehensions, lambdas and cases of the statement, the innermost first."""
        found: list[str] = []
        parent = self.source.parents.get(node)
        while parent is not None and not isinstance(parent, ast.stmt):
            if isinstance(parent, ast.Lambda):
                found += names_of(parent)
            elif isinstance(parent, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
                found += [name for one in parent.generators for name in names_of(one)]
            elif isinstance(parent, ast.match_case):
                found += captured(parent.pattern)
            parent = self.source.parents.get(parent)
        return unique(found)

    def names(self, node: ast.AST) -> list[str]:
        """Names that can be read in the place of a node, the nearest first."""
        return unique([*self.inner(node), *self.donors.names])

    def atoms(self, node: ast.AST) -> list[str]:
        """Names and short expressions that can stand in the place of a node."""
        inner = self.inner(node)
        return unique([*inner, *self.donors.inner(inner), *self.donors.atoms]) if inner else self.donors.atoms

    def is_short(self, node: ast.expr) -> bool:
        """Whether an expression is short enough to be put elsewhere."""
        return short(self.text(node))

    @cached_property
    def owner(self) -> str:
        """The name of the class that the statement is in, or an empty text."""
        node = self.source.parents.get(self.statement)
        while node is not None and not isinstance(node, ast.ClassDef):
            node = self.source.parents.get(node)
        return node.name if node is not None else ""

    def members(self, node: ast.expr) -> list[str]:
        """Attributes and methods that the classes of a value are known to have."""
        classes = [self.owner] if isinstance(node, ast.Name) and node.id in OBJECTS else []
        classes += sorted(self.scope.kinds(node) - {self.owner})
        return unique(name for one in classes for name in self.donors.library.members.get(one, ()))

    def typed(self, node: ast.expr, texts: Iterable[str], odd: float = ODD) -> Drafts:
        """The node replaced by each text; what is seen not to fit its place gets the weight `odd`, or goes with 0."""
        expected = self.expected.get(node, UNKNOWN)
        for text in texts:
            if self.scope.fits(text, expected):
                yield self.source.replace(node, text)
            elif odd:
                yield self.source.replace(node, text).at(odd)

    def text(self, node: ast.expr | ast.stmt) -> str:
        return self.source.text(node)

    def _is_value(self, node: ast.expr) -> bool:
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or isinstance(node, ast.Slice | ast.Starred):
            return False
        parent = self.source.parents.get(node)
        return not (isinstance(parent, ast.Call) and parent.func is node)

    def _expected(self, node: ast.expr) -> Kinds:
        """The kinds of a value, and those that its place asks for; a place that takes anything adds nothing."""
        kinds, asked = self.scope.kinds(node), self._asked(node)
        return kinds | asked if asked else kinds

    def _asked(self, node: ast.expr) -> Kinds:
        parent, kinds = self.source.parents.get(node), self.scope.kinds
        if isinstance(parent, ast.For | ast.AsyncFor | ast.comprehension) and node is parent.iter:
            return ITERABLE
        if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and node in parent.args:
            return TAKES.get(parent.func.id, UNKNOWN)
        if isinstance(parent, ast.Slice):
            return NUMBER
        if isinstance(parent, ast.Subscript) and node is parent.slice:
            return NUMBER if kinds(parent.value) and kinds(parent.value) <= INDEXED else UNKNOWN
        if isinstance(parent, ast.BinOp) and not isinstance(parent.op, ast.Mod | ast.Mult):
            return kinds(parent.right if node is parent.left else parent.left)
        if isinstance(parent, ast.AugAssign) and node is parent.value:
            return kinds(parent.target)
        if isinstance(parent, ast.Compare) and len(parent.ops) == 1 and not isinstance(parent.ops[0], MEMBERSHIP):
            return kinds(parent.left if node is not parent.left else parent.comparators[0])
        return UNKNOWN
