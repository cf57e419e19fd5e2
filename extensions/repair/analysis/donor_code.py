"""Code fragments of a function that repairs can reuse: its names, expressions, conditions and return values."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cached_property
from itertools import permutations

from extensions.experiment.source.source_file import Definition, Source
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_module
from extensions.repair.analysis.callable_library import Library
from extensions.repair.analysis.name_usage import FunctionFacts, ScopeUsage, names_of, unique
from extensions.repair.analysis.value_types import INDEXED, ITERABLE, NUMBER, SIZED, TEXT, Scope, Types

LONGEST = 48
MOST_NAMES, MOST_ATOMS, MOST_PAIRS, MOST_RENAMED = 16, 40, 8, 400
PARAMETER = 3
"""The distance in lines that is assumed for a parameter, which is in scope everywhere."""
BUILTINS = ("any", "all", "min", "max", "len", "sum", "abs", "sorted", "reversed", "list", "set", "tuple", "range")
OBJECTS = ("self", "cls")


class Donors:
    """Text fragments taken from one function (or the module level).

    Each list is in the order of first use. After `at(statement)`, each list holds the texts that are in scope there,
    nearest first.
    """

    def __init__(
        self, source: Source, holder: ast.AST, library: Library | None = None, types: Types | None = None
    ) -> None:
        self.source = source
        self.holder = holder
        self.line: int | None = None
        self.inside = 0
        """The line of the statement if it is a definition, whose inner names are not bound yet."""
        self._read = FunctionFacts(source, holder, library, types)

    def at(self, statement: ast.stmt) -> Donors:
        """Return the fragments as seen from one statement."""
        found = object.__new__(Donors)
        found.source, found.holder, found._read = self.source, self.holder, self._read
        found.line, found.inside = statement.lineno, 0
        if statement is self.holder:
            found.visible = frozenset()
        elif isinstance(statement, Definition):
            found.inside = statement.lineno
        return found

    @property
    def library(self) -> Library:
        """The repository's definitions, or only those of the file if no library was given."""
        return self._read.library

    @property
    def scope(self) -> Scope:
        """The known types of names and expressions."""
        return self._read.scope

    @property
    def statements(self) -> list[ast.stmt]:
        return self._read.statements

    @property
    def nodes(self) -> list[ast.AST]:
        """The nodes of all statements of the function."""
        return self._read.nodes

    @property
    def local(self) -> frozenset[str]:
        """All names that the function binds, in scope or not."""
        return self._read.local

    @cached_property
    def visible(self) -> frozenset[str]:
        """Names of the function that may be bound here."""
        line = self.line
        if line is None:
            return self._read.bound
        around = [loop for loop in self._read.loops if line in loop]
        return frozenset(
            name
            for name, first, region in self._read.bindings
            if line in region
            and region.start != self.inside
            and (first <= line or any(first in loop for loop in around))
        )

    @cached_property
    def names(self) -> list[str]:
        """Parameters and names bound in the function."""
        at_hand = [ScopeUsage(name, (self.line or 0) - PARAMETER, frozenset([name])) for name in names_of(self.holder)]
        return self._ranked([*self._read.names, *at_hand])[:MOST_NAMES]

    @cached_property
    def plain(self) -> list[str]:
        """The names without `self` and `cls`."""
        return [name for name in self.names if name not in OBJECTS]

    @cached_property
    def called(self) -> list[str]:
        """Names of functions that are visible or called in the file, and builtins that are often confused."""
        return unique([*self.library.called(self.source), *BUILTINS])

    @cached_property
    def globals(self) -> list[str]:
        """Names assigned at the module's level."""
        return self.library.assigned(self.source)

    @cached_property
    def constants(self) -> list[str]:
        """Literals of the function."""
        return self._ranked(self._read.constants)

    @cached_property
    def numbers(self) -> list[str]:
        """Numeric constants: those of the module by name, then the numbers of the function except 0 and 1."""
        literals = [text for text in self.constants if text[:1].isdigit() and text not in ("0", "1", "0.0", "1.0")]
        return unique([*self.library.numbers(self.source), *literals])

    @cached_property
    def atoms(self) -> list[str]:
        """Names and short expressions that have a value: `node.next`, `arr[0]`, `len(arr)`, `a - b`."""
        lengths = [f"len({name})" for name in self.sized]
        return unique([*self.plain, *self.terms, *lengths])[:MOST_ATOMS]

    @cached_property
    def terms(self) -> list[str]:
        """The short expressions of the function that have a value and are not plain names."""
        return [text for text in self._ranked(self._read.terms) if short(text)]

    def inner(self, names: Iterable[str]) -> list[str]:
        """Return short expressions that use one of these names, such as the variables of a comprehension."""
        wanted, known, local = frozenset(names), self.visible.union(names), self._read.local
        found = [one for one in self._read.terms if one.reads & wanted and one.reads & local <= known]
        return unique(one.text for one in found if short(one.text))[:MOST_ATOMS]

    @cached_property
    def sized(self) -> list[str]:
        """Names used as containers: subscripted, iterated, passed to len(), with a container method or type."""
        seen = [name for name in self.plain if self.scope.of(name) & SIZED]
        known = unique([*self._read.measured, *self.containers, *seen])
        return [name for name in known if name in self.names and self._may_be(name, SIZED)]

    @cached_property
    def containers(self) -> dict[str, str]:
        """Map of each name to the kind of an empty or literal container that it is bound to (`list`, `set`, `dict`,
        `deque`)."""
        return {name: kind for name, kind in self._read.containers.items() if name in self.visible}

    @cached_property
    def conditions(self) -> list[str]:
        """Conditions of the function, followed by generated ones that use one or two names."""
        there = self._ranked(self._read.conditions)
        single: list[str] = []
        for one in [text for text in self.atoms if text.replace(".", "").replace("_", "").isalnum()]:
            single += [f"not {one}", f"{one} is None", one]
            if self._may_be(one, NUMBER):
                single += [f"{one} == 0", f"{one} < 0", f"{one} == 1", f"{one} > 0"]
        single += [f"len({one}) {test}" for one in self.sized for test in ("== 0", "== 1", "<= 1", "> 1")]
        pairs: list[str] = []
        for left, right in permutations(self.plain[:MOST_PAIRS], 2):
            holds = self._may_be(right, ITERABLE)
            if holds:
                pairs.append(f"{left} in {right}")
            if left < right:
                pairs += [f"{left} {operator} {right}" for operator in self._comparisons(left, right)]
            elif holds:
                pairs.append(f"{left} not in {right}")
        renamed = [text for one in there for text in self.renamed(one)]
        return [text for text in unique([*there, *single, *renamed[:MOST_RENAMED], *pairs]) if short(text)]

    @cached_property
    def returns(self) -> list[str]:
        """The values that the function returns, and those that a guard usually returns."""
        texts = self._ranked(self._read.returned)
        rest = ["None", "[]", "0", "True", "False", "''", "1", "-1", "{}"]
        lists = [f"[{name}]" for name in self.plain]
        return [text for text in unique([*texts, *self.plain, *rest, *lists]) if short(text)]

    @cached_property
    def simple(self) -> list[str]:
        """One-line statements of the function that may be copied."""
        return [text for text in self._ranked(self._read.simple) if short(text)]

    def renamed(self, text: str) -> list[str]:
        """Return copies of a statement or expression in which one name is replaced by another in scope, either at all
        its uses or at a single one."""
        found = []
        data = text.encode()
        for old, places in self._uses(text).items():
            groups = [places] if len(places) == 1 else [places, *([place] for place in places)]
            for new in self.plain:
                if new != old:
                    found += [_put(data, group, new) for group in groups]
        return found

    def _uses(self, text: str) -> dict[str, list[tuple[int, int]]]:
        """Return the positions at which a one-line text uses names of the function."""
        try:
            tree = parse_module(text)
        except UNREADABLE:
            return {}
        uses: dict[str, list[tuple[int, int]]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in self.names and node.lineno == 1:
                uses.setdefault(node.id, []).append((node.col_offset, node.end_col_offset or 0))
        return uses

    def _ranked(self, seen: Iterable[ScopeUsage]) -> list[str]:
        """Return the texts without duplicates, in the order given or, for a statement, only those in scope, nearest
        first."""
        if self.line is None:
            return unique(one.text for one in seen)
        local = self._read.local
        nearest: dict[str, int] = {}
        for one in seen:
            if one.reads & local <= self.visible:
                away = abs(one.line - self.line)
                nearest[one.text] = min(away, nearest.get(one.text, away))
        return sorted(nearest, key=lambda text: nearest[text])

    def _may_be(self, text: str, kinds: frozenset[str]) -> bool:
        return self.scope.fits(text, kinds)

    def _comparisons(self, left: str, right: str) -> list[str]:
        kinds = self.scope.of(left)
        if not self._may_be(right, kinds):
            return []
        ordered = not kinds or bool(kinds & (NUMBER | TEXT | INDEXED))
        return ["==", "!=", "<", ">", "<=", ">="] if ordered else ["==", "!=", "is", "is not"]


def short(text: str) -> bool:
    return len(text) <= LONGEST and "\n" not in text


def _put(data: bytes, places: list[tuple[int, int]], new: str) -> str:
    for start, end in sorted(places, reverse=True):
        data = data[:start] + new.encode() + data[end:]
    return data.decode()
