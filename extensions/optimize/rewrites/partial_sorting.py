"""Rewrites that avoid sorting if only the first or last items are needed, or if the data is almost sorted."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import Draft
from extensions.optimize.rewrites.access_paths import is_same_code, path
from extensions.optimize.rewrites.function_scope import Scope, join_drafts

Drafts = Iterator[Draft | None]


def replace_sorted_ends(scope: Scope) -> Drafts:
    """Replace `sorted(xs)[0]` and `[-1]` by min and max, with the same result even among equal items."""
    for node in scope.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            call = scope.called(node.value, "sorted")
            if call is not None and len(call.args) == 1:
                yield from _end(scope, node, call)


def replace_named_ends(scope: Scope) -> Drafts:
    """Avoid `ordered = sorted(xs)` if only the first or the last item of `ordered` is read."""
    for node in scope.nodes:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        call, name = scope.called(node.value, "sorted"), node.targets[0].id
        if call is None or len(call.args) != 1 or len(scope.bindings(name)) != 1:
            continue
        uses = [one for one in scope.uses(name) if isinstance(one.ctx, ast.Load)]
        places = [scope.source.parents[one] for one in uses]
        if places and all(isinstance(one, ast.Subscript) and _position(one) is not None for one in places):
            swaps = []
            for one in places:
                assert isinstance(one, ast.Subscript)
                text = _least(scope, call, _position(one) or 0, name)
                swaps.append(scope.swap(one, text))
            yield join_drafts(
                f"take the least and greatest of `{name}` without sorting",
                scope.swap(node.value, f"list({scope.text(call.args[0])})"),
                *swaps,
            )
        if len(uses) == 1 and isinstance(places[0], ast.Subscript):
            yield from _slices(scope, places[0], call, drop=node)


def replace_sort_in_place(scope: Scope) -> Drafts:
    """Avoid `xs.sort()` on a local list if only its first or its last item is read afterwards."""
    for node in scope.nodes:
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            continue
        call = node.value
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "sort" or call.args:
            continue
        name = call.func.value.id if isinstance(call.func.value, ast.Name) else ""
        if not name or scope.start(name) is None or path(getattr(scope.start(name), "value", node)):
            continue
        later = [one for one in scope.uses(name) if one.lineno > node.lineno]
        places = [scope.source.parents[one] for one in later]
        if not later or not all(isinstance(one, ast.Subscript) and _position(one) is not None for one in places):
            continue
        swaps = []
        for one in places:
            assert isinstance(one, ast.Subscript)
            swaps.append(scope.swap(one, _least(scope, call, _position(one) or 0, name)))
        yield join_drafts(f"take the least or greatest of `{name}` without sorting", scope.remove(node), *swaps)


def replace_sorted_slices(scope: Scope) -> Drafts:
    """Replace `sorted(xs)[:k]` by heapq.nsmallest, which keeps the order of equal items."""
    for node in scope.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            call = scope.called(node.value, "sorted")
            if call is not None and len(call.args) == 1:
                yield from _slices(scope, node, call)


def insert_sorted(scope: Scope) -> Drafts:
    """Replace `xs.append(x)` and `xs.sort()` in a loop by bisect.insort, if nothing else may change the order."""
    for node in scope.nodes:
        block = getattr(node, "body", None)
        for at, first in enumerate(block if isinstance(block, list) else []):
            name, item = _appended(scope, first)
            if not name or not any(scope.regions(first)):
                continue
            start = _sorted_start(scope, name)
            second = block[at + 1] if block and at + 1 < len(block) else None
            if start is None or second is None:
                continue
            insort, needed = scope.imports("bisect", "insort")
            begin, end = scope.source.span(first)
            put = Draft("", ((begin, end, f"{insort}({name}, {item})"),))
            if is_same_code(second, ast.parse(f"{name}.sort()").body[0]):
                others = [one for one in scope.uses(name) if scope.statement(one) not in (first, second, start)]
                if all(isinstance(one.ctx, ast.Load) and _keeps_order(scope, one) for one in others):
                    what, gone = f"insert into the sorted `{name}`", scope.remove(second)
                    yield join_drafts(what, needed, put, gone)
                    yield _with_positions(scope, name, item, second, join_drafts(what, put, gone))
            elif isinstance(second, ast.Assign) and len(second.targets) == 1:
                yield _beside(scope, start, name, first, second)


def _with_positions(scope: Scope, name: str, item: str, after: ast.stmt, draft: Draft | None) -> Draft | None:
    """Also replace `xs.index(x)`, after x was inserted into the sorted list, by a binary search."""
    places = [scope.source.parents[one] for one in scope.uses(name)]
    calls = [scope.source.parents[one] for one in places if isinstance(one, ast.Attribute) and one.attr == "index"]
    changing = [one for one in places if isinstance(one, ast.Attribute) and one.attr in ("pop", "remove", "clear")]
    if not calls or changing or len(scope.bindings(item)) != 1 or any(isinstance(x, ast.Delete) for x in scope.nodes):
        return None
    swaps = []
    for call in calls:
        if not isinstance(call, ast.Call) or scope.statement(call) not in scope.block(after)[1:]:
            return None
        if [scope.text(one) for one in call.args] != [item] or call.lineno < after.lineno:
            return None
        swaps.append(scope.swap(call, f"bisect_left({name}, {item})"))
    needed = scope.import_names("bisect", "bisect_left", "insort")
    return join_drafts(f"insert into and search the sorted `{name}`", draft, needed, *swaps)


def insert_by_search(scope: Scope) -> Drafts:
    """Replace a linear search for the position of a new item in a sorted list by bisect.insort."""
    for node in scope.nodes:
        body = getattr(node, "body", None)
        block: list[ast.stmt] = body if isinstance(body, list) else []
        for at, statement in enumerate(block):
            found = _while_search(scope, block[at : at + 3]) or _for_search(scope, statement)
            if found is None:
                continue
            name, item, function, last = found
            start = _sorted_start(scope, name)
            inside = {one for each in block[at : at + 3] for one in ast.walk(each)}
            others = [one for one in scope.uses(name) if one not in inside and scope.statement(one) is not start]
            if start is None or not all(isinstance(x.ctx, ast.Load) and _keeps_order(scope, x) for x in others):
                continue
            insort, needed = scope.imports("bisect", function)
            span = (scope.source.span(statement)[0], scope.source.span(last)[1])
            if not scope.comments(statement, last):
                put = Draft("", ((*span, f"{insort}({name}, {item})"),))
                yield join_drafts(f"insert into the sorted `{name}` by binary search", needed, put)


def _while_search(scope: Scope, group: list[ast.stmt]) -> tuple[str, str, str, ast.stmt] | None:
    """Return (list, item, function of bisect, last statement) for `i = 0`, a loop that increments i, and an insertion
    at i."""
    if len(group) != 3 or not isinstance(group[0], ast.Assign) or not isinstance(group[1], ast.While):
        return None
    position, (name, place, item) = path(group[0].targets[0]), _inserted(scope, group[2])
    is_counter = ast.unparse(group[0]) == f"{position} = 0" and not group[1].orelse
    if (
        not name
        or place != position
        or not is_counter
        or [ast.unparse(x) for x in group[1].body] != [f"{position} += 1"]
    ):
        return None
    inside = {one for each in group for one in ast.walk(each)}
    tests = {
        f"{position} < len({name}) and {left} {operator} {right}": function
        for left, operator, right, function in _comparisons(f"{name}[{position}]", item)
    }
    function = tests.get(ast.unparse(group[1].test))
    alone = all(one in inside for one in scope.uses(position))
    return (name, item, function, group[2]) if function and alone else None


def _for_search(scope: Scope, loop: ast.stmt) -> tuple[str, str, str, ast.stmt] | None:
    """Return the same for a loop that inserts before the first greater item, or else appends."""
    if not isinstance(loop, ast.For) or len(loop.body) != 1 or len(loop.orelse) != 1:
        return None
    only, position = loop.body[0], path(loop.target)
    if not isinstance(only, ast.If) or only.orelse or len(only.body) != 2 or not isinstance(only.body[1], ast.Break):
        return None
    (name, place, item), appended = _inserted(scope, only.body[0]), _appended(scope, loop.orelse[0])
    if not name or place != position or appended != (name, item) or ast.unparse(loop.iter) != f"range(len({name}))":
        return None
    # The item goes before the first one for which the search would not have continued.
    inverse = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
    tests = {
        f"{left} {inverse[operator]} {right}": function
        for left, operator, right, function in _comparisons(f"{name}[{position}]", item)
    }
    function, inside = tests.get(ast.unparse(only.test)), set(ast.walk(loop))
    alone = all(one in inside for one in scope.uses(position))
    return (name, item, function, loop) if function and alone else None


def _comparisons(element: str, item: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield the comparisons while which a search continues, each with the function that inserts at its end."""
    yield element, "<=", item, "insort"
    yield item, ">=", element, "insort"
    yield element, "<", item, "insort_left"
    yield item, ">", element, "insort_left"


