"""A template's site: the statement that it works on, with the ingredients for edits."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from aci.repair.condition_probes import ConditionTruth
from agent.repair.analysis.code_snippets import Snippets, raise_statements
from agent.repair.analysis.donor_code import OBJECTS, Donors, short
from agent.repair.analysis.name_bindings import captured_names
from agent.repair.analysis.name_usage import names_of, unique
from agent.repair.analysis.source_file import Draft, Source, own_nodes
from agent.repair.analysis.value_types import INDEXED, ITERABLE, NUMBER, UNKNOWN, Kinds, Scope

Drafts = Iterator[Draft | None]
ODD = 0.15
"""The weight of a draft whose type does not fit the observed types."""
MEMBERSHIP = ast.In | ast.NotIn
TAKES: dict[str, Kinds] = {
    **dict.fromkeys(("len", "sum", "any", "all", "sorted", "enumerate", "iter", "reversed", "zip"), ITERABLE),
    **dict.fromkeys(("abs", "range", "chr"), NUMBER),
}


@dataclass
class TemplateSite:
    """A statement and the ingredients for its edits."""

    source: Source
    donors: Donors
    statement: ast.stmt
    snippets: Snippets | None = None
    """Statements of the repository that may be reused here."""
    probe: Callable[[Sequence[str]], Mapping[str, ConditionTruth]] | None = None
    """Returns the values of conditions when the tests reach the statement; none for conditions with calls."""

    awaited: tuple[str, ...] = ()
    """Names of the exceptions that failing tests expect and that were not raised."""

    def __post_init__(self) -> None:
        self.donors = self.donors.at(self.statement)

    @property
    def scope(self) -> Scope:
        """What is known about types."""
        return self.donors.scope

    @cached_property
    def indent(self) -> str:
        """The indentation of blocks here."""
        return self.source.unit(self.statement)

    @cached_property
    def refusals(self) -> list[str]:
        """The `raise` statements that may be inserted here."""
        return raise_statements(self.source, self.donors.holder, self.awaited)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return own_nodes(self.statement)

    @cached_property
    def values(self) -> list[ast.expr]:
        """Expressions that are read, except those that name a called function."""
        return [node for node in self.nodes if isinstance(node, ast.expr) and self._is_value(node)]

    @cached_property
    def tests(self) -> list[ast.expr]:
        """Expressions that are used as conditions."""
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
        """The kinds that each value may have, by its own kind and by its use; empty if unknown."""
        return {node: self._expected(node) for node in self.values}

    def inner(self, node: ast.AST) -> list[str]:
        """Return names bound by the comprehensions, lambdas and cases of the statement that enclose a node, innermost
        first."""
        found: list[str] = []
        parent = self.source.parents.get(node)
        while parent is not None and not isinstance(parent, ast.stmt):
            if isinstance(parent, ast.Lambda):
                found += names_of(parent)
            elif isinstance(parent, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
                found += [name for one in parent.generators for name in names_of(one)]
            elif isinstance(parent, ast.match_case):
                found += captured_names(parent.pattern)
            parent = self.source.parents.get(parent)
        return unique(found)

    def names(self, node: ast.AST) -> list[str]:
        """Return names that can be read at the place of a node, nearest first."""
        return unique([*self.inner(node), *self.donors.names])

    def atoms(self, node: ast.AST) -> list[str]:
        """Return names and short expressions that can replace a node."""
        inner = self.inner(node)
        return unique([*inner, *self.donors.inner(inner), *self.donors.atoms]) if inner else self.donors.atoms

    def is_short(self, node: ast.expr) -> bool:
        """Return whether an expression is short enough to be reused elsewhere."""
        return short(self.text(node))

    @cached_property
    def owner(self) -> str:
        """The name of the class that contains the statement, or ""."""
        node = self.source.parents.get(self.statement)
        while node is not None and not isinstance(node, ast.ClassDef):
            node = self.source.parents.get(node)
        return node.name if node is not None else ""

    def members(self, node: ast.expr) -> list[str]:
        """Return the known attributes and methods of a value's classes."""
        classes = [self.owner] if isinstance(node, ast.Name) and node.id in OBJECTS else []
        classes += sorted(self.scope.kinds(node) - {self.owner})
        return unique(name for one in classes for name in self.donors.library.members.get(one, ()))

    def typed(self, node: ast.expr, texts: Iterable[str], odd: float = ODD) -> Drafts:
        """Replace the node with each text. Text of an unexpected kind gets the weight `odd`, or is left out if `odd` is
        0."""
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
        """Return the kinds of a value and those that its use requires, if any."""
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
