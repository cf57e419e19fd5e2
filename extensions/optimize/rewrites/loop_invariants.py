"""Rewrites that move invariant work out of loops."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import Draft
from extensions.optimize.rewrites.access_paths import is_affected, is_same_code, path, read_paths
from extensions.optimize.rewrites.aliasing import is_immutable, is_read_only
from extensions.optimize.rewrites.function_scope import Comprehension, Region, Scope, join_drafts
from extensions.optimize.rewrites.known_effects import COSTLY
from extensions.optimize.rewrites.set_membership import tests_in

Drafts = Iterator[Draft | None]
NAMES = {"len": "count", "sum": "total", "max": "largest", "min": "smallest", "sorted": "ordered"}
METHODS = frozenset(
    [
        "casefold",
        "copy",
        "count",
        "decode",
        "encode",
        "index",
        "intersection",
        "items",
        "join",
        "keys",
        "lower",
        "replace",
        "split",
        "splitlines",
        "strip",
        "title",
        "union",
        "upper",
        "values",
    ]
)
FAILING = frozenset(["decode", "encode", "index"])
"""Methods that raise an exception for some arguments of suitable types."""
TOTAL = (
    *("abs", "all", "any", "bool", "dict", "enumerate", "frozenset", "len", "list", "range", "repr", "reversed", "set"),
    *("sorted", "str", "sum", "tuple", "zip"),
)
"""Builtins that raise no exception for arguments of suitable types."""


def hoist_expressions(scope: Scope) -> Drafts:
    """Compute an expression before the loop if no part of it changes in the loop."""
    done: set[str] = set()
    for node in scope.nodes:
        if not isinstance(node, ast.expr) or not _costly(scope, node):
            continue
        region = scope.outermost(node, node)
        if region is None or scope.text(node) in done or _larger(scope, node, region):
            continue
        if isinstance(region, ast.stmt) and isinstance(scope.statement(node), ast.Return | ast.Raise):
            continue  # it is evaluated once at most
        if isinstance(scope.source.parents[node], ast.Compare) and any(
            node in each.comparators for each in tests_in(scope)
        ):
            continue  # a set is better; see set_membership
        if not is_immutable(scope, node) and not _only_read(scope, node, region):
            continue
        done.add(scope.text(node))
        twins = [
            one
            for one in scope.nodes
            if isinstance(one, ast.expr)
            and is_same_code(one, node)
            and any(each is region for each in scope.regions(one))
        ]
        name = _name(scope, node)
        yield join_drafts(
            f"compute `{scope.text(node)}` once, before the loop",
            _once(scope, region, name, scope.text(node), node),
            *(scope.swap(one, name) for one in twins),
        )


def hoist_statements(scope: Scope) -> Drafts:
    """Move statements of a loop's body (including inner loops) before the loop if they compute the same values in each
    iteration."""
    for loop in scope.nodes:
        if not isinstance(loop, ast.For | ast.While):
            continue
        for first in range(len(loop.body)):
            for last in range(min(len(loop.body) - 1, first + 3), first, -1):
                group = loop.body[first:last]
                if _movable(scope, loop, group):
                    yield _moved(scope, loop, group)
                    break


def _once(scope: Scope, region: ast.AST, name: str, text: str, node: ast.expr) -> Draft | None:
    """Insert a line that computes the value of `node` before a region.

    An expression that may fail must be evaluated in each iteration: its value is not computed for an empty iterable.
    """
    if may_fail(scope, node):
        rows = _rows(scope, region)
        if not rows or not _is_unconditional(scope, node, region):
            return None
        text = f"{text} if {rows} else None"
    return scope.insert(scope.statement(region), f"{name} = {text}")


def may_fail(scope: Scope, node: ast.AST) -> bool:
    """Whether an expression may raise an exception for arguments of suitable types, such as `max` of an empty list."""
    if isinstance(node, ast.Call):
        total = bool(scope.called(node, *TOTAL)) or (
            isinstance(node.func, ast.Attribute)
            and (node.func.attr in METHODS - FAILING if not scope.module(node.func.value) else _is_constant(node))
        )
        if not total:
            return True
    failing = isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add | ast.Sub | ast.Mult)
    failing = failing or (isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice))
    return failing or any(may_fail(scope, child) for child in ast.iter_child_nodes(node))


def _is_constant(call: ast.Call) -> bool:
    return all(isinstance(one, ast.Constant) for one in call.args) and not call.keywords


def _rows(scope: Scope, region: ast.AST) -> str:
    """Return the path of the list over which a region loops, such as `xs` for `enumerate(xs)`, or ""."""
    if isinstance(region, ast.For):
        rows = region.iter
    elif isinstance(region, Comprehension):
        rows = region.generators[0].iter
    else:
        return ""
    while (call := scope.called(rows, "range", "len", "enumerate", "reversed", "sorted", "set")) and len(
        call.args
    ) == 1:
        rows = call.args[0]
    return path(rows)


def _is_unconditional(scope: Scope, node: ast.AST, region: ast.AST) -> bool:
    """Whether each iteration of a region evaluates an expression."""
    child, statement = node, scope.statement(node)
    while child is not region:
        parent = scope.source.parents[child]
        if isinstance(parent, ast.If | ast.IfExp) and child is not parent.test:
            return False
        if isinstance(parent, ast.BoolOp) and child is not parent.values[0]:
            return False
        if isinstance(parent, ast.Try | ast.With | ast.Lambda | ast.While | ast.Match):
            return False
        if isinstance(parent, ast.For | Comprehension) and parent is not region:
            return False
        if isinstance(parent, ast.comprehension) and child in parent.ifs[1:]:
            return False
        generators = [] if isinstance(child, ast.comprehension) else getattr(parent, "generators", [])
        if len(generators) > 1 or any(one.ifs for one in generators):
            return False
        child = parent
    earlier = [
        one for one in getattr(region, "body", []) if isinstance(one, ast.stmt) and one.lineno < statement.lineno
    ]
    leaving = (ast.Break, ast.Continue, ast.Return, ast.Raise)
    return not any(isinstance(one, leaving) for each in earlier for one in ast.walk(each))


def _costly(scope: Scope, node: ast.expr) -> bool:
    """Whether the cost of an expression grows with its data, so that storing its value in a variable is worthwhile."""
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp):
        return True
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        if scope.builtin(node.func.id):
            return node.func.id in COSTLY and bool(node.args)
        known = scope.pure(node) and node.func.id != scope.function.name
        return known or scope.imported(node.func.id) == "re"
    if isinstance(node.func, ast.Attribute):
        if scope.module(node.func.value) == "re":
            return node.func.attr == "compile"
        if path(node.func.value) in ("self", "cls"):
            return scope.pure(node) and node.func.attr != scope.function.name
        return node.func.attr in METHODS and not scope.module(node.func.value)
    return False


def _larger(scope: Scope, node: ast.expr, region: Region) -> bool:
    """Whether an expression is part of a larger costly expression that is also invariant."""
    parent = scope.source.parents[node]
    while isinstance(parent, ast.expr | ast.keyword | ast.comprehension) and parent is not region:
        if isinstance(parent, ast.expr) and _costly(scope, parent) and scope.outermost(parent, parent) is region:
            return True
        parent = scope.source.parents[parent]
    return False


def _only_read(scope: Scope, node: ast.expr, region: ast.AST) -> bool:
    """Whether a value is never stored or changed: it is read in place, or assigned to a name that is only read."""
    if is_read_only(scope, node):
        return True
    parent = scope.source.parents[node]
    if not isinstance(parent, ast.Assign) or len(parent.targets) != 1 or not isinstance(parent.targets[0], ast.Name):
        return False
    name = parent.targets[0].id
    inside = [one for one in scope.uses(name, region) if isinstance(one.ctx, ast.Load)]
    return len(scope.bindings(name)) == 1 and all(is_read_only(scope, one) for one in inside)


def _movable(scope: Scope, loop: ast.For | ast.While, group: list[ast.stmt]) -> bool:
    """Whether statements compute the same values in each iteration, and nothing else in the loop changes their
    results."""
    if not all(isinstance(one, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.For) for one in group):
        return False
    if not any(isinstance(one, ast.For) or _value_costly(scope, one) for one in group):
        return False
    if isinstance(group[0], ast.For | ast.AugAssign) or scope.comments(group[0], group[-1]):
        return False
    nodes = [node for one in group for node in ast.walk(one)]
    if any(isinstance(node, ast.Break | ast.Return | ast.Raise | ast.Continue) for node in nodes if node not in group):
        return False
    made = {one for statement in group for one in scope.changes(statement)}
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if not made or any(_first(one) not in names for one in made):
        return False
    assigned = {name for one in group if isinstance(one, ast.Assign | ast.AnnAssign) for name in _stored(one)}
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    pure = all(scope.pure(one) or _local_change(one, names) for one in calls)
    if any(one not in nodes for name in assigned for one in scope.bindings(name)):
        return False  # after an empty loop, such a name keeps its earlier value
    if any(may_fail(scope, one) for one in group):
        return False
    rest = [one for one in loop.body if one not in group]
    outside = {one for statement in rest for one in scope.changes(statement)}
    outside |= scope.changes(loop.target) if isinstance(loop, ast.For) else scope.changes(loop.test)
    read = {one for statement in group for one in read_paths(statement)} | {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    if not pure or not assigned or any(is_affected(outside, one) for one in read | names):
        return False
    if any(_first(one) not in assigned for one in _augmented(group)):
        return False
    kept = [one for name in assigned for one in scope.uses(name, loop) if scope.statement(one) not in group]
    inside = [one for one in kept if one not in nodes]
    return all(_plain(group, one.id) or is_read_only(scope, one) for one in inside)


def _plain(group: list[ast.stmt], name: str) -> bool:
    """Whether a name holds an immutable constant."""
    for one in group:
        if isinstance(one, ast.Assign | ast.AnnAssign) and name in _stored(one):
            return isinstance(one.value, ast.Constant)
    return False


def _augmented(group: list[ast.stmt]) -> Iterator[str]:
    for one in group:
        for node in ast.walk(one):
            if isinstance(node, ast.AugAssign):
                yield next((each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)), "")


def _local_change(call: ast.Call, names: set[str]) -> bool:
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in ("append", "add", "extend", "update", "sort")
        and (path(call.func.value) in names)
    )


def _stored(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [one.id for one in targets if isinstance(one, ast.Name)]


def _value_costly(scope: Scope, statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(value, ast.expr) and any(
        isinstance(one, ast.expr) and _costly(scope, one) for one in ast.walk(value)
    )


def _moved(scope: Scope, loop: ast.stmt, group: list[ast.stmt]) -> Draft | None:
    """Move the lines of a group of statements before the loop, with the loop's indentation."""
    source = scope.source
    start = source.line_start(source.span(group[0])[0])
    margin = source.data[start : source.span(group[0])[0]].decode()
    end = source.data.find(b"\n", source.span(group[-1])[1])
    end = len(source.data) if end < 0 else end + 1
    head = source.line_start(source.span(loop)[0])
    outer = source.data[head : source.span(loop)[0]].decode()
    if margin.strip() or outer.strip() or not margin.startswith(outer):
        return None
    lines = source.data[start:end].decode().splitlines(keepends=True)
    if any(line.strip() and not line.startswith(margin) for line in lines):
        return None
    text = "".join(outer + line[len(margin) :] if line.strip() else line for line in lines)
    made = " ".join(scope.text(group[0]).split())
    return Draft(
        f"run `{made}` and the statements with it once, before the loop", ((head, head, text), (start, end, ""))
    )


def _name(scope: Scope, node: ast.expr) -> str:
    """Return a descriptive name for the value of an expression."""
    inner: ast.AST = node
    word = "fixed"
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            word = "pattern" if node.func.attr == "compile" else node.func.attr
            inner = node.func.value
        elif isinstance(node.func, ast.Name):
            word, inner = NAMES.get(node.func.id, node.func.id), node.args[0] if node.args else node
        while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            inner = inner.func.value
    about = path(inner).rpartition(".")[2] if "[" not in path(inner) else ""
    if word == "pattern" or not about.isidentifier() or about == "re":
        return scope.fresh(word if word.isidentifier() and word not in ("all", "any") else "fixed", "hoisted")
    if word in ("largest", "smallest"):
        return scope.fresh(word, f"{word}_of_{about}")
    return scope.fresh(f"{about}_{word}")


def _first(word: str) -> str:
    return word.split(".")[0].split("[")[0]