def _inserted(scope: Scope, statement: ast.AST) -> tuple[str, str, str]:
    """Return (xs, i, x) of a statement `xs.insert(i, x)` in which x is a name or path."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and len(statement.value.args) == 2:
        function, (place, item) = statement.value.func, statement.value.args
        if isinstance(function, ast.Attribute) and function.attr == "insert" and isinstance(function.value, ast.Name):
            return (function.value.id, path(place), path(item)) if path(place) and path(item) else ("", "", "")
    return "", "", ""


def _beside(scope: Scope, start: ast.stmt, name: str, first: ast.stmt, second: ast.Assign) -> Draft | None:
    """Replace `xs.append(x); ordered = sorted(xs)` by a second list that is kept sorted."""
    call, target = scope.called(second.value, "sorted"), second.targets[0]
    if call is None or call.keywords or not is_same_code(call.args[0], ast.parse(name, mode="eval").body):
        return None
    if not isinstance(target, ast.Name) or len(scope.bindings(target.id)) != 1:
        return None
    others = [one for one in scope.uses(name) if scope.statement(one) not in (start, first, second)]
    if not all(_keeps_order(scope, one) for one in others):
        return None
    if not all(_keeps_order(scope, one) for one in scope.uses(target.id) if isinstance(one.ctx, ast.Load)):
        return None
    insort, needed = scope.imports("bisect", "insort")
    begin, end = scope.source.span(second)
    return join_drafts(
        f"insert into the sorted `{target.id}`",
        needed,
        scope.insert(start, f"{target.id} = []", after=True),
        Draft("", ((begin, end, f"{insort}({target.id}, {name}[-1])"),)),
    )


def _sorted_start(scope: Scope, name: str) -> ast.stmt | None:
    """Return the statement that assigns an empty or sorted list to a local name, or None."""
    start = scope.start(name)
    if start is None or start.value is None:
        return None
    empty = isinstance(start.value, ast.List) and len(start.value.elts) < 2
    call = scope.called(start.value, "sorted", "list")
    sorted_ = call is not None and (not call.args or ast.unparse(call.func) == "sorted") and not call.keywords
    return start if empty or sorted_ else None


def _appended(scope: Scope, statement: ast.AST) -> tuple[str, str]:
    """Return (xs, x) of a statement `xs.append(x)`."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and len(statement.value.args) == 1:
        function = statement.value.func
        if isinstance(function, ast.Attribute) and function.attr == "append" and isinstance(function.value, ast.Name):
            return function.value.id, scope.text(statement.value.args[0])
    return "", ""


