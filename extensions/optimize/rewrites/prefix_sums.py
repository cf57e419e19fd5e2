"""Rewrites that replace the sum, minimum or maximum of a slice by a lookup in results accumulated before the loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import Draft
from extensions.optimize.rewrites.access_paths import is_affected, last_word, path, read_paths, root
from extensions.optimize.rewrites.function_scope import Scope, join_drafts

Drafts = Iterator[Draft | None]


def use_running_results(scope: Scope) -> Drafts:
    """Replace `sum(xs[i:j])`, `max(xs[:i])` and `min(xs[i:])` in loops by lookups in accumulated results."""
    sums: dict[tuple[ast.AST, str], list[tuple[ast.Call, ast.Subscript, Draft | None]]] = {}
    for node in scope.nodes:
        call = scope.called(node, "sum", "max", "min")
        if call is None or len(call.args) != 1 or call.keywords or not isinstance(call.func, ast.Name):
            continue
        part, removal = _named_slice(scope, call.args[0])
        looped = part if isinstance(part, ast.GeneratorExp | ast.ListComp) else None
        if looped is not None and call.func.id == "sum" and len(looped.generators) == 1:
            part = looped.generators[0].iter
        if not isinstance(part, ast.Subscript) or not isinstance(part.slice, ast.Slice) or part.slice.step:
            continue
        region, bounds = scope.outermost(node, part.value), (part.slice.lower, part.slice.upper)
        if region is None or not path(part.value) or not any(bounds):
            continue
        if any(one is not None and isinstance(one, ast.UnaryOp) for one in bounds):
            continue  # it counts from the end
        if call.func.id == "sum" and (summands := _summands(scope, looped, part, region)):
            sums.setdefault((region, summands), []).append((call, part, removal))
        elif call.func.id != "sum":
            yield join_drafts("", removal, _extreme(scope, call, part, scope.statement(region)))
    for (around, summands), found in sums.items():
        accumulate, needed = scope.imports("itertools", "accumulate")
        items = found[0][1].value
        name = scope.fresh(f"{last_word(items)}_sums", "running_sums")
        yield join_drafts(
            f"sum parts of `{scope.text(items)}` by running totals",
            needed,
            scope.insert(scope.statement(around), f"{name} = list({accumulate}({summands}, initial=0))"),
            *(_difference(scope, call, part, name) for call, part, _ in found),
            *(removal for _, _, removal in found),
        )


def slice_sums(scope: Scope) -> Drafts:
    """Replace `sum(xs[j] for j in range(i, k))` by `sum(xs[i:k])` if no index is negative or past the end."""
    for node in scope.nodes:
        call = scope.called(node, "sum", "max", "min")
        looped = call.args[0] if call and len(call.args) == 1 and not call.keywords else None
        if not isinstance(looped, ast.GeneratorExp | ast.ListComp) or len(looped.generators) != 1:
            continue
        only, item = looped.generators[0], looped.elt
        ranged = scope.called(only.iter, "range")
        if ranged is None or only.ifs or not isinstance(item, ast.Subscript) or not isinstance(only.target, ast.Name):
            continue
        if path(item.slice) != only.target.id or not path(item.value) or len(ranged.args) > 2 or call is None:
            continue
        lower, upper = ranged.args if len(ranged.args) == 2 else (None, ranged.args[0])
        if (lower is None or scope.is_natural(lower, call)) and _is_within(scope, upper, item.value, call):
            text = f"{scope.text(item.value)}[{scope.text(lower) if lower is not None else ''}:{scope.text(upper)}]"
            yield join_drafts(f"take the slice `{text}`", scope.swap(looped, text))


def _named_slice(scope: Scope, node: ast.expr) -> tuple[ast.expr, Draft | None]:
    """Return the slice that a name holds only for the next statement, and the removal of its assignment."""
    start = scope.start(node.id) if isinstance(node, ast.Name) else None
    if start is None or start.value is None or not isinstance(node, ast.Name) or len(scope.uses(node.id)) != 2:
        return node, Draft("", ())
    block = scope.block(start)
    follows = scope.statement(node) in block and block.index(scope.statement(node)) == block.index(start) + 1
    return (start.value, scope.remove(start)) if follows else (node, Draft("", ()))


def _is_within(scope: Scope, bound: ast.expr, items: ast.expr, within: ast.AST) -> bool:
    """Whether a bound is the length of a list, the index of a loop over it, or the position after that index."""
    length = f"len({ast.unparse(items)})"
    if ast.unparse(bound) == length:
        return True
    if isinstance(bound, ast.BinOp) and isinstance(bound.op, ast.Add) and ast.unparse(bound.right) == "1":
        bound = bound.left
    if not isinstance(bound, ast.Name) or not scope.is_natural(bound, within):
        return False
    for region in scope.regions(within):
        for head in [region] if isinstance(region, ast.For) else getattr(region, "generators", []):
            ends = [ast.unparse(one) for one in head.iter.args[-1:]] if isinstance(head.iter, ast.Call) else []
            names = {one.id for one in ast.walk(head.target) if isinstance(one, ast.Name)}
            if bound.id in names:
                return ends in ([length], [ast.unparse(items)])
    return False


def _summands(
    scope: Scope, looped: ast.GeneratorExp | ast.ListComp | None, part: ast.Subscript, region: ast.AST
) -> str:
    """Return the values to accumulate for the sum of a comprehension, in which a refused item counts as 0; "" if they
    may change in the region."""
    items = scope.text(part.value)
    if looped is None:
        return items
    only = looped.generators[0]
    names = {one.id for one in ast.walk(only.target) if isinstance(one, ast.Name)}
    changed = {one for one in scope.changes(region) if root(one) not in names}
    parts = [looped.elt, *only.ifs]
    read = {one for each in parts for one in read_paths(each)}
    if len(only.ifs) > 1 or not all(map(scope.pure, parts)) or any(is_affected(changed, one) for one in read):
        return ""
    value = scope.text(looped.elt)
    if any(isinstance(one, ast.IfExp | ast.Lambda) for one in parts):
        return ""
    if only.ifs:
        value = f"{value} if {scope.text(only.ifs[0])} else 0"
    return f"({value} for {scope.text(only.target)} in {items})"


def _difference(scope: Scope, call: ast.Call, part: ast.Subscript, sums: str) -> Draft:
    """Replace the sum of a slice by the difference of two running totals."""
    assert isinstance(part.slice, ast.Slice)
    lower, upper = part.slice.lower, part.slice.upper
    start = f" - {sums}[{scope.text(lower)}]" if lower is not None else ""
    end = scope.text(upper) if upper is not None else "-1"
    return scope.swap(call, f"{sums}[{end}]{start}")


def _extreme(scope: Scope, call: ast.Call, part: ast.Subscript, before: ast.stmt) -> Draft | None:
    assert isinstance(part.slice, ast.Slice)
    assert isinstance(call.func, ast.Name)
    accumulate, needed = scope.imports("itertools", "accumulate")
    items, function = scope.text(part.value), call.func.id
    runs = scope.fresh(f"running_{function}", "running")
    if part.slice.lower is None and part.slice.upper is not None:
        made, place = f"list({accumulate}({items}, {function}))", _less(scope, part.slice.upper)
    elif part.slice.upper is None and part.slice.lower is not None:
        made, place = f"list({accumulate}(reversed({items}), {function}))[::-1]", scope.text(part.slice.lower)
    else:
        return None
    return join_drafts(
        f"keep the running {function} of `{items}`",
        needed,
        scope.insert(before, f"{runs} = {made}"),
        scope.swap(call, f"{runs}[{place}]"),
    )


def _less(scope: Scope, node: ast.expr) -> str:
    """Return the text of an index minus one, such as `i` for `i + 1`."""
    added = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and ast.unparse(node.right) == "1"
    return scope.text(node.left) if added and isinstance(node, ast.BinOp) else f"{scope.text(node)} - 1"
