"""Equivalence of a repaired file and the original: the same syntax tree, or the same answers to many calls."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from aci.runtime.target_function import Function, Target, iter_functions
from aci.runtime.workspace import Workspace
from extensions.optimize.measurement.equivalence import collect_answers, describe_differences, is_conclusive
from extensions.optimize.measurement.input_calls import InputCall
from extensions.optimize.measurement.workload_inputs import record_calls, vary_calls
from trajectories.errors import UsageError

MIN_INPUTS, RECORDED, VARIED, SEEDS, MAX_CALLERS = 200, 64, 220, (1, 2), 4
SECONDS, REPAIRED_SECONDS = 2.0, 10.0
"""Time limits of one call of the original and of the repaired file."""
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
    """The result of a comparison.

    `how` is `tree`, `inputs` (the same answers to at least 200 inputs), `differs` (`detail` says where), or `unknown`
    (no answer differs, but there are too few inputs, or none that runs one of the functions).
    """

    how: str
    inputs: int = 0
    detail: str = ""

    @property
    def is_equal(self) -> bool:
        return self.how in ("tree", "inputs")


class _Normal(ast.NodeTransformer):
    """Normalises equivalent notations."""

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
    """Return a text that is equal for files that differ only in formatting, comments, docstrings, `pass` and negations.

    Raises SyntaxError or ValueError.
    """
    return _dump(ast.parse(data))


def _dump(tree: ast.AST) -> str:
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, [one for one in block if not _is_no_op(one)])
    return ast.dump(_Normal().visit(tree))


def _is_no_op(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def changed(before: bytes, after: bytes) -> tuple[list[str], bool]:
    """Return the functions that differ, and whether anything else does. Raises SyntaxError or ValueError.

    Functions whose name is defined more than once, as for the getter and setter of a property, are ambiguous:
    differences in them count as something else.
    """
    trees = [ast.parse(data) for data in (before, after)]
    listed = [[name for name, _ in iter_functions(tree)] for tree in trees]
    ambiguous = {name for names in listed for name in names if names.count(name) > 1}
    old, new = ({name: _dump(one) for name, one in iter_functions(tree) if name not in ambiguous} for tree in trees)
    names = [name for name in old if name in new and old[name] != new[name]]
    return names, _outside(before, ambiguous) != _outside(after, ambiguous)


def _outside(data: bytes, ambiguous: Collection[str]) -> str:
    """Return the file without the bodies and parameters of functions that are defined once."""
    tree = ast.parse(data)
    for name, function in iter_functions(tree):
        if name not in ambiguous:
            function.body = []
            function.args = ast.arguments([], [], None, [], [], None, [])
    return _dump(tree)


def agreement(
    workspace: Workspace, command: str, path: str, original: bytes, repaired: bytes, required: Sequence[str] = ()
) -> Agreement:
    """Compare two versions of a file on calls recorded from a command and varied.

    Compares the `required` functions, then those that differ, and their callers if some of them have no conclusive call
    or the total is too small. Leaves the original in the workspace.
    """
    if normal(original) == normal(repaired):
        return Agreement("tree")
    names, elsewhere = changed(original, repaired)
    if elsewhere:
        return Agreement("unknown", 0, "code outside of functions, or a function whose name is defined twice, differs")
    total, uncovered = 0, set(names)
    own = dict.fromkeys([*required, *names])
    for name, covered in (*((name, {name}) for name in own), *_callers(original, list(own))):
        if name not in own and total >= MIN_INPUTS and not uncovered:
            break
        count, difference = _compare_calls(workspace, command, Target(path, name), original, repaired)
        total += count
        if difference:
            return Agreement("differs", total, difference)
        if count:
            uncovered -= covered
    return Agreement("inputs" if total >= MIN_INPUTS and not uncovered else "unknown", total)


def _callers(data: bytes, names: Sequence[str]) -> Iterator[tuple[str, set[str]]]:
    """Yield the functions of the file that call some of these functions, each with those it calls."""
    found = 0
    for caller, function in iter_functions(ast.parse(data)):
        called = _called(function)
        inside = {name for name in names if name.rpartition(".")[2] in called}
        if caller not in names and inside and found < MAX_CALLERS:
            found += 1
            yield caller, inside


def _called(function: Function) -> set[str]:
    found = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    return found | {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}


def _compare_calls(
    workspace: Workspace, command: str, target: Target, original: bytes, repaired: bytes
) -> tuple[int, str]:
    """Return the number of calls that the original answers deterministically, and a difference of the repaired file."""
    workspace.write(target.path, original)
    try:
        calls: list[InputCall] = list(record_calls(workspace, target, command, RECORDED, 120))
        for seed in SEEDS:
            if calls and len(calls) < MIN_INPUTS:
                calls += vary_calls(workspace, target, calls[:RECORDED], VARIED, seed)
        first, second = (collect_answers(workspace, target, calls, SECONDS, seed) for seed in (0, 1))
        steady = [n for n, one in enumerate(first) if is_conclusive(one) and one == second[n]]
        distinct = list({calls[n].data: n for n in steady}.values())
        workspace.write(target.path, repaired)
        after = collect_answers(workspace, target, [calls[n] for n in distinct], REPAIRED_SECONDS)
    except UsageError as error:
        return 0, "" if workspace.read(target.path) == original else error.message
    finally:
        workspace.write(target.path, original)
    differences = describe_differences([first[n] for n in distinct], after)
    return len(distinct), differences[0] if differences else ""
