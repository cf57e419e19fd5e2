"""Copies that nobody needs, and small things that are written shorter."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from agent.moves.rewrite_paths import hit, path
from agent.moves.rewrite_reading import read_only
from agent.moves.rewrite_scope import Scope, join
from agent.repair.source import Draft

Drafts = Iterator[Draft | None]
TAKERS = ("list", "tuple", "set", "frozenset", "sorted", "sum", "min", "max", "any", "all", "dict", "enumerate", "len")


def iterated(scope: Scope) -> Drafts:
    """A copy that is only run over, of something that does not change meanwhile."""
    for node in scope.nodes:
        heads = [node] if isinstance(node, ast.For) else getattr(node, "generators", [])
        for head in heads:
            inner = _copied(scope, head.iter)
            if inner is not None and not _changed(scope, node, inner):
                yield join(f"run over `{scope.text(inner)}` itself", scope.swap(head.iter, scope.text(inner)))


def handed(scope: Scope) -> Drafts:
    """`sorted(list(x))`, `set([...])`, `any([...])`: what takes anything to run over needs no list made for it."""
    for node in scope.nodes:
        call = scope.called(node, *TAKERS)
        if call is None or not call.args:
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        inner = _copied(scope, call.args[0])
        if inner is not None and (name != "len" or path(inner)):
            yield join(f"`{name}` needs no copy", scope.swap(call.args[0], scope.text(inner)))
        elif isinstance(call.args[0], ast.ListComp) and len(call.args) == 1 and not call.keywords:
            text = scope.text(call.args[0])[1:-1]
            if name == "set":
                yield join("a set made at once", scope.swap(call, f"{{{text}}}"))
            elif name in ("any", "all"):
                start, end = scope.source.span(call.args[0])
                yield Draft(f"`{name}` stops at the first that decides", ((start, end, text),))


def looked_up(scope: Scope) -> Drafts:
    """`dict(d)[k]`, `list(d.items())` of a dict that is only looked into, `xs[:][i]`, and deep copies only read."""
    for node in scope.nodes:
        if not isinstance(node, ast.expr) or not any(scope.regions(node)):
            continue
        inner = _shallow(scope, node)
        if inner is None:
            continue
        parent = scope.source.parents[node]
        if read_only(scope, node):
            yield join(f"use `{scope.text(inner)}` itself", scope.swap(node, scope.text(inner)))
        elif isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name) and len(parent.targets) == 1:
            name = parent.targets[0].id
            uses = [one for one in scope.uses(name) if isinstance(one.ctx, ast.Load)]
            around = next(iter(scope.regions(node)))
            left = {one for one in scope.changes(around) if one != name}
            alone = len(scope.bindings(name)) == 1 and all(read_only(scope, one) for one in uses)
            if alone and not hit(left, path(inner) or name):
                yield join(f"read `{scope.text(inner)}` itself", scope.swap(node, scope.text(inner)))


def growing(scope: Scope) -> Drafts:
    """`xs = []` and a loop that only appends: a comprehension; with `add` or `d[k] = v` likewise."""
    for loop in scope.nodes:
        if not isinstance(loop, ast.For) or loop.orelse or loop.type_comment:
            continue
        block = scope.block(loop)
        at = block.index(loop)
        first = block[at - 1] if at else None
        if not isinstance(first, ast.Assign | ast.AnnAssign) or first.value is None:
            continue
        target = first.targets[0] if isinstance(first, ast.Assign) else first.target
        if not isinstance(target, ast.Name) or scope.comments(first, loop):
            continue
        text = _comprehension(scope, loop, target.id, first.value)
        later = scope.uses(target.id, loop)
        if text and len(later) == 1:
            start, end = scope.source.span(first.value)[0], scope.source.span(loop)[1]
            yield Draft(f"`{target.id}` as a comprehension", ((start, end, text),))


def summed(scope: Scope) -> Drafts:
    """`n = 0` and a loop that only adds to it: a sum."""
    for loop in scope.nodes:
        if not isinstance(loop, ast.For) or loop.orelse or len(loop.body) != 1 or not any(scope.regions(loop)):
            continue
        block, only = scope.block(loop), loop.body[0]
        first = block[block.index(loop) - 1] if block.index(loop) else None
        test = ""
        if isinstance(only, ast.If) and not only.orelse and len(only.body) == 1:
            test, only = f" if {scope.text(only.test)}", only.body[0]
        if not isinstance(only, ast.AugAssign) or not isinstance(only.op, ast.Add) or not isinstance(first, ast.Assign):
            continue
        name, begun = path(only.target), ast.unparse(first)
        if not name.isidentifier() or begun != f"{name} = 0" or len(scope.uses(name, loop)) != 1:
            continue
        if _bound_later(scope, loop) or scope.comments(first, loop) or not scope.pure(loop):
            continue
        text = f"sum({scope.text(only.value)} for {scope.text(loop.target)} in {scope.text(loop.iter)}{test})"
        yield Draft(f"`{name}` as a sum", ((scope.source.span(first.value)[0], scope.source.span(loop)[1], text),))


def _comprehension(scope: Scope, loop: ast.For, name: str, begun: ast.expr) -> str:
    clauses, body = [f"for {scope.text(loop.target)} in {scope.text(loop.iter)}"], loop.body
    while len(body) == 1 and isinstance(body[0], ast.For | ast.If) and not body[0].orelse:
        inner = body[0]
        if isinstance(inner, ast.For):
            clauses.append(f"for {scope.text(inner.target)} in {scope.text(inner.iter)}")
        else:
            test = scope.text(inner.test)
            clauses.append(f"if ({test})" if isinstance(inner.test, ast.IfExp | ast.Lambda) else f"if {test}")
        body = inner.body
    if len(body) != 1 or _bound_later(scope, loop):
        return ""
    rest, only = " ".join(clauses), body[0]
    empty = isinstance(begun, ast.List | ast.Dict) and not ast.unparse(begun).strip("[]{}")
    if isinstance(only, ast.Expr) and isinstance(only.value, ast.Call) and len(only.value.args) == 1:
        called, item = ast.unparse(only.value.func), scope.text(only.value.args[0])
        if isinstance(only.value.args[0], ast.Starred | ast.Yield | ast.Await):
            return ""
        if called == f"{name}.append" and isinstance(begun, ast.List) and empty:
            return f"[{item} {rest}]"
        if called == f"{name}.add" and ast.unparse(begun) == "set()":
            return f"{{{item} {rest}}}"
    if isinstance(only, ast.Assign) and len(only.targets) == 1 and isinstance(only.targets[0], ast.Subscript):
        place = only.targets[0]
        if path(place.value) == name and isinstance(begun, ast.Dict) and empty:
            return f"{{{scope.text(place.slice)}: {scope.text(only.value)} {rest}}}"
    return ""


def _bound_later(scope: Scope, loop: ast.For) -> bool:
    """Whether what the loop binds is read after it, or stands elsewhere under the same name."""
    names = {
        one.id
        for node in ast.walk(loop)
        if isinstance(node, ast.For)
        for one in ast.walk(node.target)
        if isinstance(one, ast.Name)
    }
    inside = set(ast.walk(loop))
    return any(isinstance(one, ast.Name) and one.id in names and one not in inside for one in scope.nodes)


def _copied(scope: Scope, node: ast.expr) -> ast.expr | None:
    """What a list, slice or method call copies whole, or what `.keys()` of a dict runs over."""
    call = scope.called(node, "list", "tuple")
    if call and len(call.args) == 1 and not call.keywords:
        return call.args[0]
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == ":":
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
        return node.func.value if node.func.attr in ("copy", "keys") and not scope.module(node.func.value) else None
    return None


def _shallow(scope: Scope, node: ast.expr) -> ast.expr | None:
    """What an expression copies, deep copies among it; nothing for `.keys()`, whose order is not its items."""
    call = scope.called(node, "dict", "list", "set")
    if call and len(call.args) == 1 and not call.keywords and path(call.args[0]):
        # A list of a dict or a set has an order and places of its own.
        named = ast.unparse(call.func)
        return call.args[0] if named == "dict" or scope.kind(call.args[0]) == named else None
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        named = ast.unparse(node.func)
        if (
            scope.modules.get(named) in ("copy.copy", "copy.deepcopy")
            or scope.module(node.func.value if isinstance(node.func, ast.Attribute) else node) == "copy"
        ):
            return node.args[0]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "copy":
        return node.func.value if not node.args and not scope.module(node.func.value) else None
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == ":":
        return node.value
    return None


def _changed(scope: Scope, around: ast.AST, inner: ast.expr) -> bool:
    """Whether what is run over changes meanwhile; what a call makes anew, nobody else holds."""
    word = path(inner)
    if not word:
        return isinstance(inner, ast.Attribute | ast.Subscript)
    parts = [*around.body, *around.orelse] if isinstance(around, ast.For) else [around]
    return any(hit(scope.changes(part), word) for part in parts)
