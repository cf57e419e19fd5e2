"""Rewrites that replace `count`, `index` and counting comprehensions in loops by lookups in a table built before the
loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import Draft
from extensions.optimize.rewrites.access_paths import is_affected, is_same_code, path, read_paths
from extensions.optimize.rewrites.function_scope import Comprehension, Scope, join_drafts

Drafts = Iterator[Draft | None]


def count_items(scope: Scope) -> Drafts:
    """Replace `xs.count(y)` for many y by a Counter of xs."""
    for call, items in _methods(scope, "count"):
        argument = call.args[0]
        if scope.kind(items) == "str" and not _character(scope, argument, items):
            continue
        yield from _table(scope, call, items, scope.text(items), argument)


def count_keys(scope: Scope) -> Drafts:
    """Replace `sum(1 for y in xs if key(y) == K)` and `len([...])` by a Counter of the keys."""
    for node in scope.nodes:
        looped = _counting(scope, node)
        if looped is None or len(looped.generators) != 1 or len(looped.generators[0].ifs) != 1:
            continue
        only = looped.generators[0]
        test = only.ifs[0]
        if not isinstance(test, ast.Compare) or len(test.ops) != 1:
            continue
        assert isinstance(node, ast.Call)
        for key, sought in ((test.left, test.comparators[0]), (test.comparators[0], test.left)):
            if not _about(key, only.target) or _about(sought, only.target) or not scope.pure(test):
                continue
            if isinstance(test.ops[0], ast.Eq):
                plain = is_same_code(_loaded(only.target), key)
                text = scope.text(only.iter)
                keys = text if plain else f"{scope.text(key)} for {scope.text(only.target)} in {text}"
                yield from _table(scope, node, only.iter, keys, sought, key)
            yield from _ranked(scope, node, only, test, key, sought)


def index_positions(scope: Scope) -> Drafts:
    """Replace `xs.index(y)` for many y by a dict of first positions; items that are not in the dict are looked up in
    the list."""
    for call, items in _methods(scope, "index"):
        region = scope.outermost(call, items)
        above = scope.source.parents[call]
        again = isinstance(above, ast.IfExp) and call is above.orelse
        if region is None or scope.kind(items) == "str" or again:
            continue
        places, at, item = (
            scope.fresh("positions", "places"),
            scope.fresh("position", "at"),
            scope.fresh("item", "each"),
        )
        text, argument = scope.text(items), scope.text(call.args[0])
        before = scope.statement(region)
        lines = (
            f"{places} = {{}}",
            f"for {at}, {item} in enumerate({text}):",
            scope.indented(f"{places}.setdefault({item}, {at})"),
        )
        found, guard = (
            f"{places}[{argument}]",
            _guard(scope, call, f"{ast.unparse(call.args[0])} in {ast.unparse(items)}"),
        )
        if guard is None and not _from(scope, call, call.args[0], items):
            found = f"{found} if {argument} in {places} else {scope.text(call)}"
        yield join_drafts(
            f"keep the first position of each item of `{text}`",
            scope.insert(before, *lines),
            scope.swap(call, found),
            scope.swap(guard, f"{argument} in {places}") if guard is not None else Draft("", ()),
        )


def _guard(scope: Scope, node: ast.AST, wanted: str) -> ast.expr | None:
    """Return the test around an expression that holds when it is evaluated, if it is the wanted one."""
    child = node
    while child is not scope.function:
        parent = scope.source.parents[child]
        tests: list[ast.expr] = []
        if isinstance(parent, ast.IfExp):
            tests = [parent.test] if child is parent.body else []
        elif isinstance(parent, ast.If):
            tests = [parent.test] if child is parent.body[0] else []
        elif isinstance(parent, Comprehension) and len(parent.generators) == 1:
            tests = parent.generators[0].ifs if not isinstance(child, ast.comprehension) else []
        for test in tests:
            if ast.unparse(test) == wanted:
                return test
        child = parent
    return None


def count_remaining(scope: Scope) -> Drafts:
    """Use a Counter for a copied list from which items are only removed after `x in rest`."""
    for name in dict.fromkeys(one.id for one in scope.nodes if isinstance(one, ast.Name)):
        start = scope.start(name)
        items = _copied_list(scope, start.value) if start is not None and start.value is not None else None
        uses = [one for one in scope.uses(name) if isinstance(one.ctx, ast.Load)]
        removals = [one for one in uses if _removal(scope, one) is not None]
        if start is None or start.value is None or items is None or not removals or not any(scope.regions(removals[0])):
            continue
        counter, needed = scope.imports("collections", "Counter")
        edits: list[Draft | None] = [needed, scope.swap(start.value, f"{counter}({scope.text(items)})")]
        for use in uses:
            test, removal = scope.source.parents[use], _removal(scope, use)
            if removal is not None:
                item = scope.text(removal.args[0])
                span = scope.source.span(scope.statement(removal))
                is_guarded = _is_guarded(scope, removal, f"{item} in {name}", f"{item} not in {name}")
                edits.append(Draft("", ((*span, f"{name}[{item}] -= 1"),)) if is_guarded else None)
            elif isinstance(test, ast.Compare) and len(test.ops) == 1 and use is test.comparators[0]:
                sign = {ast.In: ">", ast.NotIn: "=="}.get(type(test.ops[0]))
                edits.append(scope.swap(test, f"{name}[{scope.text(test.left)}] {sign} 0") if sign else None)
            else:
                edits.append(None)
        yield join_drafts(f"count the items of `{name}`", *edits)


def _copied_list(scope: Scope, node: ast.expr) -> ast.expr | None:
    """Return the list or other iterable that is copied by `list(xs)`, `xs[:]` or `xs.copy()`."""
    call = scope.called(node, "list", "sorted")
    if call is not None and len(call.args) == 1 and not call.keywords:
        return call.args[0]
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == ":":
        return node.value
    return None


def _removal(scope: Scope, use: ast.Name) -> ast.Call | None:
    """Return the call in a statement `xs.remove(x)` in which x is a name."""
    parent = scope.source.parents[use]
    call = scope.source.parents[parent]
    removal = isinstance(parent, ast.Attribute) and parent.attr == "remove" and isinstance(call, ast.Call)
    is_statement = removal and isinstance(scope.source.parents[call], ast.Expr)
    return call if is_statement and isinstance(call, ast.Call) and path(call.args[0]) else None


def _is_guarded(scope: Scope, removal: ast.Call, held: str, missing: str) -> bool:
    """Whether the item that is removed is certainly in the list: the removal comes first after a test of it."""
    statement = scope.statement(removal)
    block, parent = scope.block(statement), scope.source.parents[statement]
    if block[0] is statement:
        return isinstance(parent, ast.If) and block is parent.body and ast.unparse(parent.test) == held
    before = block[block.index(statement) - 1]
    if not isinstance(before, ast.If) or before.orelse or ast.unparse(before.test) != missing:
        return False
    return isinstance(before.body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


def _table(
    scope: Scope, call: ast.Call, items: ast.expr, keys: str, sought: ast.expr, key: ast.expr | None = None
) -> Drafts:
    region = scope.outermost(call, items)
    if region is None or not all(_steady(scope, region, one) for one in ([key] if key is not None else [])):
        return
    counter, needed = scope.imports("collections", "Counter")
    counts = scope.fresh("counts", "tally")
    what, before = f"count the items of `{scope.text(items)}` once", scope.statement(region)
    line = scope.insert(before, f"{counts} = {counter}({keys})")
    yield join_drafts(what, needed, line, scope.swap(call, f"{counts}[{scope.text(sought)}]"))


def _ranked(
    scope: Scope, node: ast.Call, only: ast.comprehension, test: ast.Compare, key: ast.expr, sought: ast.expr
) -> Drafts:
    """Replace counting the items below or above a value by a binary search in the sorted keys."""
    operator = type(test.ops[0])
    if key is test.comparators[0]:
        turned: dict[type[ast.cmpop], type[ast.cmpop]] = {
            ast.Lt: ast.Gt,
            ast.Gt: ast.Lt,
            ast.LtE: ast.GtE,
            ast.GtE: ast.LtE,
        }
        operator = turned.get(operator, ast.Eq)
    side = {ast.Lt: "bisect_left", ast.GtE: "bisect_left", ast.LtE: "bisect_right", ast.Gt: "bisect_right"}.get(
        operator
    )
    region = scope.outermost(node, only.iter)
    if side is None or region is None or not _steady(scope, region, key):
        return
    bisect, needed = scope.imports("bisect", side)
    ordered, text = scope.fresh("ordered", "in_order"), scope.text(only.iter)
    plain = is_same_code(_loaded(only.target), key)
    keys = text if plain else f"{scope.text(key)} for {scope.text(only.target)} in {text}"
    found = f"{bisect}({ordered}, {scope.text(sought)})"
    if operator in (ast.Gt, ast.GtE):
        found = f"(len({ordered}) - {found})"
    before = scope.statement(region)
    yield join_drafts(
        f"sort `{text}` once and search the position in it",
        needed,
        scope.insert(before, f"{ordered} = sorted({keys})"),
        scope.swap(node, found),
    )


def _methods(scope: Scope, name: str) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Yield calls of a method with one argument on an object that may be a list, together with that object."""
    for node in scope.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name:
            items = node.func.value
            known = scope.kind(items) in ("list", "tuple", "str", "")
            if len(node.args) == 1 and not node.keywords and known and scope.pure(items) and scope.pure(node.args[0]):
                yield node, items


