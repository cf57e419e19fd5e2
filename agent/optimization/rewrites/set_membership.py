"""Rewrites of `in` on a list to `in` on a set that is built before the loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from agent.optimization.rewrites.access_paths import AT_END, is_same_code, path
from agent.optimization.rewrites.function_scope import Scope, join_drafts
from agent.repair.analysis.source_file import Draft

Drafts = Iterator[Draft | None]


def build_sets(scope: Scope) -> Drafts:
    """Build a set of C before the loop for `x in C`, if C does not change in the loop."""
    done: set[str] = set()
    for test in tests_in(scope):
        container = test.comparators[0]
        plain = _unwrapped(scope, container)
        region = scope.outermost(test, container)
        if region is None or not _listlike(scope, container, test.left) or scope.text(container) in done:
            continue
        if any(path(container) + AT_END in scope.changes(outer) for outer in scope.regions(test)):
            continue  # rebuilding the set after each append would cost too much; see incremental_index
        done.add(scope.text(container))
        name = scope.fresh(f"{_word(container)}_set", f"{_word(container)}_lookup")
        places = [
            scope.swap(one.comparators[0], name)
            for one in tests_in(scope)
            if is_same_code(one.comparators[0], container) and _within(scope, one, region)
        ]
        before = scope.statement(region)
        what = f"search `{scope.text(test.left)}` in a set of `{scope.text(container)}` built before the loop"
        if scope.careful:
            yield _carefully(scope, what, container, name, before, region)
            continue
        yield join_drafts(what, scope.insert(before, f"{name} = {_set(scope, plain)}"), *places)


def _carefully(
    scope: Scope, what: str, container: ast.expr, name: str, before: ast.stmt, region: ast.AST
) -> Draft | None:
    """Build a set only if the container is a list or tuple, and search the container itself for unhashable items."""
    text = scope.text(container)
    made = (
        f"set({text})"
        if scope.kind(container) == "list"
        else f"set({text}) if isinstance({text}, (list, tuple)) else {text}"
    )
    tests = [
        one for one in tests_in(scope) if is_same_code(one.comparators[0], container) and _within(scope, one, region)
    ]
    line = scope.insert(before, *scope.guarded([f"{name} = {made}"], f"{name} = None"))
    return join_drafts(what, line, *_answered(scope, before, tests, name, text))


def _answered(scope: Scope, before: ast.stmt, tests: list[ast.Compare], name: str, text: str) -> list[Draft | None]:
    """Replace the membership tests by calls of a local function that falls back to searching the container."""
    lookup, item = scope.fresh(f"in_{name}", "held"), scope.fresh("item", "sought")
    drafts = [scope.helper(before, f"{lookup}({item})", f"{item} in {name}", f"{item} in {text}")]
    for test in tests:
        negated = isinstance(test.ops[0], ast.NotIn)
        drafts.append(scope.swap(test, f"{'not ' if negated else ''}{lookup}({scope.text(test.left)})"))
    return drafts


def index_slices(scope: Scope) -> Drafts:
    """Replace `x in xs[i:]` and `x in xs[:i]` by a lookup in a table of the last or first position of each item."""
    for test in tests_in(scope):
        part = test.comparators[0]
        if not isinstance(part, ast.Subscript) or not isinstance(part.slice, ast.Slice) or part.slice.step is not None:
            continue
        lower, upper, items = part.slice.lower, part.slice.upper, scope.text(part.value)
        region = scope.outermost(test, part.value)
        if region is None or (lower is None) == (upper is None) or scope.kind(part.value) in ("str", "dict", "set"):
            continue
        bound = lower if lower is not None else upper
        assert bound is not None
        before, places = scope.statement(region), scope.fresh("positions", "places")
        at, item, lookup = scope.fresh("at", "position"), scope.fresh("item", "sought"), scope.fresh("held", "among")
        put = f"{places}[{item}] = {at}" if lower is not None else f"{places}.setdefault({item}, {at})"
        lines = [f"{places} = {{}}", f"for {at}, {item} in enumerate({items}):", scope.indented(put)]
        found = f"{item} in {places} and {places}[{item}] {'>=' if lower is not None else '<'} {at}"
        slow = f"{item} in {items}[{at}:]" if lower is not None else f"{item} in {items}[:{at}]"
        test_text = f"{'not ' if isinstance(test.ops[0], ast.NotIn) else ''}{lookup}({scope.text(test.left)}, "
        yield join_drafts(
            f"keep the {'last' if lower is not None else 'first'} position of each item of `{items}`",
            scope.built(before, places, *lines),
            scope.helper(before, f"{lookup}({item}, {at})", f"({found}) if {at} >= 0 else ({slow})", slow),
            scope.swap(test, f"{test_text}{scope.text(bound)})"),
        )


def use_membership_tests(scope: Scope) -> Drafts:
    """Replace `any(y == x for y in C)`, and a loop that sets a flag if it finds an equal item, by `x in C`."""
    for node in scope.nodes:
        call = scope.called(node, "any")
        if call and len(call.args) == 1 and isinstance(call.args[0], ast.GeneratorExp | ast.ListComp):
            found = _sought(scope, call.args[0])
            if found:
                yield join_drafts(f"search with `{found}`", scope.swap(call, found))
        if isinstance(node, ast.For):
            yield _flagged(scope, node)


def simplify_tests(scope: Scope) -> Drafts:
    """Simplify `x in list(C)` to `x in C` and `x in d.keys()` to `x in d`, and turn a list of constants into a set."""
    for test in tests_in(scope):
        container = test.comparators[0]
        plain = _unwrapped(scope, container)
        if plain is not container:
            yield join_drafts(
                f"search `{scope.text(plain)}` itself, not a copy", scope.swap(container, scope.text(plain))
            )
        elif isinstance(container, ast.List | ast.Tuple) and all(
            isinstance(one, ast.Constant) for one in container.elts
        ):
            items = ", ".join(scope.text(one) for one in container.elts)
            if len(container.elts) > 2:
                yield join_drafts("search a set of constants", scope.swap(container, f"{{{items}}}"))


def tests_in(scope: Scope) -> list[ast.Compare]:
    return [
        node
        for node in scope.nodes
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn)
    ]


def _listlike(scope: Scope, container: ast.expr, sought: ast.expr) -> bool:
    """Whether a container may be a list or a tuple rather than a type with fast lookup."""
    if isinstance(container, ast.List | ast.Tuple):
        return not all(isinstance(one, ast.Constant) for one in container.elts)
    kind = scope.kind(container)
    if kind in ("set", "dict", "str", "number", "iterator"):
        return False
    if isinstance(sought, ast.Constant) and isinstance(sought.value, str) and not kind:
        return False
    if isinstance(container, ast.Call) and not kind:
        return _unwrapped(scope, container) is not container or _values(container)
    return isinstance(container, ast.Call | ast.ListComp | ast.BinOp) or bool(path(container))


def _values(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "values"


def _unwrapped(scope: Scope, container: ast.expr) -> ast.expr:
    """Return the original container if the expression is a copy with the same items."""
    call = scope.called(container, "list", "tuple", "sorted")
    if call and len(call.args) == 1 and not call.keywords:
        inner = call.args[0]
        return _unwrapped(scope, inner) if scope.kind(inner) != "iterator" else inner
    if isinstance(container, ast.Call) and isinstance(container.func, ast.Attribute) and not container.args:
        return container.func.value if container.func.attr == "keys" else container
    return container


def _set(scope: Scope, container: ast.expr) -> str:
    text = scope.text(container)
    if isinstance(container, ast.ListComp):
        return "{" + text[1:-1] + "}"
    if isinstance(container, ast.GeneratorExp):
        return "{" + text.removeprefix("(").removesuffix(")") + "}"
    return f"set({text})"


def _word(container: ast.expr) -> str:
    if isinstance(container, ast.ListComp):
        container = container.generators[0].iter
    last = path(container).rpartition(".")[2].lstrip("_")
    return last if last.isidentifier() else "known"


def _within(scope: Scope, node: ast.AST, region: ast.AST) -> bool:
    return any(one is region for one in scope.regions(node))


def name_or_empty(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _sought(scope: Scope, looped: ast.GeneratorExp | ast.ListComp) -> str:
    """Return `K in C` or `K in [key(y) for y in C]` if the comprehension searches C for an item whose key equals K."""
    if len(looped.generators) != 1 or looped.generators[0].ifs or not isinstance(looped.elt, ast.Compare):
        return ""
    only = looped.generators[0]
    return _in(scope, looped.elt, only.target, only.iter)


def _in(scope: Scope, test: ast.expr, target: ast.expr, container: ast.expr) -> str:
    if not isinstance(target, ast.Name) or not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return ""
    if not isinstance(test.ops[0], ast.Eq) or not scope.pure(test):
        return ""
    for key, other in ((test.left, test.comparators[0]), (test.comparators[0], test.left)):
        if _about(key, target.id) and not _about(other, target.id):
            text = scope.text(container)
            if isinstance(key, ast.Name):
                return f"{scope.text(other)} in {text}"
            return f"{scope.text(other)} in [{scope.text(key)} for {target.id} in {text}]"
    return ""


def _about(node: ast.expr, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(node))


def _flagged(scope: Scope, loop: ast.For) -> Draft | None:
    """Replace `flag = False; for y in C: if y == x: flag = True; break` by `flag = x in C`."""
    if len(loop.body) != 1 or not isinstance(loop.body[0], ast.If) or loop.body[0].orelse or loop.orelse:
        return None
    inner = loop.body[0].body
    block = scope.block(loop)
    at = block.index(loop)
    first = block[at - 1] if at else None
    if not isinstance(first, ast.Assign) or len(inner) > 2 or not isinstance(inner[0], ast.Assign):
        return None
    if len(inner) == 2 and not isinstance(inner[1], ast.Break):
        return None
    initial, set_ = first.value, inner[0].value
    words = [scope.text(one) for one in (*first.targets, *inner[0].targets)]
    if (
        len(words) != 2
        or words[0] != words[1]
        or not isinstance(initial, ast.Constant)
        or not isinstance(set_, ast.Constant)
    ):
        return None
    found = _in(scope, loop.body[0].test, loop.target, loop.iter)
    if not found or {initial.value, set_.value} != {True, False} or scope.comments(first, loop):
        return None
    if initial.value:
        found = found.replace(" in ", " not in ", 1)
    start, end = scope.source.span(first)[0], scope.source.span(loop)[1]
    return Draft(f"search with `{found}`", ((start, end, f"{words[0]} = {found}"),))
