"""Which statements a failing assertion depends on: a dynamic backward slice over the last steps of a test.

After Korel and Laski ("Dynamic program slicing", 1988), on statements instead of values: names by frame, attributes by
their name alone, a container's change by the names it is reached through. Calls are followed into and out of frames.
What decided that something did not happen belongs to it too, as in relevant slicing (Gyimothy, Beszedes and Forgacs,
1999): a branch that would have changed what is wanted, and one that would have left before.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from aci.spectrum import Observed, Place
from agent.repair.source import Definition, header, statements

CHANGING = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem"}
)
CHANGING |= {"popleft", "push", "put", "remove", "reverse", "setdefault", "sort", "update", "write"}
"""Methods that change what they are called on; any method does where its answer is dropped."""
LEAVING = ast.Return | ast.Raise | ast.Break | ast.Continue
SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a statement binds, changes and reads: names, and `.name` for attributes. `first` is its line, `above` the
    lines of the statements that decide whether it runs (those around it, and those before it that may leave), `might`
    what the statements inside it bind or change, `parameters` are those of the function around it."""

    first: int
    binds: frozenset[str]
    changes: frozenset[str]
    reads: frozenset[str]
    gives: bool
    above: tuple[int, ...]
    might: frozenset[str]
    parameters: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Outer:
    """What is around a statement."""

    above: tuple[int, ...]
    parameters: frozenset[str]
    aliases: Mapping[str, frozenset[str]]


def facts(tree: ast.Module) -> dict[int, Facts]:
    """Line -> of the innermost statement whose own lines hold it."""
    found: dict[int, Facts] = {}
    _collect(tree, _Outer((), frozenset(), {}), found)
    return found


def sliced(test: Observed, known: Mapping[str, Mapping[int, Facts]]) -> dict[Place, int]:
    """First line of each statement on which the failure depends -> over how many others. `known` has facts by path."""
    return _Slice(test, known).run()


def _collect(node: ast.AST, outer: _Outer, found: dict[int, Facts]) -> None:
    above = outer.above
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            inside: dict[int, Facts] = {}
            if isinstance(child, Definition):
                _collect(child, _Outer((), _parameters(child), _aliases(child)), inside)
            elif isinstance(child, ast.ClassDef):
                _collect(child, _Outer((), frozenset(), {}), inside)
            else:
                _collect(child, replace(outer, above=(child.lineno,)), inside)
            one = _facts(child, replace(outer, above=above), inside.values())
            found.update(inside)
            found.update(dict.fromkeys(header(child), one))
            if isinstance(child, ast.If) and any(isinstance(inner, LEAVING) for inner in statements(child)):
                above = (*above, child.lineno)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            _collect(child, outer, found)


def _aliases(definition: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, frozenset[str]]:
    """Name -> through what else its value is reached: `items` is `.items` after `items = self.items`."""
    found: dict[str, frozenset[str]] = {}
    for node in statements(definition):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute | ast.Subscript):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = found.get(target.id, frozenset()) | frozenset(_root(node.value))
    return found


