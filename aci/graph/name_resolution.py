"""Resolution of the names in a file to symbols anywhere in the tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from aci.graph.outline import BASE, CALL, CLASS, USE, Outline
from aci.graph.scope_bindings import MODULE, SELF
from aci.graph.value_inference import FULL_DEPTH, MOST_PARTS, PYTHON, UNTYPED_DEPTH, Value, ValueInference, Values

IMPORT = "import"
NOT_VIRTUAL = frozenset(("__init__", "__new__", "__init_subclass__", "__class_getitem__"))
STRING_METHODS = frozenset(dir(str)).difference(dir(list), dir(dict))
RECEIVER_NAMES = SELF | {"super()", "super"}
Target: TypeAlias = tuple[str, int, float]
NOT_LOOKED_UP: list[Target] = []
"""A marker for a name that has not been looked up yet."""


class Edge(NamedTuple):
    """An edge from a reference to its target, or to one of several possible targets."""

    symbol: int
    """Index of the referring symbol in its file's outline, -1 for the module."""
    kind: str
    """`call`, `use`, `import` or `base` (from a class to its base class, or from a method to the method that it
    overrides)."""
    path: str
    target: int
    """Index in the outline of `path`, -1 for the file itself."""
    weight: float
    """From 0 to 1; the weights of an ambiguous reference's possible targets add up to 1."""
    line: int


class LooseReference(NamedTuple):
    """An attribute of an unknown receiver, which may mean any definition in the tree with that bare name."""

    symbol: int
    kind: str
    name: str
    line: int


class ResolvedReferences(NamedTuple):
    """The resolved references of one file."""

    edges: tuple[Edge, ...]
    loose: tuple[LooseReference, ...]
    reached: frozenset[str]
    """Paths whose outlines were used: the result is valid until one of them, or the set of paths, changes."""