def _keeps_order(scope: Scope, use: ast.Name) -> bool:
    """Whether a use of a list only reads it or removes an item, so that the order does not change."""
    parent = scope.source.parents[use]
    if isinstance(parent, ast.Attribute):
        return parent.attr in ("pop", "index", "count", "copy", "remove", "clear")
    if isinstance(parent, ast.Subscript):
        return isinstance(parent.ctx, ast.Load | ast.Del)
    return isinstance(use.ctx, ast.Load)


def _end(scope: Scope, node: ast.Subscript, call: ast.Call) -> Drafts:
    position = _position(node)
    if position is None:
        return
    text = _least(scope, call, position, scope.text(call.args[0]))
    yield join_drafts(f"use `{text}` without sorting", scope.swap(node, text))
    is_reversed = _is_reversed(call)
    if is_reversed is not None and (position == 0 or not _keywords(scope, call)):
        greatest = (position == 0) == is_reversed
        function, needed = scope.imports("heapq", "nlargest" if greatest else "nsmallest")
        rest = "".join(f", {one}" for one in _keywords(scope, call))
        text = f"{function}(1, {scope.text(call.args[0])}{rest})[0]"
        yield join_drafts(f"use `{text}`, which fails on an empty list as sorting did", needed, scope.swap(node, text))