def _parameters(definition: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    return frozenset(node.arg for node in ast.walk(definition.args) if isinstance(node, ast.arg))


def _facts(statement: ast.stmt, outer: _Outer, inside: Iterable[Facts]) -> Facts:
    binds: set[str] = set()
    changes: set[str] = set()
    reads: set[str] = set()
    dropped = isinstance(statement, ast.Expr)
    for node, inner in _nodes(statement, False):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                reads.add(node.id)
            elif not inner:
                binds.add(node.id)
        elif isinstance(node, ast.Attribute):
            (reads if isinstance(node.ctx, ast.Load) else changes).add(f".{node.attr}")
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            changes.update(_root(node.value))
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and (dropped or node.func.attr in CHANGING):
                changes.update(_root(node.func.value))
            if dropped:
                changes.update(name for argument in node.args for name in _root(argument))
        elif isinstance(node, ast.alias):
            binds.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            binds.add(node.name)
    if isinstance(statement, Definition | ast.ClassDef):
        binds.add(statement.name)
    if isinstance(statement, ast.AugAssign):
        reads.update(_root(statement.target))
    gives = isinstance(statement, ast.Return) or any(
        isinstance(node, ast.Yield | ast.YieldFrom) for node, _ in _nodes(statement, False)
    )
    changes |= {other for name in changes for other in outer.aliases.get(name, ())}
    might: frozenset[str] = frozenset()
    if isinstance(statement, ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try):
        might = frozenset().union(*(one.binds | one.changes | one.might for one in inside))
    return Facts(
        statement.lineno,
        frozenset(binds),
        frozenset(changes),
        frozenset(reads),
        gives,
        outer.above,
        might,
        outer.parameters,
    )


def _nodes(node: ast.AST, inner: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Nodes of a statement without those of the statements inside it, and whether each is in a scope of its own."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.match_case):
            continue
        if isinstance(child, ast.arguments) and isinstance(node, Definition):
            continue
        yield child, inner
        yield from _nodes(child, inner or isinstance(child, SCOPES))


def _root(node: ast.expr) -> Iterator[str]:
    """The name through which a value is reached: `a` of `a[0]`, `.b` of `a.b[0]`."""
    while isinstance(node, ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield f".{node.attr}"


class _Slice:
    """Goes back over the steps with what is wanted: how many dependences away each name is."""

    def __init__(self, test: Observed, known: Mapping[str, Mapping[int, Facts]]) -> None:
        self.calls = test.calls
        self.runs: list[tuple[int, str, Facts]] = []
        """Statements run, in order: frame, path, facts."""
        self.called_at: dict[int, int] = {}
        """Frame -> the number of the run that called it."""
        self.starts: dict[int, int] = {}
        self._read(test.flow, known)
        self.wanted: dict[tuple[int, str], int] = {}
        self.changed: dict[tuple[int, str], int] = {}
        self.decides: dict[tuple[int, int], int] = {}
        self.given: dict[int, int] = {}
        self.forced: dict[int, int] = {}
        self.whole: set[int] = set()
        """Frames all of which counts: nothing was raised, and what should have may be anywhere in them."""
        self.unraised = "not raise" in test.said.lower()
        self.end = self._end(test.trail, known)

    def _read(self, flow: Sequence[tuple[int, str, int]], known: Mapping[str, Mapping[int, Facts]]) -> None:
        last: dict[int, int] = {}
        for frame, path, line in flow:
            one = known.get(path, {}).get(line)
            if one is None:
                continue
            if frame in last and self.runs[last[frame]][2] is one and line != one.first:
                continue
            above = last.get(self.calls.get(frame, 0))
            if frame not in last:
                self.starts[frame] = len(self.runs)
                if above is not None:
                    self.called_at[frame] = above
            last[frame] = len(self.runs)
            self.runs.append((frame, path, one))

    def _end(self, trail: Sequence[Place], known: Mapping[str, Mapping[int, Facts]]) -> int:
        """The last run that belongs to what failed, which is where it raised, or where it was when time was up."""
        for path, line in trail:
            one = known.get(path, {}).get(line)
            at = next((at for at in reversed(range(len(self.runs))) if self.runs[at][2] is one), None)
            if one is not None and at is not None:
                frame = self.runs[at][0]
                inside_it = [
                    place for place, run in enumerate(self.runs) if run[0] == frame and one.first in run[2].above
                ]
                self.forced.update(dict.fromkeys((at, *(inside_it if self.unraised else ())), 0))
                inside = {frame}
                for number, above in sorted(self.calls.items()):
                    if above in inside:
                        inside.add(number)
                return max(place for place, run in enumerate(self.runs) if run[0] in inside)
        if self.runs:
            self.forced[len(self.runs) - 1] = 0
        return len(self.runs) - 1

    def run(self) -> dict[Place, int]:
        found: dict[Place, int] = {}
        met: set[int] = set()
        for at in range(self.end, -1, -1):
            frame, path, one = self.runs[at]
            if frame not in met:
                met.add(frame)
                self._enter(frame, one)
            depth = self._depth(at)
            if depth is not None:
                place = path, one.first
                found[place] = min(depth, found.get(place, depth))
                self._want(frame, one, depth)
            if self.starts[frame] == at and frame in self.called_at:
                depths = [self.wanted[key] for name in one.parameters if (key := (frame, name)) in self.wanted]
                if depths:
                    self._force(self.called_at[frame], min(depths) + 1)
        return found

    def _depth(self, at: int) -> int | None:
        """Over how many others the failure depends on this run of a statement, None if it does not."""
        frame, _, one = self.runs[at]
        depths = [self.forced[at]] if at in self.forced else []
        depths += [self.wanted.pop(key) + 1 for name in one.binds if (key := (frame, name)) in self.wanted]
        for name in (*one.changes, *one.might):
            key = (0 if name[0] == "." else frame, name)
            depths += [held[key] + 1 for held in (self.wanted, self.changed) if key in held]
        if (frame, one.first) in self.decides:
            depths.append(self.decides.pop((frame, one.first)) + 1)
        if frame in self.given and (one.gives or frame in self.whole):
            depths.append(self.given[frame] + 1)
        return min(depths, default=None)

    def _want(self, frame: int, one: Facts, depth: int) -> None:
        for name in one.reads:
            key = (0 if name[0] == "." else frame, name)
            self.wanted[key] = min(depth, self.wanted.get(key, depth))
        for line in one.above:
            self.decides[(frame, line)] = min(depth, self.decides.get((frame, line), depth))

    def _enter(self, frame: int, last: Facts) -> None:
        """Met a frame at its end: is what it answers wanted, or what it changes of what it was given?"""
        if frame not in self.called_at:
            return
        at = self.called_at[frame]
        above, _, call = self.runs[at]
        depths = [self.forced[at]] if at in self.forced else []
        names = [*call.binds, *call.changes, *call.might]
        keys = [(0 if name[0] == "." else above, name) for name in names]
        depths += [self.wanted[key] + 1 for key in keys if key in self.wanted]
        if (above, call.first) in self.decides:
            depths.append(self.decides[(above, call.first)] + 1)
        if call.gives and above in self.given:
            depths.append(self.given[above] + 1)
        if depths:
            self.given[frame] = min(depths)
            if self.unraised and self.forced.get(at) == 0:
                self.whole.add(frame)
        passed = [self.wanted[key] for name in call.reads if (key := (above, name)) in self.wanted]
        if passed:
            for name in last.parameters:
                self.changed[(frame, name)] = min(passed) + 1

    def _force(self, at: int, depth: int) -> None:
        self.forced[at] = min(depth, self.forced.get(at, depth))