class Resolver:
    """Resolver of the references in the files of one tree. `outlines` may be lazy: only the outlines that are needed
    are read."""

    def __init__(self, outlines: Mapping[str, Outline]) -> None:
        self._meanings = ValueInference(outlines)
        self._paths = frozenset(outlines)
        self._values_by_name: dict[tuple[int, str], Values] = {}

    def resolve(self, path: str) -> ResolvedReferences:
        """Resolve the references of the file at `path`. Raises KeyError for a path that is not in the tree."""
        self._meanings.dependencies = set()
        self._values_by_name = {}
        edges = [*self._import_edges(path), *self._override_edges(path)]
        loose: list[LooseReference] = []
        self._add_references(path, edges, loose)
        return ResolvedReferences(tuple(edges), tuple(loose), frozenset(self._meanings.dependencies))

    def _import_edges(self, path: str) -> Iterator[Edge]:
        for one in self._meanings.names(path).outline.imports:
            ends = self._meanings.imported(path, one)
            targets = dict.fromkeys(
                (at, end if isinstance(end, int) else MODULE) for at, end in ends if at in self._paths
            )
            for at, target in targets:
                yield Edge(one.symbol, IMPORT, at, target, 1 / len(targets), one.line)

    def _override_edges(self, path: str) -> Iterator[Edge]:
        """Yield an edge from each method to the method that it overrides, if that is in the tree."""
        names = self._meanings.names(path)
        for index, symbol in enumerate(names.symbols):
            if symbol.kind == CLASS or symbol.parent not in names.bases or symbol.bare in NOT_VIRTUAL:
                continue
            for at, target, instance in self._meanings.inherited(path, symbol.parent, symbol.bare, UNTYPED_DEPTH)[0]:
                if target >= 0 and not instance and (at, target) != (path, index):
                    yield Edge(index, BASE, at, target, 1.0, symbol.header)

    def _add_references(self, path: str, edges: list[Edge], loose: list[LooseReference]) -> None:
        names = self._meanings.names(path)
        known: dict[tuple[str, str, int], list[Target] | None] = {}
        read: dict[tuple[str, int], list[Target]] = {}
        members_in_scope = not path.endswith(PYTHON)
        new = tuple.__new__  # faster than calling the class: most of the time is spent on creating these rows
        for kind, name, line, symbol in names.outline.references:
            head, _, rest = name.partition(".")
            scope = names.class_around(symbol) if head in RECEIVER_NAMES else names.scope_of(head, symbol)
            if scope == MODULE and members_in_scope:
                scope = names.class_around(symbol)
            key = kind, name, scope
            targets = known.get(key, NOT_LOOKED_UP)
            if targets is NOT_LOOKED_UP:
                targets = known[key] = self._targets(path, *key)
            if targets is None:
                bare = name.rpartition(".")[2]
                if not (bare.startswith("__") and bare.endswith("__")):
                    loose.append(new(LooseReference, (symbol, kind, bare, line)))
            else:
                for at, target, weight in targets:
                    edges.append(new(Edge, (symbol, kind, at, target, weight, line)))
            if "." in rest:
                before = name.rpartition(".")[0]
                if (before, scope) not in read:
                    read[before, scope] = self._properties(path, before, scope)
                for at, target, weight in read[before, scope]:
                    edges.append(Edge(symbol, USE, at, target, weight, line))

    def _properties(self, path: str, name: str, scope: int) -> list[Target]:
        """Return the properties that are read when a dotted name is evaluated."""
        receiver, dot, last = name.rpartition(".")
        if not dot:
            return []
        found = self._properties(path, receiver, scope)
        meanings = self._meanings
        for value in self._values(path, scope, receiver):
            members = meanings.raw_attribute(value, last, FULL_DEPTH)[0] if value[2] else ()
            found += [(one[0], one[1], 1 / len(members)) for one in members if meanings.is_property(one)]
        return found

    def _targets(self, path: str, kind: str, name: str, scope: int) -> list[Target] | None:
        """Return the targets of a reference, with weights; None for an attribute of an unknown receiver."""
        receiver, dot, last = name.rpartition(".")
        meanings = self._meanings
        if receiver == "?" and last in STRING_METHODS:
            return []
        if not dot:
            return self._weighted_targets(kind, self._values(path, scope, name))
        if receiver in ("super()", "super"):
            found, is_known = meanings.inherited(path, scope, last, FULL_DEPTH) if scope >= 0 else ((), False)
            return self._weighted_targets(kind, found) if is_known else None
        values: list[Value] = []
        any_known = False
        for value in self._values(path, scope, receiver):
            found, is_known = meanings.raw_attribute(value, last, FULL_DEPTH)
            values += found
            any_known = any_known or is_known
        return self._weighted_targets(kind, values) if any_known else None

    def _values(self, path: str, scope: int, dotted: str) -> Values:
        """Return the values of a dotted name in the file that is being resolved."""
        found = self._values_by_name.get((scope, dotted))
        if found is None:
            before, dot, last = dotted.rpartition(".")
            meanings = self._meanings
            if dotted.count(".") > MOST_PARTS:
                found = ()
            elif dot:
                found = meanings.attribute(self._values(path, scope, before), last, FULL_DEPTH)
            else:
                found = meanings.named(path, scope, last, FULL_DEPTH)
            self._values_by_name[scope, dotted] = found
        return found

    def _weighted_targets(self, kind: str, values: Sequence[Value]) -> list[Target]:
        if not values:
            return []
        groups = [group for value in dict.fromkeys(values) if (group := self._definitions_run(kind, value))]
        share = 1 / len(groups) if groups else 0.0
        return [(path, index, share) for group in groups for path, index in group]

    def _definitions_run(self, kind: str, value: Value) -> list[tuple[str, int]]:
        """Return the definitions that run when a value is called or used."""
        path, index, instance = value
        if index < 0:
            return []
        is_class = self._meanings.names(path).symbols[index].kind == CLASS
        if not is_class or (not instance and kind != CALL):
            return [(path, index)]
        if kind != CALL:
            return []
        makers = ("__call__",) if instance else ("__init__", "__new__")
        run = [
            one[:2]
            for name in makers
            for one in self._meanings.in_class(path, index, name, FULL_DEPTH)[0]
            if not one[2]
        ]
        run = [one for one in run if one[1] >= 0]
        return run if instance else [(path, index), *run]
