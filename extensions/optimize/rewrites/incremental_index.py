"""Rewrites of local lists that are only appended to and searched: a set that replaces or accompanies the list."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import Draft
from extensions.optimize.rewrites.access_paths import path, stored_path
from extensions.optimize.rewrites.function_scope import Scope, join_drafts
from extensions.optimize.rewrites.set_membership import name_or_empty, tests_in

Drafts = Iterator[Draft | None]


def maintain_set(scope: Scope) -> Drafts:
    """Replace `x in L` for a local list that is only appended to: the list becomes a set, or a set is maintained in
    addition."""
    for name in dict.fromkeys(filter(None, (name_or_empty(test.comparators[0]) for test in tests_in(scope)))):
        start = scope.start(name)
        tests = [one for one in tests_in(scope) if name_or_empty(one.comparators[0]) == name]
        appends = appends_to(scope, name)
        if start is None or start.value is None or not appends or not any(scope.regions(tests[0])):
            continue
        if scope.kind(start.value) not in ("list", "") or (scope.kind(start.value) == "" and not _list(scope, start)):
            continue
        items = [*(one.left for one in tests), *(call.args[0] for call in appends)]
        if len({scope.kind(one) == "list" for one in items}) > 1:
            continue  # a list never equals a tuple
        whole = [scope.source.parents[one] for one in scope.uses(name)]
        yield from _instead(scope, start, name, tests, appends, len(whole))
        seen = scope.fresh("seen", f"{name}_seen", f"{name}_set")
        adds = [_added(scope, seen, name, call) for call in appends]
        begin = "set()" if is_empty(start.value) else f"set({name})"
        yield join_drafts(
            f"keep what `{name}` holds in a set beside it",
            scope.insert(start, f"{seen} = {begin}", after=True),
            *adds,
            *(scope.swap(one.comparators[0], seen) for one in tests),
            *_as_tuples(scope, [one.left for one in tests]),
        )


def maintain_key_set(scope: Scope) -> Drafts:
    """Replace `K in [key(y) for y in L]`, for a local list that is only appended to, with a lookup in an additional set
    of keys."""
    for test in tests_in(scope):
        container = test.comparators[0]
        if not isinstance(container, ast.ListComp) or len(container.generators) != 1 or container.generators[0].ifs:
            continue
        only = container.generators[0]
        name = name_or_empty(only.iter)
        start = scope.start(name) if name else None
        appends = appends_to(scope, name) if name else []
        if start is None or start.value is None or not appends or not isinstance(only.target, ast.Name):
            continue
        keys = scope.fresh(f"{name}_keys", "seen_keys")
        last = scope.substitute(container.elt, only.target.id, f"{name}[-1]")
        adds = [scope.insert(scope.statement(call), f"{keys}.add({last})", after=True) for call in appends]
        begin = "set()" if is_empty(start.value) else f"{{{scope.text(container)[1:-1]}}}"
        yield join_drafts(
            f"keep the keys of `{name}` in a set beside it",
            scope.insert(start, f"{keys} = {begin}", after=True),
            *adds,
            scope.swap(container, keys),
        )


def appends_to(scope: Scope, name: str) -> list[ast.Call]:
    """Return all statements `name.append(e)`; an empty list if something else may change or store the list."""
    found = []
    for use in scope.uses(name):
        parent = scope.source.parents[use]
        call = scope.source.parents.get(parent)
        if isinstance(parent, ast.Attribute) and isinstance(call, ast.Call) and call.func is parent:
            is_statement = isinstance(scope.source.parents[call], ast.Expr)
            if parent.attr == "append" and is_statement and len(call.args) == 1:
                found.append(call)
            elif parent.attr not in ("index", "count", "copy"):
                return []
        elif (
            (isinstance(parent, ast.Subscript) and not isinstance(parent.ctx, ast.Load))
            or isinstance(parent, ast.AugAssign | ast.Delete)
            or (isinstance(parent, ast.Assign) and use is parent.value)
            or (
                isinstance(parent, ast.Call)
                and any(stored_path(one) == name for one in _changeable_arguments(scope, parent))
            )
        ):
            return []
    return found


def _changeable_arguments(scope: Scope, call: ast.Call) -> list[ast.expr]:
    """Return the arguments that a call might change."""
    named = isinstance(call.func, ast.Name) and (scope.builtin(call.func.id) or scope.harmless(call.func.id))
    joining = isinstance(call.func, ast.Attribute) and call.func.attr in ("join", "append", "extend")
    return [] if named or joining else call.args


def _added(scope: Scope, seen: str, name: str, call: ast.Call) -> Draft | None:
    item = call.args[0]
    text = scope.text(item) if path(item) or isinstance(item, ast.Constant) else f"{name}[-1]"
    text = f"tuple({text})" if scope.kind(item) == "list" else text
    return scope.insert(scope.statement(call), f"{seen}.add({text})", after=True)


def _instead(
    scope: Scope,
    start: ast.Assign | ast.AnnAssign,
    name: str,
    tests: list[ast.Compare],
    appends: list[ast.Call],
    n: int,
) -> Drafts:
    """Replace the list by a set if it is only appended to and searched."""
    if start.value is None or isinstance(start, ast.AnnAssign) or n != 1 + len(tests) + len(appends):
        return
    begin = "set()" if is_empty(start.value) else f"set({scope.text(start.value)})"
    if isinstance(start.value, ast.List) and start.value.elts:
        begin = "{" + scope.text(start.value)[1:-1] + "}"
    calls = []
    for call in appends:
        assert isinstance(call.func, ast.Attribute)
        end = scope.source.span(call.func)[1]
        calls.append(Draft("", ((end - len("append"), end, "add"),)))
    tuples = _as_tuples(scope, [*(one.left for one in tests), *(call.args[0] for call in appends)])
    yield join_drafts(f"`{name}` becomes a set", scope.swap(start.value, begin), *calls, *tuples)


def _as_tuples(scope: Scope, items: list[ast.expr]) -> list[Draft | None]:
    """Convert the lists among some items to tuples, which are hashable."""
    return [scope.swap(one, f"tuple({scope.text(one)})") for one in items if scope.kind(one) == "list"]


def _list(scope: Scope, start: ast.Assign | ast.AnnAssign) -> bool:
    return start.value is not None and scope.called(start.value, "list") is not None


def is_empty(node: ast.expr) -> bool:
    return (isinstance(node, ast.List) and not node.elts) or (
        isinstance(node, ast.Call) and not node.args and not node.keywords
    )
