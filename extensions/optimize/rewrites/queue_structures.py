"""Rewrites of lists that are changed at the front: they use a deque."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import Draft
from extensions.optimize.rewrites.access_paths import is_same_code
from extensions.optimize.rewrites.function_scope import Scope, join_drafts

Drafts = Iterator[Draft | None]
SHARED = {"append", "extend", "pop", "clear", "popleft", "appendleft", "index", "count", "remove", "reverse"}


def use_deques(scope: Scope) -> Drafts:
    """Use a deque for a local list that is changed by `q.pop(0)`, `q.insert(0, x)`, `del q[0]` or `q = q[1:]`."""
    for name in _changed_at_front(scope):
        start = _begin(scope, name)
        if start is None or not isinstance(start.value, ast.expr):
            continue
        deque, needed = scope.imports("collections", "deque")
        changes = [_deque_use(scope, use, name) for use in scope.uses(name) if scope.statement(use) is not start]
        yield join_drafts(
            f"`{name}` becomes a deque",
            needed,
            scope.swap(start.value, f"{deque}({_content(start.value, scope.text(start.value))})"),
            *changes,
        )


def use_deques_for_parameters(scope: Scope) -> Drafts:
    """Use a local deque for a list parameter whose first item is removed by `xs = xs[1:]` in a loop."""
    for node in scope.nodes:
        if not isinstance(node, ast.While):
            continue
        for name in scope.arguments:
            steps = [one for one in ast.walk(node) if isinstance(one, ast.Assign) and _rest(one, name)]
            if not steps or len(scope.bindings(name)) != len(steps):
                continue
            deque, needed = scope.imports("collections", "deque")
            inside = set(scope.uses(name, node))
            changes = [_deque_use(scope, use, name) for use in inside]
            after = [use for use in scope.uses(name) if use not in inside and use.lineno > (node.end_lineno or 0)]
            changes += [_deque_use(scope, use, name) for use in after]
            line = scope.insert(node, f"{name} = {deque}({name})")
            yield join_drafts(f"take items of `{name}` from a deque", needed, line, *changes)


def _begin(scope: Scope, name: str) -> ast.Assign | ast.AnnAssign | None:
    """Return the assignment that creates a local list if there is exactly one, not counting `q = q[1:]`; otherwise
    None."""
    found = []
    for use in scope.bindings(name):
        parent = scope.source.parents[use]
        if isinstance(parent, ast.AugAssign):
            continue
        if not isinstance(parent, ast.Assign | ast.AnnAssign):
            return None
        if not _rest(parent, name):
            found.append(parent)
    if len(found) != 1 or found[0].value is None:
        return None
    value = found[0].value
    if name in scope.arguments:
        earlier = [one for one in scope.uses(name) if one.lineno < found[0].lineno]
        if earlier or found[0] not in scope.function.body:
            return None
    copied = isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice)
    copied = copied or (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "copy"
    )
    made = isinstance(value, ast.List | ast.ListComp) or scope.called(value, "list", "sorted") or copied
    return found[0] if made else None


def _changed_at_front(scope: Scope) -> list[str]:
    """Return the local lists that are changed at the front in a loop."""
    names: dict[str, None] = {}
    for node in scope.nodes:
        receiver = None
        if isinstance(node, ast.Call) and (_first(node, "pop") or _first(node, "insert")):
            assert isinstance(node.func, ast.Attribute)
            receiver = node.func.value
        elif isinstance(node, ast.Delete) and len(node.targets) == 1 and _zero(node.targets[0]):
            assert isinstance(node.targets[0], ast.Subscript)
            receiver = node.targets[0].value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _rest(node, node.targets[0].id):
            receiver = node.targets[0]
        if isinstance(receiver, ast.Name) and any(scope.regions(node)):
            names[receiver.id] = None
    return list(names)


def _deque_use(scope: Scope, use: ast.Name, name: str) -> Draft | None:
    """Return the edit that adapts one use of a list that becomes a deque, or None if the use cannot be adapted."""
    parent = scope.source.parents[use]
    above = scope.source.parents.get(parent)
    if isinstance(parent, ast.Attribute) and isinstance(above, ast.Call):
        if _first(above, "pop"):
            return scope.swap(above, f"{name}.popleft()")
        if _first(above, "insert"):
            return scope.swap(above, f"{name}.appendleft({scope.text(above.args[1])})")
        simple = parent.attr in SHARED and (parent.attr != "pop" or not above.args)
        return Draft("", ()) if simple else None
    if isinstance(parent, ast.Subscript):
        if isinstance(parent.ctx, ast.Del) and _zero(parent) and isinstance(above, ast.Delete):
            start, end = scope.source.span(above)
            return Draft("", ((start, end, f"{name}.popleft()"),))
        if isinstance(above, ast.Assign) and _rest(above, name):
            start, end = scope.source.span(above)
            return Draft("", ((start, end, f"{name}.popleft()"),))
        if isinstance(parent.slice, ast.Slice):
            if not isinstance(parent.ctx, ast.Load):
                return None
            return scope.swap(use, f"list({name})")
        return Draft("", ())
    if isinstance(parent, ast.Assign) and _rest(parent, name):
        return Draft("", ())
    if _is_read(scope, use) or isinstance(parent, ast.AugAssign):
        return Draft("", ())
    if isinstance(use.ctx, ast.Load):
        return scope.swap(use, f"list({name})")
    return None


def _is_read(scope: Scope, use: ast.Name) -> bool:
    """Whether a use only reads a list: its truth value, its length or its items."""
    parent = scope.source.parents[use]
    if isinstance(parent, ast.While | ast.If | ast.IfExp):
        return use is parent.test
    if isinstance(parent, ast.BoolOp):
        above = scope.source.parents[parent]
        return isinstance(above, ast.While | ast.If) and above.test is parent
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    if isinstance(parent, ast.Compare):
        return all(isinstance(one, ast.In | ast.NotIn) for one in parent.ops)
    if isinstance(parent, ast.For):
        return parent.iter is use
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute):
        return parent.func.attr == "extend" and use in parent.args
    return scope.called(parent, "len", "list", "set", "tuple", "sorted", "sum", "max", "min", "any", "all") is not None


def _first(call: ast.Call, method: str) -> bool:
    """Whether a call is `q.pop(0)` or `q.insert(0, x)`."""
    named = isinstance(call.func, ast.Attribute) and call.func.attr == method
    count = {"pop": 1, "insert": 2}[method]
    return named and len(call.args) == count and _is_zero(call.args[0])


def _zero(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and _is_zero(node.slice)


def _is_zero(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0 and not isinstance(node.value, bool)


def _rest(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    """Whether a statement is `name = name[1:]`."""
    wanted = ast.parse(f"{name} = {name}[1:]").body[0]
    return is_same_code(node, wanted)


def _content(node: ast.expr, text: str) -> str:
    """Return the argument for the new deque: none for an empty list, and the original list instead of a copy."""
    if isinstance(node, ast.List) and not node.elts:
        return ""
    if isinstance(node, ast.ListComp):
        return text[1:-1]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "list" and not node.keywords:
        return text[text.index("(") + 1 : -1]
    return text
