"""Rewrites that replace searches for equal items inside a loop with index lookups: a hash join instead of a nested
loop.

The test in the inner loop is kept; the loop only runs over those items that can pass it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from extensions.experiment.source.source_file import Draft
from extensions.optimize.rewrites.access_paths import is_affected, last_word, path, read_paths, root, substitute
from extensions.optimize.rewrites.function_scope import Comprehension, Scope, join_drafts
from extensions.optimize.rewrites.incremental_index import appends_to, is_empty

Drafts = Iterator[Draft | None]


@dataclass
class Search:
    """A loop over `rows` whose body has an effect only if `key`, an expression of `target`, equals `sought`.

    `test` is the comparison that a lookup of `sought` replaces, or None if the comparison must stay.
    """

    loop: ast.For | Comprehension
    target: ast.expr
    rows: ast.expr
    key: ast.expr
    sought: ast.expr
    test: ast.expr | None = None


def index_rows(scope: Scope) -> Drafts:
    """Build an index of the rows by their key before the outer loop; each search reads one entry of it."""
    for search in _searches(scope):
        region = _outer(scope, search)
        if region is None:
            continue
        before = scope.statement(region)
        ranged = scope.called(search.rows, "range")
        sliced = _tail(search.rows)
        if ranged and len(ranged.args) == 2 and not scope.stays(search.rows, region):
            yield _after(scope, search, before, ranged.args[0], f"range({scope.text(ranged.args[1])})", "")
        elif sliced is not None and not scope.stays(search.rows, region):
            lower, whole = sliced
            yield _after(scope, search, before, lower, f"enumerate({scope.text(whole)})", scope.text(whole))
        else:
            index, first = _index_name(scope, search), _is_first_match(scope, search)
            lines = _filling(scope, search, index, scope.text(search.rows), scope.text(search.target), first)
            yield join_drafts(
                f"index `{scope.text(search.rows)}` by `{scope.text(search.key)}` before the loop",
                scope.insert(before, *lines),
                (_first_match if first else _lookup)(scope, search, index),
            )


def maintain_index(scope: Scope) -> Drafts:
    """Maintain an index of a list that is appended to in the loop and searched there."""
    for search in _searches(scope):
        name = search.rows.id if isinstance(search.rows, ast.Name) else ""
        start = scope.start(name) if name else None
        appends = appends_to(scope, name) if name else []
        if start is None or start.value is None or not appends or not isinstance(search.target, ast.Name):
            continue
        if not any(True for _ in scope.regions(search.loop)) or not _keys_unchanged(scope, search):
            continue
        index = _index_name(scope, search)
        key = scope.substitute(search.key, search.target.id, f"{name}[-1]")
        first = _is_first_match(scope, search)
        entry = _put(scope, search, index, key, f"{name}[-1]", first)
        begin = [f"{index} = {{}}"]
        if not is_empty(start.value):
            begin = _filling(scope, search, index, name, search.target.id, first)
        yield join_drafts(
            f"keep an index of `{name}` by `{scope.text(search.key)}` beside it",
            scope.insert(start, *begin, after=True),
            *(scope.insert(scope.statement(call), entry, after=True) for call in appends),
            (_first_match if first else _lookup)(scope, search, index),
        )


def _index_name(scope: Scope, search: Search) -> str:
    """Return a name like `orders_by_customer` for an index of the rows."""
    key = search.key
    word = last_word(key)
    if isinstance(key, ast.Subscript) and isinstance(key.slice, ast.Constant):
        word = str(key.slice.value)
    elif isinstance(key, ast.Subscript):
        word = last_word(key.slice)
    elif isinstance(key, ast.Call):
        word = last_word(key.func.value if isinstance(key.func, ast.Attribute) else key.args[0] if key.args else key)
    rows = "positions" if scope.called(search.rows, "range") else last_word(search.rows, "rows")
    return scope.fresh(f"{rows}_by_{word}" if word.isidentifier() else f"{rows}_index", f"{rows}_index")


def _lookup(scope: Scope, search: Search, index: str) -> Draft | None:
    """Let the loop run over one entry of the index, without the comparison."""
    entry = f"{index}.get({_hashable(scope, search.sought)}, ())"
    loop = search.loop
    if isinstance(loop, ast.ListComp) and ast.unparse(loop.elt) == ast.unparse(search.target):
        only = loop.generators[-1]
        if len(loop.generators) == 1 and only.ifs == [search.test]:
            return scope.swap(loop, f"list({entry})")
    if (call := _next_of(scope, search)) is not None:
        return scope.swap(call, f"{index}.get({_hashable(scope, search.sought)})")
    return join_drafts("", scope.swap(search.rows, entry), _without_test(scope, search))


def _next_of(scope: Scope, search: Search) -> ast.Call | None:
    """Return the call `next((row for row in rows if key == sought), None)` around a search."""
    loop, call = search.loop, scope.source.parents[search.loop]
    if not isinstance(loop, ast.GeneratorExp) or not isinstance(call, ast.Call) or ast.unparse(call.func) != "next":
        return None
    row = len(loop.generators) == 1 and ast.unparse(loop.elt) == ast.unparse(search.target)
    otherwise = [ast.unparse(one) for one in call.args[1:]] == ["None"]
    return call if row and otherwise and loop.generators[0].ifs == [search.test] else None


def _is_first_match(scope: Scope, search: Search) -> bool:
    """Whether a loop uses only the first row with the key: its only statement is `if key == sought`, and this leaves
    the loop; or it is `next((row for row in rows if key == sought), None)`."""
    if _next_of(scope, search) is not None:
        return True
    loop, only = search.loop, search.loop.body[0] if isinstance(search.loop, ast.For) else None
    if not isinstance(loop, ast.For) or not isinstance(search.target, ast.Name) or not isinstance(only, ast.If):
        return False
    *others, last = only.body
    leaving = isinstance(last, ast.Return) or (isinstance(last, ast.Break) and bool(others))
    inner = [node for one in others for node in ast.walk(one)]
    jumps = any(isinstance(node, ast.Break | ast.Continue) for node in inner) or (loop.orelse and not others)
    # None is no row, since the key is computed from a part of the row.
    uses = scope.uses(search.target.id, search.key)
    key = all(isinstance(scope.source.parents[one], ast.Attribute | ast.Subscript) for one in uses)
    inside = set(scope.uses(search.target.id, loop))
    alone = all(one in inside for one in scope.uses(search.target.id))
    return len(loop.body) == 1 and only.test is search.test and leaving and not jumps and key and alone


def _first_match(scope: Scope, search: Search, index: str) -> Draft | None:
    """Replace a loop that uses only the first row with the key by a lookup."""
    loop, source = search.loop, scope.source
    if not isinstance(loop, ast.For):
        return _lookup(scope, search, index)
    assert isinstance(search.target, ast.Name)
    only, row = loop.body[0], search.target.id
    assert isinstance(only, ast.If)
    body, last = scope.unwrap(only), only.body[-1]
    start, end = source.span(loop)[0], source.line_start(source.span(only)[0])
    margin = source.data[source.line_start(start) : start].decode()
    if body is None or margin.strip() or scope.comments(loop, only.body[0]):
        return None
    head = f"{row} = {index}.get({_hashable(scope, search.sought)}){source.newline}"
    head += f"{margin}if {row} is not None:{source.newline}"
    edits = [(start, end, head), *body.edits]
    if isinstance(last, ast.Break):
        gone = scope.remove(last)
        if gone is None:
            return None
        (begin, stop, _), *_ = gone.edits
        edits = [one for one in edits if not begin <= one[0] < stop] + [*gone.edits]
    return Draft("", tuple(edits))


def _without_test(scope: Scope, search: Search) -> Draft:
    """Remove a comparison that holds for each row of an entry, where its removal is a small edit."""
    loop, test, keep = search.loop, search.test, Draft("", ())
    if test is None:
        return keep
    above = scope.source.parents[test]
    if isinstance(above, ast.BoolOp):
        rest = [one for one in above.values if one is not test]
        text = f" {'and' if isinstance(above.op, ast.And) else 'or'} ".join(scope.text(one) for one in rest)
        nested = any(isinstance(one, ast.BoolOp | ast.IfExp | ast.Lambda | ast.NamedExpr) for one in rest)
        return keep if nested else scope.swap(above, text)
    if isinstance(above, ast.comprehension) and len(above.ifs) == 1:
        start = scope.source.span(above.iter)[1]
        between = scope.source.data[start : scope.source.span(test)[0]]
        return Draft("", ((start, scope.source.span(test)[1], ""),)) if between.split() == [b"if"] else keep
    if isinstance(above, ast.If) and isinstance(loop, ast.For) and above is loop.body[0]:
        guard = len(loop.body) > 1
        return (scope.remove(above) if guard else scope.unwrap(above)) or keep
    return keep


def pair_equal_keys(scope: Scope) -> Drafts:
    """Build only those pairs of `itertools.combinations(rows, 2)` whose two keys are equal."""
    for node in scope.nodes:
        for target, rows, tests in _heads(scope, node):
            if not isinstance(rows, ast.Call) or not isinstance(target, ast.Tuple) or len(target.elts) != 2:
                continue
            named = rows.func.id if isinstance(rows.func, ast.Name) else path(rows.func)
            if scope.modules.get(named) != "itertools.combinations" and named != "itertools.combinations":
                continue
            for first, second in _sides(tests):
                keys = _pair(first, second, target)
                if keys and len(rows.args) == 2 and scope.pure(first) and path(rows.args[0]):
                    yield _combinations(scope, node, target, rows, keys)


def _pair(first: ast.expr, second: ast.expr, target: ast.Tuple) -> tuple[ast.expr, ast.expr] | None:
    """Return (key of the earlier item, key of the later item) if both keys are the same expression of their item."""
    one, two = (each.id if isinstance(each, ast.Name) else "" for each in target.elts)
    if one and two and _mentions(first, one) and ast.unparse(second) == substitute(first, {one: two}):
        return first, second
    return None


def _combinations(
    scope: Scope, node: ast.AST, target: ast.Tuple, rows: ast.Call, keys: tuple[ast.expr, ast.expr]
) -> Draft | None:
    bisect, needed = scope.imports("bisect", "bisect_right")
    index, at, items = scope.fresh("index"), scope.fresh("at"), scope.text(rows.args[0])
    later, spot = scope.fresh("later"), scope.fresh("spot")
    assert isinstance(target.elts[0], ast.Name)
    one = target.elts[0].id
    key = _wrapped(scope, keys[0], ast.unparse(keys[0]))
    spots = scope.fresh("spots")
    lines = [
        f"{index} = {{}}",
        f"for {at}, {one} in enumerate({items}):",
        scope.indented(f"{index}.setdefault({key}, []).append({at})"),
    ]
    pairs = (
        f"(({one}, {items}[{later}]) for {spot}, {one} in enumerate({items}) "
        f"for {spots} in [{index}[{key}]] for {later} in {spots}[{bisect}({spots}, {spot}):])"
    )
    region = node if isinstance(node, ast.For) else scope.statement(node)
    return join_drafts(
        f"pair only items of `{items}` whose `{ast.unparse(keys[0])}` are equal",
        needed,
        scope.insert(scope.statement(region), *lines),
        scope.swap(rows, pairs),
    )


def _after(scope: Scope, search: Search, before: ast.stmt, lower: ast.expr, numbered: str, whole: str) -> Draft | None:
    """Let the search run only over the key's positions that are at least `lower`, found by bisection."""
    if not isinstance(search.loop, ast.For) or not isinstance(search.target, ast.Name):
        return None
    bisect, needed = scope.imports("bisect", "bisect_left")
    index, places = scope.fresh("positions", "index"), scope.fresh("matches", "places")
    at = search.target.id if not whole else scope.fresh("at", "position")
    heads = at if not whole else f"{at}, {search.target.id}"
    key = _wrapped(scope, search.key, scope.text(search.key))
    lines = [
        f"{index} = {{}}",
        f"for {heads} in {numbered}:",
        scope.indented(f"{index}.setdefault({key}, []).append({at})"),
    ]
    rest = f"{places}[{bisect}({places}, {scope.text(lower)}) :]"
    if whole:
        rest = f"({whole}[{at}] for {at} in {rest})"
    matched = f"{places} = {index}.get({_hashable(scope, search.sought)}, [])"
    return join_drafts(
        f"visit only the later positions where `{scope.text(search.key)}` is equal",
        needed,
        scope.insert(before, *lines),
        scope.insert(search.loop, matched),
        scope.swap(search.rows, rest),
        _without_test(scope, search),
    )


