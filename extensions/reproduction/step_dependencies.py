"""The statements of an example on which its last statement depends.

That the last statement fails in the same way without a statement does not show that this statement is not needed: a
faulty method may ignore what was added before, and the corrected one must not. So a statement is only left out if, in
addition, it neither binds a name that is used later nor may change an object or a setting that is used later.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

OBSERVERS = frozenset({
    "bool", "callable", "dir", "hash", "help", "id", "isinstance", "issubclass", "len", "pprint", "print", "repr",
    "str", "type", "vars",
})  # fmt: skip
"""Functions that show an object and do not change it."""
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
IMPORTS = ast.Import | ast.ImportFrom
BLOCKS = ast.For | ast.While | ast.With | ast.If | ast.Try


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement of an example."""

    node: ast.stmt
    bound: frozenset[str]
    used: frozenset[str]
    is_observer: bool
    """Whether it only shows objects."""
    is_quiet: bool
    """Whether it is an expression whose value is None, so it was probably written for its effect."""


def needed_steps(steps: Sequence[str], quiet: Collection[int]) -> set[int]:
    """Return the numbers of the steps on which the last one depends, with its own. `quiet` are the numbers of the
    expressions whose value is None.

    A call changes each variable that it mentions. A call of a method changes the module or class with whose name it
    begins. A call without a result may also change the state of a module, and so do an assignment to an attribute of a
    module, a decorator and a class with a base class.
    """
    statements = [_parse(step, n in quiet) for n, step in enumerate(steps)]
    plain = [one for one in statements if not isinstance(one.node, DEFINITIONS | IMPORTS)]
    variables = {name for one in plain for name in one.bound}
    functions = {name for one in statements if isinstance(one.node, DEFINITIONS) for name in one.bound}
    groups = _linked(statements, variables)
    needed, names = {len(steps) - 1}, set(statements[-1].used | statements[-1].bound)
    for n in range(len(steps) - 2, -1, -1):
        one = statements[n]
        linked = {other for name in names & variables for other in groups[name]}
        changes = set() if one.is_observer else one.used & linked | _called(one.node) & (names | functions)
        if not (one.bound & names or changes or _has_effect(one, variables)):
            continue
        needed.add(n)
        if isinstance(one.node, ast.Assign | DEFINITIONS | IMPORTS):
            names -= {name for name in one.bound - one.used if len(groups.get(name, ())) < 2}
        names |= one.used
    return needed


def _parse(step: str, quiet: bool) -> _Statement:
    node = ast.parse(step).body[0]
    found = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
    bound = {each.id for each in found if not isinstance(each.ctx, ast.Load)}
    if isinstance(node, DEFINITIONS):
        bound = {node.name}
    if isinstance(node, IMPORTS):
        bound = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    used = {each.id for each in found if isinstance(each.ctx, ast.Load)}
    if isinstance(node, ast.AugAssign | ast.Delete):
        used |= bound
    return _Statement(node, frozenset(bound), frozenset(used), _is_observer(node), quiet)


def _is_observer(node: ast.stmt) -> bool:
    """Return whether a statement only shows or checks objects, without a call that may change one."""
    if not isinstance(node, ast.Expr | ast.Assert):
        return False
    kinds = ast.Call | ast.Subscript | ast.Starred | ast.Await | ast.NamedExpr | ast.comprehension
    return all(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id in OBSERVERS
        for each in ast.walk(node)
        if isinstance(each, kinds)
    )


def _linked(statements: Sequence[_Statement], variables: Collection[str]) -> dict[str, set[str]]:
    """Return, for each variable, those that may refer to the same objects: a statement mentions both."""
    groups = {name: {name} for name in variables}
    for one in statements:
        if one.is_observer or isinstance(one.node, IMPORTS):
            continue
        group = {other for name in one.bound | one.used if name in groups for other in groups[name]}
        groups |= dict.fromkeys(group, group)
    return groups


def _called(node: ast.stmt) -> set[str]:
    """Return the names with which calls of methods begin, and that of a function whose result is not used."""
    calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    alone = node.value if isinstance(node, ast.Expr) else None
    roots = [_root(call) for call in calls if isinstance(call.func, ast.Attribute) or call is alone]
    return {root.id for root in roots if isinstance(root, ast.Name)}


def _has_effect(one: _Statement, variables: Collection[str]) -> bool:
    """Return whether a statement may change more than its variables."""
    node = one.node
    if isinstance(node, DEFINITIONS):
        bases = [*node.bases, *(each.value for each in node.keywords)] if isinstance(node, ast.ClassDef) else []
        return any(_is_foreign(each, variables) for each in (*node.decorator_list, *bases))
    stored = [each for each in ast.walk(node) if isinstance(each, ast.Attribute | ast.Subscript)]
    if any(not isinstance(each.ctx, ast.Load) and _is_foreign(each, variables) for each in stored):
        return True
    calls = [node.value] if isinstance(node, ast.Expr) and one.is_quiet else list(_inner_calls(node))
    return not one.is_observer and any(isinstance(call, ast.Call) and _is_foreign(call, variables) for call in calls)


def _inner_calls(node: ast.stmt) -> Iterator[ast.expr]:
    """Yield the calls in a block whose results are not used."""
    if isinstance(node, BLOCKS):
        yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Expr))


def _is_foreign(node: ast.expr, variables: Collection[str]) -> bool:
    """Return whether an expression begins with a name that is no variable of the example and no harmless function."""
    root = _root(node)
    if not isinstance(root, ast.Name) or root.id in variables or root.id in OBSERVERS:
        return False
    return not isinstance(getattr(builtins, root.id, None), type)


def _root(node: ast.expr) -> ast.expr:
    """Return what an expression of attributes, subscripts and calls begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node
