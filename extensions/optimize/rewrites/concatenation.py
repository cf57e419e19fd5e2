"""Rewrites of repeated concatenation: strings, lists, tuples and dicts grow in place or are joined at the end."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import Draft
from extensions.optimize.rewrites.access_paths import path
from extensions.optimize.rewrites.function_scope import Scope, join_drafts

Drafts = Iterator[Draft | None]


def join_strings(scope: Scope) -> Drafts:
    """Join the parts of a string after the loop that extends it at its end or front."""
    yield from _collected(scope, "str")


def collect_tuples(scope: Scope) -> Drafts:
    """If a loop extends a tuple, collect the items in a list and convert it after the loop."""
    yield from _collected(scope, "tuple")


def _collected(scope: Scope, kind: str) -> Drafts:
    for name in _bound_names(scope):
        start, steps = _grown(scope, name)
        if start is None or start.value is None or not steps or scope.kind(start.value) != kind:
            continue
        loop = _loop(scope, steps[0][0])
        if loop is None or any(_loop(scope, one) is not loop for one, _, _ in steps) or _loop(scope, start) is loop:
            continue
        used = sum(1 for _ in scope.uses(name, loop))
        plain = sum(1 if isinstance(one, ast.AugAssign) else 2 for one, _, _ in steps)
        fronts = {front for _, _, front in steps}
        if used != plain or len(fronts) != 1:
            continue
        parts = scope.fresh("parts", f"{name}_parts")
        front = fronts.pop()
        edits: list[Draft | None] = []
        for step, added, _ in steps:
            begin, end = scope.source.span(step)
            text, method = added, "append" if kind == "str" else "extend"
            if kind == "tuple" and added.startswith("(") and added.endswith(",)"):
                method, text = "append", added[1:-2]
            edits.append(Draft("", ((begin, end, f"{parts}.{method}({text})"),)))
        if front and kind == "tuple":
            continue
        if front:
            last = [f"{parts}.reverse()", f'{name} = "".join({parts}) + {name}']
        else:
            last = [f'{name} += "".join({parts})' if kind == "str" else f"{name} += tuple({parts})"]
        yield join_drafts(
            f"join the parts of `{name}` after the loop",
            scope.insert(loop, f"{parts} = []"),
            *edits,
            scope.insert(loop, *last, after=True),
        )


def grow_in_place(scope: Scope) -> Drafts:
    """Change `xs = xs + [x]`, `s = s | {x}` and `d = {**d, k: v}` in a loop so that a new local object grows in
    place."""
    for node in scope.nodes:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and isinstance(node.value, ast.List):
            alone = len(node.value.elts) == 1 and not isinstance(node.value.elts[0], ast.Starred)
            if alone and isinstance(node.op, ast.Add) and _made_here(scope, node.target.id):
                start, end = scope.source.span(node)
                text = f"{node.target.id}.append({scope.text(node.value.elts[0])})"
                yield Draft(f"append to `{node.target.id}`", ((start, end, text),))
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        if not any(scope.regions(node)) or not _made_here(scope, name):
            continue
        text = _in_place(scope, name, node.value)
        if text:
            start, end = scope.source.span(node)
            yield Draft(f"`{name}` grows in place", ((start, end, text),))


def append_and_reverse(scope: Scope) -> Drafts:
    """Replace `xs = [x] + xs` in a loop by appending, and reverse the list after the loop."""
    for node in scope.nodes:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name, value, loop = node.targets[0].id, node.value, _loop(scope, node)
        if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add) or path(value.right) != name:
            continue
        if loop is None or not isinstance(value.left, ast.List) or len(value.left.elts) != 1:
            continue
        starts = [scope.statement(one) for one in scope.bindings(name) if scope.statement(one) is not node]
        empty = len(starts) == 1 and isinstance(starts[0], ast.Assign) and isinstance(starts[0].value, ast.List)
        if not empty or len(scope.uses(name, loop)) != 2 or _loop(scope, starts[0]) is loop:
            continue
        assert isinstance(starts[0], ast.Assign)
        if isinstance(starts[0].value, ast.List) and starts[0].value.elts:
            continue
        start, end = scope.source.span(node)
        put = Draft("", ((start, end, f"{name}.append({scope.text(value.left.elts[0])})"),))
        last = scope.insert(loop, f"{name}.reverse()", after=True)
        yield join_drafts(f"append to `{name}` and reverse it once", put, last)


def flatten_sum(scope: Scope) -> Drafts:
    """Replace `sum(lists, [])` by one comprehension."""
    for node in scope.nodes:
        call = scope.called(node, "sum")
        if call and len(call.args) == 2 and isinstance(call.args[1], ast.List) and not call.args[1].elts:
            part, item = scope.fresh("part", "inner"), scope.fresh("item", "each")
            rows = call.args[0]
            if isinstance(rows, ast.GeneratorExp | ast.ListComp):
                clauses = " ".join(ast.unparse(one).strip() for one in rows.generators)
                text = f"[{item} {clauses} for {item} in {scope.text(rows.elt)}]"
            else:
                text = f"[{item} for {part} in {scope.text(rows)} for {item} in {part}]"
            yield join_drafts("one list of all items, made once", scope.swap(call, text))


def _grown(
    scope: Scope, name: str
) -> tuple[ast.Assign | ast.AnnAssign | None, list[tuple[ast.Assign | ast.AugAssign, str, bool]]]:
    """Return the first assignment of a name, and for each addition to it (statement, added value, whether it is added
    in front)."""
    start: ast.Assign | ast.AnnAssign | None = None
    steps: list[tuple[ast.Assign | ast.AugAssign, str, bool]] = []
    for use in scope.bindings(name):
        parent = scope.source.parents[use]
        if isinstance(parent, ast.AugAssign) and isinstance(parent.op, ast.Add):
            steps.append((parent, scope.text(parent.value), False))
        elif isinstance(parent, ast.Assign | ast.AnnAssign) and parent.value is not None:
            added = _added(scope, name, parent.value) if isinstance(parent, ast.Assign) else None
            if added is not None and isinstance(parent, ast.Assign):
                steps.append((parent, *added))
            elif start is None:
                start = parent
            else:
                return None, []
        else:
            return None, []
    return (None, []) if name in scope.arguments else (start, steps)


def _added(scope: Scope, name: str, value: ast.expr) -> tuple[str, bool] | None:
    """Return (added value, whether it is added in front) for `name + a + b` or `a + name`."""
    terms = _terms(value)
    texts = [scope.text(one) for one in terms]
    if len(terms) < 2 or texts.count(name) != 1:
        return None
    if texts[0] == name:
        return " + ".join(texts[1:]), False
    return (" + ".join(texts[:-1]), True) if texts[-1] == name else None


def _terms(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_terms(node.left), node.right]
    return [node]


def _in_place(scope: Scope, name: str, value: ast.expr) -> str:
    if isinstance(value, ast.BinOp) and path(value.left) == name:
        added = scope.text(value.right)
        if isinstance(value.op, ast.Add) and isinstance(value.right, ast.List) and len(value.right.elts) == 1:
            return f"{name}.append({scope.text(value.right.elts[0])})"
        if isinstance(value.op, ast.Add) and _kind_of(scope, name) == "list":
            return f"{name} += {added}"
        if isinstance(value.op, ast.BitOr) and _kind_of(scope, name) in ("set", "dict"):
            if isinstance(value.right, ast.Set) and len(value.right.elts) == 1:
                return f"{name}.add({scope.text(value.right.elts[0])})"
            return f"{name} |= {added}"
    if isinstance(value, ast.List | ast.Tuple) and value.elts and isinstance(value.elts[0], ast.Starred):
        rest = value.elts[1:]
        if path(value.elts[0].value) == name and isinstance(value, ast.List) and rest:
            return f"{name} += [{', '.join(scope.text(one) for one in rest)}]"
    if isinstance(value, ast.Dict) and value.keys and value.keys[0] is None and path(value.values[0]) == name:
        pairs = list(zip(value.keys[1:], value.values[1:], strict=True))
        if len(pairs) == 1 and pairs[0][0] is not None:
            return f"{name}[{scope.text(pairs[0][0])}] = {scope.text(pairs[0][1])}"
        if pairs and all(key is not None for key, _ in pairs):
            return f"{name}.update({{{', '.join(f'{scope.text(k)}: {scope.text(v)}' for k, v in pairs if k)}}})"
    if isinstance(value, ast.Call) and path(value.func) == f"{name}.union" and _kind_of(scope, name) == "set":
        return f"{name}.update({', '.join(scope.text(one) for one in value.args)})"
    return ""


def _made_here(scope: Scope, name: str) -> bool:
    """Whether a name is first bound to a new local list, set or dict."""
    return name not in scope.arguments and _kind_of(scope, name) in ("list", "set", "dict")


def _kind_of(scope: Scope, name: str) -> str:
    """Return the kind of the first value of a local name, if it is a new object."""
    first_bindings = [
        scope.source.parents[one]
        for one in scope.bindings(name)
        if isinstance(scope.source.parents[one], ast.Assign | ast.AnnAssign)
    ]
    values = [
        one.value for one in first_bindings if isinstance(one, ast.Assign | ast.AnnAssign) and one.value is not None
    ]
    first = min(values, key=lambda one: (one.lineno, one.col_offset), default=None)
    if first is None or path(first):
        return ""
    return scope.kind(first)


def _bound_names(scope: Scope) -> list[str]:
    return list(
        dict.fromkeys(
            node.id for node in scope.nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        )
    )


def _loop(scope: Scope, node: ast.AST) -> ast.stmt | None:
    """Return the outermost loop that contains a node."""
    found = None
    for region in scope.regions(node):
        found = region if isinstance(region, ast.For | ast.While) else found
    return found
