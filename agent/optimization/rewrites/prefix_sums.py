"""Rewrites that replace the sum, minimum or maximum of a slice by a lookup in results accumulated before the loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from agent.optimization.rewrites.access_paths import path
from agent.optimization.rewrites.function_scope import Scope, join_drafts
from agent.repair.analysis.source_file import Draft

Drafts = Iterator[Draft | None]


def use_running_results(scope: Scope) -> Drafts:
    """Replace `sum(xs[i:j])`, `max(xs[:i])` and `min(xs[i:])` in loops by lookups in accumulated results."""
    for node in scope.nodes:
        call = scope.called(node, "sum", "max", "min")
        if call is None or len(call.args) != 1 or call.keywords or not isinstance(call.func, ast.Name):
            continue
        part = call.args[0]
        if not isinstance(part, ast.Subscript) or not isinstance(part.slice, ast.Slice) or part.slice.step:
            continue
        region = scope.outermost(node, part.value)
        if region is None or not path(part.value) or (part.slice.lower is None and part.slice.upper is None):
            continue
        before = scope.statement(region)
        if call.func.id == "sum":
            yield from _sums(scope, call, part, before)
        else:
            yield _extreme(scope, call, part, before)


def _sums(scope: Scope, call: ast.Call, part: ast.Subscript, before: ast.stmt) -> Drafts:
    accumulate, needed = scope.imports("itertools", "accumulate")
    items = scope.text(part.value)
    sums = scope.fresh("sums", "running")
    assert isinstance(part.slice, ast.Slice)
    lower = scope.text(part.slice.lower) if part.slice.lower is not None else ""
    upper = scope.text(part.slice.upper) if part.slice.upper is not None else ""
    line = scope.built(before, sums, f"{sums} = list({accumulate}({items}, initial=0))")
    what = f"sum parts of `{items}` by running totals"
    if scope.careful:
        left, right = scope.fresh("first", "begin") if lower else "", scope.fresh("last", "end") if upper else ""
        names = [one for one in (left, right) if one]
        tests = [f"0 <= {one} <= len({items})" for one in names] + ([f"{left} <= {right}"] if len(names) == 2 else [])
        fast = f"{sums}[{right or -1}]" + (f" - {sums}[{left}]" if lower else "")
        part_text = f"{items}[{left}:{right}]"
        given = ", ".join(one for one in (lower, upper) if one)
        yield _with_fallback(scope, what, (needed, line), call, before, names, tests, fast, f"sum({part_text})", given)
        return
    found = f"{sums}[{upper or -1}]" + (f" - {sums}[{lower}]" if lower else "")
    yield join_drafts(what, needed, line, scope.swap(call, found))
    if upper:
        found = f"{sums}[min({upper}, len({items}))]" + (f" - {sums}[min({lower}, len({items}))]" if lower else "")
        yield join_drafts(f"{what}, also past its end", needed, line, scope.swap(call, found))


def _extreme(scope: Scope, call: ast.Call, part: ast.Subscript, before: ast.stmt) -> Draft | None:
    assert isinstance(part.slice, ast.Slice)
    assert isinstance(call.func, ast.Name)
    accumulate, needed = scope.imports("itertools", "accumulate")
    items, function = scope.text(part.value), call.func.id
    runs = scope.fresh("running", f"running_{function}")
    if part.slice.lower is None and part.slice.upper is not None:
        made, place = f"list({accumulate}({items}, {function}))", _less(scope, part.slice.upper)
    elif part.slice.upper is None and part.slice.lower is not None:
        made, place = f"list({accumulate}(reversed({items}), {function}))[::-1]", scope.text(part.slice.lower)
    else:
        return None
    if scope.careful:
        bound = part.slice.upper if part.slice.lower is None else part.slice.lower
        at = scope.fresh("end", "bound")
        place, slow = (f"{at} - 1", f"{items}[:{at}]") if part.slice.lower is None else (at, f"{items}[{at}:]")
        line = scope.built(before, runs, f"{runs} = {made}")
        test = f"0 < {at} <= len({items})" if part.slice.lower is None else f"0 <= {at} < len({items})"
        fast, given = f"{runs}[{place}]", scope.text(bound) if bound is not None else ""
        what = f"keep the running {function} of `{items}`"
        return _with_fallback(
            scope, what, (needed, line), call, before, [at], [test], fast, f"{function}({slow})", given
        )
    return join_drafts(
        f"keep the running {function} of `{items}`",
        needed,
        scope.insert(before, f"{runs} = {made}"),
        scope.swap(call, f"{runs}[{place}]"),
    )


def _with_fallback(
    scope: Scope,
    what: str,
    first: tuple[Draft | None, ...],
    call: ast.Call,
    before: ast.stmt,
    names: list[str],
    tests: list[str],
    fast: str,
    slow: str,
    given: str,
) -> Draft | None:
    """Replace the call by a call of a local function that falls back to `slow` if the slice's bounds are negative, out
    of range or reversed."""
    function = scope.fresh("over", "part_of")
    inner = scope.guarded([f"if {' and '.join(tests)}:", scope.indented(f"return {fast}")], "pass")
    lines = ["", f"def {function}({', '.join(names)}):", *map(scope.indented, [*inner, f"return {slow}"]), ""]
    return join_drafts(what, *first, scope.insert(before, *lines), scope.swap(call, f"{function}({given})"))


def _less(scope: Scope, node: ast.expr) -> str:
    """Return the text of an index minus one, such as `i` for `i + 1`."""
    added = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and ast.unparse(node.right) == "1"
    return scope.text(node.left) if added and isinstance(node, ast.BinOp) else f"{scope.text(node)} - 1"