def _searches(scope: Scope) -> Iterator[Search]:
    for node in scope.nodes:
        for target, rows, tests in _heads(scope, node):
            assert isinstance(node, ast.For | Comprehension)
            names = {one.id for one in ast.walk(target) if isinstance(one, ast.Name)}
            for test in tests:
                for first, second in _sides([test]):
                    if not scope.pure(first) or not scope.pure(second) or isinstance(first, ast.Constant):
                        continue
                    if names & _names(first) and not names & _names(second):
                        yield Search(node, target, rows, first, second, _original(scope, test))
        yield from _sums(scope, node)


def _original(scope: Scope, test: ast.expr) -> ast.expr | None:
    """Return the node of the file for a comparison; `_refused` makes new nodes with the original operands."""
    assert isinstance(test, ast.Compare)
    found = test if test in scope.source.parents else scope.source.parents[test.left]
    return found if isinstance(found, ast.Compare) else None


def _sums(scope: Scope, node: ast.AST) -> Iterator[Search]:
    """Yield searches of the form `a[j] + K == t`, which look for `a[j]` equal to `t - K`."""
    for target, rows, tests in _heads(scope, node):
        assert isinstance(node, ast.For | Comprehension)
        names = {one.id for one in ast.walk(target) if isinstance(one, ast.Name)}
        for first, second in _sides(tests):
            if not isinstance(first, ast.BinOp) or not isinstance(first.op, ast.Add) or names & _names(second):
                continue
            for key, rest in ((first.left, first.right), (first.right, first.left)):
                if names & _names(key) and not names & _names(rest) and scope.pure(first) and scope.pure(second):
                    sought = ast.parse(f"({ast.unparse(second)}) - ({ast.unparse(rest)})", mode="eval").body
                    yield Search(node, target, rows, key, sought)


