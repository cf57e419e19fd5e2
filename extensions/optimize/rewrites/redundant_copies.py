"""Rewrites that remove redundant copies or shorten simple loops."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import Draft
from extensions.optimize.rewrites.access_paths import is_affected, path
from extensions.optimize.rewrites.aliasing import is_read_only
from extensions.optimize.rewrites.function_scope import Scope, join_drafts

Drafts = Iterator[Draft | None]
TAKERS = ("list", "tuple", "set", "frozenset", "sorted", "sum", "min", "max", "any", "all", "dict", "enumerate", "len")


def remove_iterated_copies(scope: Scope) -> Drafts:
    """Remove a copy that is only iterated over while the original does not change."""
    for node in scope.nodes:
        heads = [node] if isinstance(node, ast.For) else getattr(node, "generators", [])
        for head in heads:
            inner = _copied(scope, head.iter)
            if inner is not None and not _changed(scope, node, inner):
                yield join_drafts(
                    f"iterate over `{scope.text(inner)}` itself", scope.swap(head.iter, scope.text(inner))
                )


def remove_argument_copies(scope: Scope) -> Drafts:
    """Remove the intermediate list in `sorted(list(x))`, `set([...])` and `any([...])`, since these functions accept
    any iterable."""
    for node in scope.nodes:
        call = scope.called(node, *TAKERS)
        if call is None or not call.args:
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        inner = _copied(scope, call.args[0])
        if inner is not None and (name != "len" or path(inner)):
            yield join_drafts(f"`{name}` needs no copy", scope.swap(call.args[0], scope.text(inner)))
        elif isinstance(call.args[0], ast.ListComp) and len(call.args) == 1 and not call.keywords:
            text = scope.text(call.args[0])[1:-1]
            if name == "set":
                yield join_drafts("build the set directly", scope.swap(call, f"{{{text}}}"))
            elif name in ("any", "all") and scope.pure(call):
                start, end = scope.source.span(call.args[0])
                yield Draft(f"`{name}` stops at the first item that decides", ((start, end, text),))


def use_any(scope: Scope) -> Drafts:
    """Replace a list that is made only to see whether it has items, as in `len([...]) > 0`, by `any(...)`."""
    for node in scope.nodes:
        found = _tested(scope, node)
        if found is None or not scope.pure(found[0]):
            continue
        looped, has_items = found
        only = looped.generators[-1]
        if not only.ifs or any(one.is_async for one in looped.generators):
            continue
        test = " and ".join(_grouped(scope, one) for one in only.ifs) if len(only.ifs) > 1 else scope.text(only.ifs[0])
        clauses = [_clause(scope, one) for one in looped.generators[:-1]]
        clauses.append(f"for {scope.text(only.target)} in {scope.text(only.iter)}")
        text = f"{'' if has_items else 'not '}any({test} {' '.join(clauses)})"
        assert isinstance(node, ast.expr)
        yield join_drafts("stop at the first item found", scope.swap(node, text))


def _tested(scope: Scope, node: ast.AST) -> tuple[ast.ListComp | ast.GeneratorExp, bool] | None:
    """Return the comprehension of which an expression tests the emptiness, and whether it is true if there are
    items."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.comparators[0], ast.Constant):
        counted, operator, limit = node.left, type(node.ops[0]), node.comparators[0].value
        call = scope.called(counted, "len", "sum")
        looped = call.args[0] if call and len(call.args) == 1 else None
        meaning: dict[tuple[type, object], bool] = {
            (ast.Gt, 0): True,
            (ast.GtE, 1): True,
            (ast.NotEq, 0): True,
            (ast.Eq, 0): False,
            (ast.Lt, 1): False,
        }
        if not isinstance(looped, ast.ListComp | ast.GeneratorExp) or (operator, limit) not in meaning or not call:
            return None
        counting = ast.unparse(call.func) == "len" or ast.unparse(looped.elt) == "1"
        return (looped, meaning[operator, limit]) if counting and not isinstance(limit, bool) else None
    if isinstance(node, ast.ListComp):
        parent = scope.source.parents[node]
        if isinstance(parent, ast.If | ast.While | ast.IfExp) and node is parent.test:
            return node, True
    return None


def _grouped(scope: Scope, test: ast.expr) -> str:
    text = scope.text(test)
    return f"({text})" if isinstance(test, ast.IfExp | ast.Lambda | ast.NamedExpr | ast.BoolOp) else text


