"""Whether a repaired file does what the original did: the same tree, or the same answers on many calls."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from aci.performance.equivalence import collect_answers, describe_differences, is_conclusive
from aci.performance.target_function import Function, Target, iter_functions
from aci.performance.workload_inputs import InputCall, record_calls, vary_calls
from aci.runtime.workspace import Workspace
from trajectories.errors import UsageError

WANTED, RECORDED, VARIED, SEEDS, MOST_CALLERS = 200, 64, 220, (1, 2), 4
SECONDS, PATIENCE = 2.0, 10.0
"""That one call of the original may take, and one of the repaired file."""
FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}
OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@dataclass(frozen=True, slots=True)
class Agreement:
    """How it was found out: `tree`, `inputs` (all of at least 200 answered alike), `differs` (`told` says where), or
    `unknown` where none of them differs, but fewer could be made, or none that runs one of the functions."""

    how: str
    inputs: int = 0
    told: str = ""

    @property
    def is_equal(self) -> bool:
        return self.how in ("tree", "inputs")


class _Normal(ast.NodeTransformer):
    """Ways of writing that mean the same become one."""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) == 1 and type(node.ops[0]) in FLIPPED:
            return ast.Compare(node.comparators[0], [FLIPPED[type(node.ops[0])]()], [node.left])
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        inner = node.operand
        opposite = OPPOSITE.get(type(inner.ops[0])) if isinstance(inner, ast.Compare) and len(inner.ops) == 1 else None
        if isinstance(node.op, ast.Not) and isinstance(inner, ast.Compare) and opposite:
            return ast.Compare(inner.left, [opposite()], inner.comparators)
        if isinstance(node.op, ast.USub) and isinstance(inner, ast.Constant) and isinstance(inner.value, int | float):
            return ast.Constant(-inner.value)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if node.orelse and isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
            return ast.If(node.test.operand, node.orelse, node.body)
        return node


def normal(data: bytes) -> str:
    """A text that is equal for files that differ in formatting, comments, docstrings, `pass` and negations only.

    Raises SyntaxError or ValueError.
    """
    return _dump(ast.parse(data))


def _dump(tree: ast.AST) -> str:
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, [one for one in block if not _says_nothing(one)])
    return ast.dump(_Normal().visit(tree))


def _says_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def changed(before: bytes, after: bytes) -> tuple[list[str], bool]:
    """The functions that differ, and whether anything else does. Raises SyntaxError or ValueError.

    A name that is defined more than once, as of a property's getter and setter, calls nobody knows which of them: what
    differs there is something else.
    """
    trees = [ast.parse(data) for data in (before, after)]
    listed = [[name for name, _ in iter_functions(tree)] for tree in trees]
    several = {name for names in listed for name in names if names.count(name) > 1}
    old, new = ({name: _dump(one) for name, one in iter_functions(tree) if name not in several} for tree in trees)
    names = [name for name in old if name in new and old[name] != new[name]]
    return names, _outside(before, several) != _outside(after, several)


def _outside(data: bytes, several: Collection[str]) -> str:
    """All but what the functions do that are defined once."""
    tree = ast.parse(data)
    for name, function in iter_functions(tree):
        if name not in several:
            function.body = []
            function.args = ast.arguments([], [], None, [], [], None, [])
    return _dump(tree)


def agreement(
    room: Workspace, command: str, path: str, original: bytes, repaired: bytes, asked: Sequence[str] = ()
) -> Agreement:
    """Compare two versions of a file on calls recorded from a command and varied; `asked` are functions to look at
    before those that differ. All of these are looked at, and where some answer no call, or all of them too few, their
    callers. Leaves the original in the room."""
    if normal(original) == normal(repaired):
        return Agreement("tree")
    names, elsewhere = changed(original, repaired)
    if elsewhere:
        return Agreement("unknown", 0, "something differs outside of functions, or in one whose name there is twice")
    total, silent = 0, set(names)
    own = dict.fromkeys([*asked, *names])
    for name, seen in (*((name, {name}) for name in own), *_callers(original, list(own))):
        if name not in own and total >= WANTED and not silent:
            break
        count, told = _compared(room, command, Target(path, name), original, repaired)
        total += count
        if told:
            return Agreement("differs", total, told)
        if count:
            silent -= seen
    return Agreement("inputs" if total >= WANTED and not silent else "unknown", total)


def _callers(data: bytes, names: Sequence[str]) -> Iterator[tuple[str, set[str]]]:
    """Functions of the file that call some of these, each with those it calls."""
    found = 0
    for caller, function in iter_functions(ast.parse(data)):
        called = _called(function)
        inside = {name for name in names if name.rpartition(".")[2] in called}
        if caller not in names and inside and found < MOST_CALLERS:
            found += 1
            yield caller, inside


def _called(function: Function) -> set[str]:
    found = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    return found | {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}


def _compared(room: Workspace, command: str, target: Target, original: bytes, repaired: bytes) -> tuple[int, str]:
    """(calls that the original answers in the same way each time, where the repaired one differs on them)."""
    room.write(target.path, original)
    try:
        calls: list[InputCall] = list(record_calls(room, target, command, RECORDED, 120))
        for seed in SEEDS:
            if calls and len(calls) < WANTED:
                calls += vary_calls(room, target, calls[:RECORDED], VARIED, seed)
        first, second = (collect_answers(room, target, calls, SECONDS, seed) for seed in (0, 1))
        steady = [n for n, one in enumerate(first) if is_conclusive(one) and one == second[n]]
        kept = list({calls[n].data: n for n in steady}.values())
        room.write(target.path, repaired)
        after = collect_answers(room, target, [calls[n] for n in kept], PATIENCE)
    except UsageError as error:
        return 0, "" if room.read(target.path) == original else error.message
    finally:
        room.write(target.path, original)
    told = describe_differences([first[n] for n in kept], after)
    return len(kept), told[0] if told else ""