def _least(scope: Scope, call: ast.Call, position: int, items: str) -> str:
    """Return a call of min or max that returns the same item as sorting would, even among equal items."""
    is_reversed = _is_reversed(call)
    keywords = _keywords(scope, call)
    name = "max" if (position == 0) == bool(is_reversed) else "min"
    turn = position == -1 and bool(keywords)
    return f"{name}({', '.join([f'reversed({items})' if turn else items, *keywords])})"


def _is_reversed(call: ast.Call) -> bool | None:
    """Whether a call of sorted or sort requests the reverse order; None if the argument is not a constant."""
    for one in call.keywords:
        if one.arg == "reverse":
            return bool(one.value.value) if isinstance(one.value, ast.Constant) else None
    return False


def _keywords(scope: Scope, call: ast.Call) -> list[str]:
    return [f"key={scope.text(one.value)}" for one in call.keywords if one.arg == "key"]


def _position(node: ast.Subscript) -> int | None:
    if not isinstance(node.ctx, ast.Load):
        return None
    text = ast.unparse(node.slice)
    return {"0": 0, "-1": -1}.get(text)


def _slices(scope: Scope, node: ast.Subscript, call: ast.Call, drop: ast.stmt | None = None) -> Drafts:
    part, is_reversed = node.slice, _is_reversed(call)
    if not isinstance(part, ast.Slice) or part.step is not None or is_reversed is None:
        return
    rest = "".join(f", {one}" for one in _keywords(scope, call))
    items = scope.text(call.args[0])
    if part.lower is None and part.upper is not None and not isinstance(part.upper, ast.UnaryOp):
        name, wanted, turn = ("nlargest" if is_reversed else "nsmallest"), part.upper, ""
    elif part.upper is None and isinstance(part.lower, ast.UnaryOp) and isinstance(part.lower.op, ast.USub):
        name, wanted, turn = ("nsmallest" if is_reversed else "nlargest"), part.lower.operand, "[::-1]"
    else:
        return
    if isinstance(scope.source.parents[node], ast.IfExp):
        return  # the slice for negative numbers of an earlier step
    positive = isinstance(wanted, ast.Constant) and isinstance(wanted.value, int) and wanted.value > 0
    if not positive and not isinstance(wanted, ast.Name):
        return
    function, needed = scope.imports("heapq", name)
    gone = scope.remove(drop) if drop is not None else Draft("", ())
    what, text = f"use `{name}` instead of sorting everything", f"{function}({scope.text(wanted)}, {items}{rest}){turn}"
    yield join_drafts(what, needed, gone, scope.swap(node, text))
    if not positive:  # a slice counts negative numbers from the end
        slow = (
            scope.text(call) + scope.source.data[scope.source.span(node.value)[1] : scope.source.span(node)[1]].decode()
        )
        test = f"{scope.text(wanted)} {'>' if turn else '>='} 0"
        what += ", unless the number is negative"
        yield join_drafts(what, needed, gone, scope.swap(node, f"({text} if {test} else {slow})"))