def _clause(scope: Scope, one: ast.comprehension) -> str:
    tests = "".join(f" if {_grouped(scope, test)}" for test in one.ifs)
    return f"for {scope.text(one.target)} in {scope.text(one.iter)}{tests}"


def remove_read_copies(scope: Scope) -> Drafts:
    """Remove copies that are only read: `dict(d)[k]`, `list(d.items())`, `xs[:][i]`, and deep copies."""
    for node in scope.nodes:
        if not isinstance(node, ast.expr) or not any(scope.regions(node)):
            continue
        inner = _shallow(scope, node)
        if inner is None:
            continue
        parent = scope.source.parents[node]
        if is_read_only(scope, node):
            yield join_drafts(f"use `{scope.text(inner)}` itself", scope.swap(node, scope.text(inner)))
        elif isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name) and len(parent.targets) == 1:
            name = parent.targets[0].id
            uses = [one for one in scope.uses(name) if isinstance(one.ctx, ast.Load)]
            around = next(iter(scope.regions(node)))
            left = {one for one in scope.changes(around) if one != name}
            alone = len(scope.bindings(name)) == 1 and all(is_read_only(scope, one) for one in uses)
            if alone and not is_affected(left, path(inner) or name):
                yield join_drafts(f"read `{scope.text(inner)}` itself", scope.swap(node, scope.text(inner)))


def use_comprehensions(scope: Scope) -> Drafts:
    """Replace an empty container and a loop that only fills it with `append`, `add` or `d[k] = v` by a
    comprehension."""
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
            yield Draft(f"write `{target.id}` as a comprehension", ((start, end, text),))


def use_sums(scope: Scope) -> Drafts:
    """Replace `n = 0` and a loop that only adds to `n` by a call of `sum`."""
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
        name, initial = path(only.target), ast.unparse(first)
        if not name.isidentifier() or initial != f"{name} = 0" or len(scope.uses(name, loop)) != 1:
            continue
        if _bound_later(scope, loop) or scope.comments(first, loop) or not scope.pure(loop):
            continue
        text = f"sum({scope.text(only.value)} for {scope.text(loop.target)} in {scope.text(loop.iter)}{test})"
        yield Draft(
            f"write `{name}` as a sum", ((scope.source.span(first.value)[0], scope.source.span(loop)[1], text),)
        )


def _comprehension(scope: Scope, loop: ast.For, name: str, initial: ast.expr) -> str:
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
    empty = isinstance(initial, ast.List | ast.Dict) and not ast.unparse(initial).strip("[]{}")
    if isinstance(only, ast.Expr) and isinstance(only.value, ast.Call) and len(only.value.args) == 1:
        called, item = ast.unparse(only.value.func), scope.text(only.value.args[0])
        if isinstance(only.value.args[0], ast.Starred | ast.Yield | ast.Await):
            return ""
        if called == f"{name}.append" and isinstance(initial, ast.List) and empty:
            return f"[{item} {rest}]"
        if called == f"{name}.add" and ast.unparse(initial) == "set()":
            return f"{{{item} {rest}}}"
    if isinstance(only, ast.Assign) and len(only.targets) == 1 and isinstance(only.targets[0], ast.Subscript):
        place = only.targets[0]
        if path(place.value) == name and isinstance(initial, ast.Dict) and empty:
            return f"{{{scope.text(place.slice)}: {scope.text(only.value)} {rest}}}"
    return ""


def _bound_later(scope: Scope, loop: ast.For) -> bool:
    """Whether names that the loop binds are used outside of it."""
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
    """Return the object that a call or full slice copies, or the dict in `d.keys()`; None for other nodes."""
    call = scope.called(node, "list", "tuple")
    if call and len(call.args) == 1 and not call.keywords:
        return call.args[0]
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == ":":
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
        return node.func.value if node.func.attr in ("copy", "keys") and not scope.module(node.func.value) else None
    return None


def _shallow(scope: Scope, node: ast.expr) -> ast.expr | None:
    """Return the object of which an expression makes a shallow or deep copy; None for `.keys()` and other nodes."""
    call = scope.called(node, "dict", "list", "set")
    if call and len(call.args) == 1 and not call.keywords and path(call.args[0]):
        # A list made from a dict or a set can be indexed by position; the original cannot.
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
    """Whether the iterable may change during the loop; the result of a call is assumed not to change."""
    word = path(inner)
    if not word:
        return isinstance(inner, ast.Attribute | ast.Subscript)
    parts = [*around.body, *around.orelse] if isinstance(around, ast.For) else [around]
    return any(is_affected(scope.changes(part), word) for part in parts)
