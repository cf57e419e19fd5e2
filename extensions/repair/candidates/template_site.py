"""The site of a template: the statement to edit, and the names, types and code that are available for edits there."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from extensions.experiment.evaluator.condition_probes import ConditionTruth
from extensions.experiment.source.source_file import Draft, Source, own_nodes
from extensions.repair.analysis.code_snippets import Snippets, raise_statements
from extensions.repair.analysis.donor_code import OBJECTS, Donors, short
from extensions.repair.analysis.name_bindings import captured_names
from extensions.repair.analysis.name_usage import names_of, unique
from extensions.repair.analysis.value_types import INDEXED, ITERABLE, NUMBER, UNKNOWN, Kinds, Scope

Drafts = Iterator[Draft | None]
ODD = 0.15
"""The weight of a draft with an expression whose type does not match the observed types."""
MEMBERSHIP = ast.In | ast.NotIn
TAKES: dict[str, Kinds] = {
    **dict.fromkeys(("len", "sum", "any", "all", "sorted", "enumerate", "iter", "reversed", "zip"), ITERABLE),
    **dict.fromkeys(("abs", "range", "chr"), NUMBER),
}


@dataclass
class TemplateSite:
    """A statement, and the names, types and code that are available for edits there."""

    source: Source
    donors: Donors
    statement: ast.stmt
    snippets: Snippets | None = None
    """Statements of the repository that may be reused here."""
    probe: Callable[[Sequence[str]], Mapping[str, ConditionTruth]] | None = None
    """Returns the values that conditions have when the tests reach the statement; conditions that contain calls are
    left out."""

    expected_exceptions: tuple[str, ...] = ()
    """Names of the exceptions that failing tests expect but that were not raised."""

    def __post_init__(self) -> None:
        self.donors = self.donors.at(self.statement)

    @property
    def scope(self) -> Scope:
        """The known types of the function's expressions."""
        return self.donors.scope

    @cached_property
    def indent(self) -> str:
        """One level of indentation, as used around the statement."""
        return self.source.unit(self.statement)

    @cached_property
    def refusals(self) -> list[str]:
        """The `raise` statements that may be inserted here."""
        return raise_statements(self.source, self.donors.holder, self.expected_exceptions)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return own_nodes(self.statement)

    @cached_property
    def values(self) -> list[ast.expr]:
        """Expressions whose value the statement reads, except the callees of calls."""
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
        """The kinds that each value may have, inferred from the value and from how it is used; empty if unknown."""
        return {node: self._expected(node) for node in self.values}

    def inner(self, node: ast.AST) -> list[str]:
        """Return the names bound by the comprehensions, lambdas and `case` clauses that enclose a node within the
        statement, innermost first."""
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
        """Return the names that can be read at a node's position, nearest first."""
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
        """Return the known attributes and methods of the classes that a value may belong to."""
        classes = [self.owner] if isinstance(node, ast.Name) and node.id in OBJECTS else []
        classes += sorted(self.scope.kinds(node) - {self.owner})
        return unique(name for one in classes for name in self.donors.library.members.get(one, ()))

    def typed(self, node: ast.expr, texts: Iterable[str], odd: float = ODD) -> Drafts:
        """Yield, for each text, the edit that replaces the node by it. Expressions of an unexpected kind get the weight
        `odd`, or are left out if `odd` is 0."""
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
