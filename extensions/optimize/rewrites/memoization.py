"""Rewrites that memoize pure recursive functions, in a cache that lives as long as the outermost call.

Results must not be kept from call to call, so the cache belongs to a local function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import Definition, Draft
from extensions.optimize.rewrites.access_paths import is_affected, path, root
from extensions.optimize.rewrites.function_scope import Scope, join_drafts
from extensions.optimize.rewrites.known_effects import FRESH
from extensions.optimize.rewrites.static_types import kind_of

Drafts = Iterator[Draft | None]


def memoize_function(scope: Scope) -> Drafts:
    """Move the body of a function that calls itself more than once into a local function with a cache."""
    function = scope.function
    calls = _calls(scope, function, _own_names(scope))
    if not isinstance(function, ast.FunctionDef) or not _worthwhile(scope, function, calls):
        return
    arguments = function.args
    names = [one.arg for one in [*arguments.posonlyargs, *arguments.args]]
    bound = names[:1] if isinstance(calls[0].func, ast.Attribute) and names[:1] in (["self"], ["cls"]) else []
    names = names[len(bound) :]
    passed = [name for at, name in enumerate(names) if not _is_passed_on(scope, function, calls, at, name)]
    positional = all(len(call.args) == len(names) and not call.keywords for call in calls)
    if not positional:
        passed = names
    if not passed or (arguments.defaults and not positional):
        return
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body or body[0].lineno == function.lineno:
        return
    keys = _keys(scope, function, calls, names)
    keys = [one for one, name in zip(keys, names, strict=True) if name in passed]
    yield _nested(scope, body, calls, names, passed, keys)


def memoize_local_function(scope: Scope) -> Drafts:
    """Add a cache to a local function that calls itself more than once."""
    for node in scope.nodes:
        if not isinstance(node, ast.FunctionDef) or node.decorator_list:
            continue
        calls = _calls(scope, node, {node.name})
        arguments = node.args
        names = [one.arg for one in [*arguments.posonlyargs, *arguments.args]]
        if not names or not _worthwhile(scope, node, calls) or _strange(arguments):
            continue
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        if not body or body[0].lineno == node.lineno:
            continue
        keys = _keys(scope, node, calls, names)
        known, key = scope.fresh("known", "results"), scope.fresh("key", "asked")
        yield join_drafts(
            f"keep the results of `{node.name}` in a dict",
            scope.insert(node, f"{known} = {{}}", ""),
            scope.insert(body[0], *_lookup(scope, known, key, keys)),
            *_cached_returns(scope, node, known, key),
        )


def _nested(
    scope: Scope,
    body: list[ast.stmt],
    calls: list[ast.Call],
    names: list[str],
    passed: list[str],
    keys: list[str],
) -> Draft | None:
    """Move the body into a local function that keeps its results in a dict."""
    known, visit, key = scope.fresh("known", "results"), scope.fresh("visit", "answer"), scope.fresh("key", "asked")
    source = scope.source
    start = source.line_start(source.span(body[0])[0])
    end = source.span(body[-1])[1]
    margin = source.data[start : source.span(body[0])[0]].decode()
    if margin.strip() or _multiline(scope, body):
        return None
    edits = [(at, at, source.indent) for at in _line_starts(scope, start, end)]
    head = [f"{known} = {{}}", "", f"def {visit}({', '.join(passed)}):"]
    if body[0] is not scope.function.body[0]:
        head.insert(0, "")  # after the docstring
    look = [scope.indented(line) for line in _lookup(scope, known, key, keys)]
    opening = source.newline.join(margin + line if line else "" for line in [*head, *look]) + source.newline
    ending = source.newline * 2 + margin + f"return {visit}({', '.join(passed)})"
    tail = source.data.find(b"\n", end)
    comment = source.data[end : tail if tail >= 0 else None].rstrip(b"\r")
    edits[0] = (start, start, opening + source.indent)
    for call in calls:
        left, right = source.span(call.func)
        edits.append((left, right, visit))
        if passed != names:
            edits += _fewer(scope, call, names, passed)
    made = [edit for one in _cached_returns(scope, scope.function, known, key) for edit in one.edits]
    made.append((end + len(comment), end + len(comment), ending))
    return Draft("cache results of the recursion in a dict within the call", tuple(edits + made))


def _keys(scope: Scope, function: Definition, calls: list[ast.Call], names: list[str]) -> list[str]:
    """Return the parts of the cache key: each argument, or only its length if inner calls pass on tails of it."""
    bound = {one.id for one in _inner(function) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}

    def shrinks(at: int, name: str) -> bool:
        rests = [call.args[at] for call in calls if at < len(call.args) and not call.keywords]
        sliced = [one for one in rests if isinstance(one, ast.Subscript)]
        alike = [path(one.value) == name and _rest(one) for one in sliced]
        same = [path(one) == name for one in rests if not isinstance(one, ast.Subscript)]
        return bool(sliced) and len(rests) == len(calls) and all(alike) and all(same) and name not in bound

    return [f"len({name})" if shrinks(at, name) else name for at, name in enumerate(names)]


def _rest(node: ast.Subscript) -> bool:
    part = node.slice
    return isinstance(part, ast.Slice) and part.lower is not None and part.upper is None and part.step is None


def _lookup(scope: Scope, known: str, key: str, names: list[str]) -> list[str]:
    parts = f"({', '.join(names)})" if len(names) > 1 else names[0]
    return [f"{key} = {parts}", f"if {key} in {known}:", scope.indented(f"return {known}[{key}]")]


def _cached_returns(scope: Scope, function: Definition, known: str, key: str) -> list[Draft]:
    """Put each result into the cache as it is returned, except constants."""
    found: list[Draft] = []
    for node in _inner(function):
        if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
            # There may be parentheses around the value.
            start, stop = scope.source.span(node)[0] + len("return"), scope.source.span(node)[1]
            bare = isinstance(node.value, ast.Tuple) and scope.source.data[start:stop].strip()[:1] != b"("
            opened, closed = (" (", "))") if bare else ("", ")")
            found.append(Draft("", ((start, start, f" {known}.setdefault({key},{opened}"), (stop, stop, closed))))
    return found


def _fewer(scope: Scope, call: ast.Call, names: list[str], passed: list[str]) -> list[tuple[int, int, str]]:
    """Return edits that remove from a call the arguments that every inner call passes on unchanged."""
    edits = []
    spans = [scope.source.span(one) for one in call.args]
    kept = [at for at, name in enumerate(names) if name in passed]
    for at in range(len(names)):
        if at in kept:
            continue
        start = spans[at][0]
        if at + 1 < len(names):
            edits.append((start, spans[at + 1][0], ""))
        else:
            left = spans[kept[-1]][1]
            edits = [edit for edit in edits if edit[0] < left]
            edits.append((left, spans[at][1], ""))
    return edits


def _is_passed_on(scope: Scope, function: Definition, calls: list[ast.Call], at: int, name: str) -> bool:
    """Whether every inner call passes on an argument unchanged."""
    inner = {node for call in calls for node in ast.walk(call)}
    bound = any(
        isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load) for node in scope.nodes
    )
    alike = all(
        at < len(call.args) and isinstance(call.args[at], ast.Name) and call.args[at].id == name  # type: ignore[attr-defined]
        for call in calls
    )
    return bool(inner) and alike and not bound


def _own_names(scope: Scope) -> set[str]:
    name = scope.function.name
    return {name, f"self.{name}", f"cls.{name}"}


def _calls(scope: Scope, function: Definition, names: set[str]) -> list[ast.Call]:
    return [
        node
        for statement in function.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names
    ]


def _worthwhile(scope: Scope, function: Definition, calls: list[ast.Call]) -> bool:
    """Return whether a call of the function calls it again more than once and has no other visible effect."""
    if function.decorator_list and any(
        not isinstance(one, ast.Name) or one.id not in ("staticmethod", "classmethod")
        for one in function.decorator_list
    ):
        return False
    again = len(calls) > 1 or any(
        isinstance(region, ast.For | ast.While | ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp)
        and any(region is one for statement in function.body for one in ast.walk(statement))
        for call in calls
        for region in scope.regions(call)
    )
    inner = list(_inner(function))
    if not again or any(isinstance(node, ast.Yield | ast.YieldFrom | ast.Global | ast.Nonlocal) for node in inner):
        return False
    names = {node.id for node in inner if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    own = {ast.unparse(call.func) for call in calls}
    raised = [node.exc for node in inner if isinstance(node, ast.Raise)]
    for node in inner:
        if isinstance(node, ast.Call) and ast.unparse(node.func) not in own and node not in raised:
            mutating = any(root(one) in names for one in scope._changed(node))
            if not scope.pure(ast.Call(node.func, [], [])) and not mutating:
                return False
    changed = {one for node in inner for one in scope._changed(node) if one and not _is(node, own)}
    arguments = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    rebound = {node.id for node in inner if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    fresh = rebound - arguments
    results = {
        target.id
        for node in inner
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _is(node.value, own)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    in_place = {one for one in changed if one not in rebound}
    in_place |= {
        one for node in inner if isinstance(node, ast.Call) and not _is(node, own) for one in scope._changed(node)
    }
    if any(root(one) in arguments or root(one) not in rebound for one in in_place if one):
        return False
    if any(is_affected(in_place, one) for one in results) or not fresh | arguments:
        return False
    shown = [*calls, *(node for node in inner if isinstance(node, ast.Name) and node.id in results)]
    return _has_immutable_results(scope, function) or not any(_is_stored(scope, one) for one in shown)


def _has_immutable_results(scope: Scope, function: Definition) -> bool:
    """Whether a function is annotated with an immutable type, or returns a constant in a simple case."""
    if function.returns is not None and kind_of(function.returns, True) in ("str", "number"):
        return True
    values = [node.value for node in _inner(function) if isinstance(node, ast.Return) and node.value is not None]
    return any(scope.kind(one) in ("str", "number") for one in values)


def _is_stored(scope: Scope, node: ast.expr) -> bool:
    """Whether a value becomes an item of a collection, where a caller could see that two items are the same object."""
    parent = scope.source.parents[node]
    if isinstance(parent, ast.GeneratorExp | ast.ListComp):
        return scope.called(scope.source.parents[parent], "sum", "min", "max", "any", "all") is None
    if isinstance(parent, ast.Call):
        return node is not parent.func and scope.called(parent, *FRESH) is None
    return isinstance(parent, ast.List | ast.Tuple | ast.Set | ast.Dict | ast.SetComp | ast.DictComp) or (
        isinstance(parent, ast.Assign) and not isinstance(parent.targets[0], ast.Name)
    )


def _is(node: ast.AST, own: set[str]) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in own


def _inner(function: Definition) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Definition | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def _strange(arguments: ast.arguments) -> bool:
    return bool(arguments.vararg or arguments.kwarg or arguments.kwonlyargs)


def _multiline(scope: Scope, body: list[ast.stmt]) -> bool:
    """Whether a string spans several lines, so that indentation would change it."""
    return any(
        isinstance(node, ast.Constant | ast.JoinedStr)
        and isinstance(getattr(node, "value", ""), str)
        and node.end_lineno != node.lineno
        for statement in body
        for node in ast.walk(statement)
    )


def _line_starts(scope: Scope, start: int, end: int) -> list[int]:
    """Return the positions where non-empty lines start."""
    found, at = [], start
    data = scope.source.data
    while at < end:
        stop = data.find(b"\n", at)
        stop = len(data) if stop < 0 else stop + 1
        if data[at:stop].strip():
            found.append(at)
        at = stop
    return found