def _heads(scope: Scope, node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr, list[ast.expr]]]:
    """Yield (target, iterable, tests that must all hold for the body to have an effect)."""
    if isinstance(node, ast.For):
        first = node.body[0]
        if not isinstance(first, ast.If) or first.orelse:
            return
        if len(node.body) == 1:
            yield node.target, node.iter, _conjuncts(first.test)
        elif len(first.body) == 1 and isinstance(first.body[0], ast.Continue):
            yield node.target, node.iter, _refused(first.test)
    elif isinstance(node, Comprehension):
        last = node.generators[-1]
        tests = [test for one in last.ifs for test in _conjuncts(one)]
        if isinstance(node, ast.GeneratorExp) and scope.called(scope.source.parents[node], "any"):
            tests += _conjuncts(node.elt)
        if tests:
            yield last.target, last.iter, tests


def _conjuncts(test: ast.expr) -> list[ast.expr]:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return test.values
    return [test]


def _refused(test: ast.expr) -> list[ast.expr]:
    """Return the conditions that hold if a test fails."""
    found: list[ast.expr] = []
    for one in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) else [test]:
        if isinstance(one, ast.Compare) and len(one.ops) == 1 and isinstance(one.ops[0], ast.NotEq):
            found.append(ast.Compare(one.left, [ast.Eq()], one.comparators))
        if isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.Not):
            found.append(one.operand)
    return found


