"""The statements on which a failing assertion depends: a dynamic backward slice over the last steps of a test.

Based on Korel and Laski ("Dynamic program slicing", 1988), but on statements instead of values. Names are tracked by
frame, attributes by name only, and changes of a container by the names through which it is accessed. Calls are followed
into and out of frames. As in relevant slicing (Gyimothy, Beszedes and Forgacs, 1999), the slice includes conditions
that prevented an effect: a branch that would have changed a relevant value, and a branch that would have exited
earlier.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from extensions.experiment.evaluator.spectrum import Place, TracedTest
from extensions.experiment.source.source_file import Definition, header, statements

CHANGING = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem"}
)
CHANGING |= {"popleft", "push", "put", "remove", "reverse", "setdefault", "sort", "update", "write"}
"""Methods that change their receiver. Any other method is assumed to change its receiver if the method's result is not
used."""
LEAVING = ast.Return | ast.Raise | ast.Break | ast.Continue
SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class StatementFacts:
    """The names that a statement binds, changes and reads; attributes are written `.name`.

    `first` is the line on which the statement starts. `gives` says whether it returns or yields a value. `above` are
    the lines of the statements that decide whether it runs (those that enclose it, and earlier ones that may exit).
    `might` are the names that the statements inside it bind or change. `parameters` are those of the function that
    encloses it.
    """

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
    """The context of a statement."""

    above: tuple[int, ...]
    parameters: frozenset[str]
    aliases: Mapping[str, frozenset[str]]


def statement_facts(tree: ast.Module) -> dict[int, StatementFacts]:
    """Map each line to the facts of the innermost statement whose own lines contain it."""
    found: dict[int, StatementFacts] = {}
    _collect(tree, _Outer((), frozenset(), {}), found)
    return found


def slice_failure(test: TracedTest, known: Mapping[str, Mapping[int, StatementFacts]]) -> dict[Place, int]:
    """Map the first line of each statement on which the failure depends to its distance from the failure, counted in
    dependences.

    `known` holds the facts about statements, by path and line.
    """
    return _Slice(test, known).run()


def _collect(node: ast.AST, outer: _Outer, found: dict[int, StatementFacts]) -> None:
    above = outer.above
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            inside: dict[int, StatementFacts] = {}
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
    """Map each name to other names of the same value: `items` to `.items` after `items = self.items`."""
    found: dict[str, frozenset[str]] = {}
    for node in statements(definition):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute | ast.Subscript):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = found.get(target.id, frozenset()) | frozenset(_root(node.value))
    return found


def _parameters(definition: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    return frozenset(node.arg for node in ast.walk(definition.args) if isinstance(node, ast.arg))


def _facts(statement: ast.stmt, outer: _Outer, inside: Iterable[StatementFacts]) -> StatementFacts:
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
    return StatementFacts(
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
    """Yield the nodes of a statement without those of inner statements, and whether each is inside a lambda or
    comprehension."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.match_case):
            continue
        if isinstance(child, ast.arguments) and isinstance(node, Definition):
            continue
        yield child, inner
        yield from _nodes(child, inner or isinstance(child, SCOPES))


def _root(node: ast.expr) -> Iterator[str]:
    """Yield the name through which a value is reached: `a` for `a[0]`, `.b` for `a.b[0]`."""
    while isinstance(node, ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield f".{node.attr}"


class _Slice:
    """A backward traversal of the steps that tracks the relevant names and the number of dependences between each name
    and the failure."""

    def __init__(self, test: TracedTest, known: Mapping[str, Mapping[int, StatementFacts]]) -> None:
        self.calls = test.calls
        self.runs: list[tuple[int, str, StatementFacts]] = []
        """The executed statements, in order: frame, path, facts."""
        self.called_at: dict[int, int] = {}
        """For each frame, the index in `runs` of the statement that called it."""
        self.starts: dict[int, int] = {}
        self._read(test.flow, known)
        self.wanted: dict[tuple[int, str], int] = {}
        self.changed: dict[tuple[int, str], int] = {}
        self.decides: dict[tuple[int, int], int] = {}
        self.given: dict[int, int] = {}
        self.forced: dict[int, int] = {}
        self.whole: set[int] = set()
        """Frames in which all statements are relevant, since an expected exception was not raised and the `raise` may
        be missing anywhere in them."""
        self.unraised = "not raise" in test.said.lower()
        self.end = self._end(test.trail, known)

    def _read(self, flow: Sequence[tuple[int, str, int]], known: Mapping[str, Mapping[int, StatementFacts]]) -> None:
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

    def _end(self, trail: Sequence[Place], known: Mapping[str, Mapping[int, StatementFacts]]) -> int:
        """Return the index in `runs` of the last statement that belongs to the failure, which is an exception or a
        time-out."""
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
        """Return the number of dependences between this execution of a statement and the failure, or None if the
        failure does not depend on it."""
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

    def _want(self, frame: int, one: StatementFacts, depth: int) -> None:
        for name in one.reads:
            key = (0 if name[0] == "." else frame, name)
            self.wanted[key] = min(depth, self.wanted.get(key, depth))
        for line in one.above:
            self.decides[(frame, line)] = min(depth, self.decides.get((frame, line), depth))

    def _enter(self, frame: int, last: StatementFacts) -> None:
        """Process the end of a frame: record whether its result or its changes to its arguments are relevant."""
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