def _counting(scope: Scope, node: ast.AST) -> ast.GeneratorExp | ast.ListComp | None:
    """Return the comprehension of `sum(1 for ...)` or `len([...])`, or None."""
    call = scope.called(node, "sum", "len")
    if call is None or len(call.args) != 1 or not isinstance(call.args[0], ast.GeneratorExp | ast.ListComp):
        return None
    looped = call.args[0]
    one = isinstance(looped.elt, ast.Constant) and looped.elt.value == 1
    length = isinstance(call.func, ast.Name) and call.func.id == "len"
    return looped if one or length else None


def _steady(scope: Scope, region: ast.AST, key: ast.expr) -> bool:
    """Whether a key depends only on the item and is otherwise invariant in the region."""
    inner = {one.id for node in ast.walk(region) if isinstance(node, ast.comprehension) for one in _stored(node.target)}
    changed = {one for one in scope.changes(region) if one not in inner}
    return not any(is_affected(changed, one) for one in read_paths(key))


def _stored(node: ast.expr) -> Iterator[ast.Name]:
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            yield one


def _about(node: ast.expr, target: ast.expr) -> bool:
    names = {one.id for one in _stored(target)}
    return any(one.id in names for one in _stored(node))


def _loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body


def _character(scope: Scope, argument: ast.expr, items: ast.expr) -> bool:
    """Whether an argument is one character of a string."""
    if isinstance(argument, ast.Constant):
        return isinstance(argument.value, str) and len(argument.value) == 1
    return _from(scope, argument, argument, items)


def _from(scope: Scope, node: ast.AST, argument: ast.expr, items: ast.expr) -> bool:
    """Whether an argument is the loop variable of an enclosing loop over `items`."""
    if not isinstance(argument, ast.Name):
        return False
    for region in scope.regions(node):
        heads = [region] if isinstance(region, ast.For) else getattr(region, "generators", [])
        for head in heads:
            if isinstance(head.target, ast.Name) and head.target.id == argument.id:
                source = head.iter
                while (call := scope.called(source, "set", "sorted", "list", "reversed")) and call.args:
                    source = call.args[0]
                return bool(path(source)) and is_same_code(source, items)
    return False