def _sides(tests: list[ast.expr]) -> Iterator[tuple[ast.expr, ast.expr]]:
    for test in tests:
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            yield test.left, test.comparators[0]
            yield test.comparators[0], test.left


def _outer(scope: Scope, search: Search) -> ast.AST | None:
    """Return the outermost region around a search in which its rows and keys are invariant."""
    if not _keys_unchanged(scope, search) or any(
        is_affected(scope.changes(search.loop), one) for one in read_paths(search.sought)
    ):
        return None
    names = {one.id for one in ast.walk(search.target) if isinstance(one, ast.Name)}
    stop = _stop(scope, search.rows)
    steady = {one for each in (stop, search.key) for one in read_paths(each)}
    found: ast.AST | None = None
    for region in _around(scope, search.loop):
        changed = scope.changes(region)
        if any(is_affected(changed, one) for one in steady if root(one) not in names) or not scope.pure(stop):
            break
        found = region
    return found


def _around(scope: Scope, loop: ast.AST) -> Iterator[ast.AST]:
    """Yield the regions that repeat a search; if a comprehension has several generators, the first region is the
    comprehension itself."""
    if isinstance(loop, Comprehension) and len(loop.generators) > 1:
        yield loop
    yield from scope.regions(loop)


def _stop(scope: Scope, rows: ast.expr) -> ast.expr:
    """Return the part of the expression for the rows that must not change: the end of `range(start, end)`, the list of
    `xs[i:]`, or else the whole expression."""
    ranged = scope.called(rows, "range")
    if ranged and len(ranged.args) == 2:
        return ranged.args[1]
    sliced = _tail(rows)
    return sliced[1] if sliced else rows


