"""From the names of one file to the symbols they mean, in the other files of the same tree too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from aci.graph.outline import BASE, CALL, CLASS, USE, Outline
from aci.graph.resolve_names import MODULE, SELF
from aci.graph.resolve_values import DEEP, MOST_PARTS, PLAIN, PYTHON, Meanings, Value, Values

IMPORT = "import"
NOT_VIRTUAL = frozenset(("__init__", "__new__", "__init_subclass__", "__class_getitem__"))
OF_STRINGS = frozenset(dir(str)).difference(dir(list), dir(dict))
CONVENTIONAL = SELF | {"super()", "super"}
Target: TypeAlias = tuple[str, int, float]
NEW: list[Target] = []
"""Stands for what was not looked up yet."""


class Edge(NamedTuple):
    """A reference whose meaning is known, or one of the few that it may have."""

    symbol: int
    """Index of the referring symbol in its file's outline, -1 for the module."""
    kind: str
    """`call`, `use`, `import`, or `base`: of a class what it inherits from, of a method what it overrides."""
    path: str
    target: int
    """Index in the outline of `path`, -1 for the file itself."""
    weight: float
    """0 to 1: targets between which nothing decides share it."""
    line: int


class Loose(NamedTuple):
    """An attribute of something nobody knows: any definition in the tree with that bare name may be meant."""

    symbol: int
    kind: str
    name: str
    line: int


class Resolved(NamedTuple):
    edges: tuple[Edge, ...]
    loose: tuple[Loose, ...]
    reached: frozenset[str]
    """Paths whose outlines had a say: as long as none of them changes, nor the set of paths, the result stands."""


class Resolver:
    """Resolves the files of one tree. `outlines` may be lazy: only outlines that are reached are asked for."""

    def __init__(self, outlines: Mapping[str, Outline]) -> None:
        self._meanings = Meanings(outlines)
        self._paths = frozenset(outlines)
        self._held: dict[tuple[int, str], Values] = {}

    def resolve(self, path: str) -> Resolved:
        """What the references of the file at `path` mean. Raises KeyError for a path that the tree has not."""
        self._meanings.seen = set()
        self._held = {}
        edges = [*self._imports(path), *self._overridden(path)]
        loose: list[Loose] = []
        self._references(path, edges, loose)
        return Resolved(tuple(edges), tuple(loose), frozenset(self._meanings.seen))

    def _imports(self, path: str) -> Iterator[Edge]:
        for one in self._meanings.names(path).outline.imports:
            ends = self._meanings.imported(path, one)
            targets = dict.fromkeys(
                (at, end if isinstance(end, int) else MODULE) for at, end in ends if at in self._paths
            )
            for at, target in targets:
                yield Edge(one.symbol, IMPORT, at, target, 1 / len(targets), one.line)

    def _overridden(self, path: str) -> Iterator[Edge]:
        """From each method to the one it overrides, if that is in the tree: a call of this may mean that."""
        names = self._meanings.names(path)
        for index, symbol in enumerate(names.symbols):
            if symbol.kind == CLASS or symbol.parent not in names.bases or symbol.bare in NOT_VIRTUAL:
                continue
            for at, target, instance in self._meanings.inherited(path, symbol.parent, symbol.bare, PLAIN)[0]:
                if target >= 0 and not instance and (at, target) != (path, index):
                    yield Edge(index, BASE, at, target, 1.0, symbol.header)

    def _references(self, path: str, edges: list[Edge], loose: list[Loose]) -> None:
        names = self._meanings.names(path)
        known: dict[tuple[str, str, int], list[Target] | None] = {}
        read: dict[tuple[str, int], list[Target]] = {}
        members_are_seen = not path.endswith(PYTHON)
        new = tuple.__new__  # most of the time goes into these rows
        for kind, name, line, symbol in names.outline.references:
            head, _, rest = name.partition(".")
            scope = names.class_around(symbol) if head in CONVENTIONAL else names.scope_of(head, symbol)
            if scope == MODULE and members_are_seen:
                scope = names.class_around(symbol)
            key = kind, name, scope
            targets = known.get(key, NEW)
            if targets is NEW:
                targets = known[key] = self._targets(path, *key)
            if targets is None:
                bare = name.rpartition(".")[2]
                if not (bare.startswith("__") and bare.endswith("__")):
                    loose.append(new(Loose, (symbol, kind, bare, line)))
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
        """The properties that are read on the way along a dotted name."""
        receiver, dot, last = name.rpartition(".")
        if not dot:
            return []
        found = self._properties(path, receiver, scope)
        meanings = self._meanings
        for value in self._values(path, scope, receiver):
            held = meanings.raw_attribute(value, last, DEEP)[0] if value[2] else ()
            found += [(one[0], one[1], 1 / len(held)) for one in held if meanings.is_property(one)]
        return found

    def _targets(self, path: str, kind: str, name: str, scope: int) -> list[Target] | None:
        """What a reference means, with weights; None if an attribute of something unknown."""
        receiver, dot, last = name.rpartition(".")
        meanings = self._meanings
        if receiver == "?" and last in OF_STRINGS:
            return []
        if not dot:
            return self._weighed(kind, self._values(path, scope, name))
        if receiver in ("super()", "super"):
            found, there = meanings.inherited(path, scope, last, DEEP) if scope >= 0 else ((), False)
            return self._weighed(kind, found) if there else None
        values: list[Value] = []
        anywhere = False
        for value in self._values(path, scope, receiver):
            found, there = meanings.raw_attribute(value, last, DEEP)
            values += found
            anywhere = anywhere or there
        return self._weighed(kind, values) if anywhere else None

    def _values(self, path: str, scope: int, dotted: str) -> Values:
        """What a dotted name holds in the file that is being resolved."""
        found = self._held.get((scope, dotted))
        if found is None:
            before, dot, last = dotted.rpartition(".")
            meanings = self._meanings
            if dotted.count(".") > MOST_PARTS:
                found = ()
            elif dot:
                found = meanings.attribute(self._values(path, scope, before), last, DEEP)
            else:
                found = meanings.named(path, scope, last, DEEP)
            self._held[scope, dotted] = found
        return found

    def _weighed(self, kind: str, values: Sequence[Value]) -> list[Target]:
        if not values:
            return []
        groups = [group for value in dict.fromkeys(values) if (group := self._meant(kind, value))]
        share = 1 / len(groups) if groups else 0.0
        return [(path, index, share) for group in groups for path, index in group]

    def _meant(self, kind: str, value: Value) -> list[tuple[str, int]]:
        """The definitions that a call or use of a value runs."""
        path, index, instance = value
        if index < 0:
            return []
        is_class = self._meanings.names(path).symbols[index].kind == CLASS
        if not is_class or (not instance and kind != CALL):
            return [(path, index)]
        if kind != CALL:
            return []
        makers = ("__call__",) if instance else ("__init__", "__new__")
        run = [one[:2] for name in makers for one in self._meanings.in_class(path, index, name, DEEP)[0] if not one[2]]
        run = [one for one in run if one[1] >= 0]
        return run if instance else [(path, index), *run]