def _tail(rows: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """Return (i, xs) of `xs[i:]`."""
    if isinstance(rows, ast.Subscript) and isinstance(rows.slice, ast.Slice) and path(rows.value):
        part = rows.slice
        if part.lower is not None and part.upper is None and part.step is None:
            return part.lower, rows.value
    return None


def _keys_unchanged(scope: Scope, search: Search) -> bool:
    """Whether the inner loop leaves unchanged the values from which the keys of its rows are computed."""
    loop = search.loop
    parts: list[ast.AST] = [*loop.body] if isinstance(loop, ast.For) else [*loop.generators[-1].ifs]
    if not isinstance(loop, ast.For):
        parts += [loop.key, loop.value] if isinstance(loop, ast.DictComp) else [loop.elt]
    changed = {one for part in parts for one in scope.changes(part)}
    return not any(is_affected(changed, one) for one in read_paths(search.key))


def _filling(scope: Scope, search: Search, index: str, rows: str, target: str, first: bool) -> list[str]:
    item = f"({target})" if "," in target and not target.startswith(("(", "[")) else target
    put = _put(scope, search, index, scope.text(search.key), item, first)
    return [f"{index} = {{}}", f"for {target} in {rows}:", scope.indented(put)]


def _put(scope: Scope, search: Search, index: str, key: str, item: str, first: bool) -> str:
    """Return the statement that enters a row in the index: all rows with a key, or only the first."""
    key = _wrapped(scope, search.key, key)
    return f"{index}.setdefault({key}, {item})" if first else f"{index}.setdefault({key}, []).append({item})"


def _hashable(scope: Scope, node: ast.expr) -> str:
    return _wrapped(scope, node, scope.text(node) if node in scope.source.parents else ast.unparse(node))


def _wrapped(scope: Scope, node: ast.expr, text: str) -> str:
    """Return a hashable form of a key: a list as a tuple, a set as a frozenset."""
    kind = scope.kind(node)
    if kind in ("list", "set"):
        return f"{'tuple' if kind == 'list' else 'frozenset'}({text})"
    return text


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _mentions(node: ast.AST, name: str) -> bool:
    return name in _names(node)
