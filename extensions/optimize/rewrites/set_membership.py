"""Rewrites of `in` on a list to `in` on a set that is built before the loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from extensions.experiment.source.source_file import Definition, Draft
from extensions.optimize.rewrites.access_paths import AT_END, is_same_code, path
from extensions.optimize.rewrites.function_scope import Scope, join_drafts

Drafts = Iterator[Draft | None]


def build_sets(scope: Scope) -> Drafts:
    """Build a set of C before the loop for `x in C`, if C does not change in the loop."""
    done: set[str] = set()
    for test in tests_in(scope):
        container = test.comparators[0]
        plain = _unwrapped(scope, container)
        if _is_dict(scope, container):
            continue
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
        yield join_drafts(what, scope.insert(before, f"{name} = {_set(scope, plain)}"), *places)


def index_slices(scope: Scope) -> Drafts:
    """Replace `x in xs[i:]` and `x in xs[:i]` by a lookup in a table of the last or first position of each item.

    The bound must be the index of an enclosing loop, perhaps with a constant added, so that it is never negative.
    """
    for test in tests_in(scope):
        part = test.comparators[0]
        if not isinstance(part, ast.Subscript) or not isinstance(part.slice, ast.Slice) or part.slice.step is not None:
            continue
        lower, upper, items = part.slice.lower, part.slice.upper, scope.text(part.value)
        bound = lower if lower is not None else upper
        region = scope.outermost(test, part.value)
        if region is None or bound is None or (lower is None) == (upper is None):
            continue
        if scope.kind(part.value) in ("str", "dict", "set") or not scope.is_natural(bound, test):
            continue
        word = "last" if lower is not None else "first"
        places = scope.fresh(f"{word}_positions", f"{word}_places")
        at, item = scope.fresh("position", "at"), scope.fresh("item", "each")
        sought, limit, operator = scope.text(test.left), scope.text(bound), ">=" if lower is not None else "<"
        if isinstance(test.ops[0], ast.NotIn):
            operator = "<" if lower is not None else ">="
        lines = [f"{places} = {{{item}: {at} for {at}, {item} in enumerate({items})}}"]
        if lower is None:
            put = scope.indented(f"{places}.setdefault({item}, {at})")
            lines = [f"{places} = {{}}", f"for {at}, {item} in enumerate({items}):", put]
        found = f"{places}.get({sought}, {'-1' if lower is not None else limit}) {operator} {limit}"
        yield join_drafts(
            f"keep the {word} position of each item of `{items}`",
            scope.insert(scope.statement(region), *lines),
            scope.swap(test, found),
        )


def use_membership_tests(scope: Scope) -> Drafts:
    """Replace `any(y == x for y in C)`, and a loop that sets a flag if it finds an equal item, by `x in C`."""
    for node in scope.nodes:
        call = scope.called(node, "any")
        if call and len(call.args) == 1 and isinstance(call.args[0], ast.GeneratorExp | ast.ListComp):
            found = _sought(scope, call.args[0])
            if found:
                yield join_drafts(f"search with `{found}`", _as_test(scope, call, found))
        if isinstance(node, ast.For):
            yield _flagged(scope, node)


def _as_test(scope: Scope, node: ast.expr, test: str) -> Draft:
    """Replace an expression by a membership test, and `not` before it by `not in`."""
    parent, simple = scope.source.parents[node], ast.parse(test, mode="eval").body
    negated = isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not)
    if not negated or not isinstance(parent, ast.UnaryOp) or not isinstance(simple, ast.Compare):
        return scope.swap(node, test)
    if not isinstance(simple.ops[0], ast.In) or test.count(" in ") != 1 + ast.unparse(simple.comparators[0]).count(
        " in "
    ):
        return scope.swap(node, test)
    return scope.swap(parent, test.replace(" in ", " not in ", 1))


def inline_searches(scope: Scope) -> Drafts:
    """Replace the call of a function that only searches an argument, in a loop, by `x in xs`."""
    for node in scope.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not any(scope.regions(node)):
            continue
        called = scope.definitions.get(node.func.id)
        if called is None or node.func.id not in scope.steady or node.keywords or not scope.pure(node):
            continue
        names = [one.arg for one in [*called.args.posonlyargs, *called.args.args]]
        others = [called.args.vararg, called.args.kwarg, called.args.kwonlyargs, called.decorator_list]
        simple = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant)
        if any(others) or len(names) != len(node.args) or not all(isinstance(one, simple) for one in node.args):
            continue
        given = dict(zip(names, map(scope.text, node.args), strict=True))
        sought, operator, container = _search_by(scope, called)
        if sought in given and container in given and sought != container:
            text = f"{given[sought]} {operator} {given[container]}"
            yield join_drafts(f"search with `{text}`", _as_test(scope, node, text))


def _search_by(scope: Scope, called: Definition) -> tuple[str, str, str]:
    """Return (x, `in` or `not in`, xs) of a function whose result is that test; empty for another function."""
    body = called.body[1:] if ast.get_docstring(called) is not None else called.body
    found, loop = "", body[0]
    if isinstance(loop, ast.For) and not loop.orelse and len(body) == 2 and ast.unparse(body[1]) == "return False":
        only = loop.body[0]
        if len(loop.body) == 1 and isinstance(only, ast.If) and not only.orelse:
            returned = [ast.unparse(one) for one in only.body]
            found = _in(scope, only.test, loop.target, loop.iter) if returned == ["return True"] else ""
    elif isinstance(loop, ast.Return) and loop.value is not None and len(body) == 1:
        call = scope.called(loop.value, "any")
        looped = call.args[0] if call and len(call.args) == 1 else None
        comprehension = isinstance(looped, ast.GeneratorExp | ast.ListComp)
        found = _sought(scope, looped) if comprehension else scope.text(loop.value)  # type: ignore[arg-type]
    test = ast.parse(found or "0", mode="eval").body
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.In | ast.NotIn):
        return "", "", ""
    operator = "in" if isinstance(test.ops[0], ast.In) else "not in"
    return name_or_empty(test.left), operator, name_or_empty(test.comparators[0])


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
    if _is_mapping(scope, container, sought):
        return False
    kind = scope.kind(container)
    if kind in ("set", "dict", "str", "number", "iterator"):
        return False
    if isinstance(sought, ast.Constant) and isinstance(sought.value, str) and not kind:
        return False
    if isinstance(container, ast.Call) and not kind:
        return _values(container) or (_unwrapped(scope, container) is not container and not _is_dict(scope, container))
    return isinstance(container, ast.Call | ast.ListComp | ast.BinOp) or bool(path(container))


def _is_mapping(scope: Scope, container: ast.expr, sought: ast.expr) -> bool:
    """Whether the function uses the container as a mapping: it calls `get`, or reads the item with the sought key."""
    name = path(container)
    for node in scope.nodes if name else []:
        if isinstance(node, ast.Subscript) and path(node.value) == name and is_same_code(node.slice, sought):
            return True
        if isinstance(node, ast.Attribute) and path(node.value) == name and node.attr in ("get", "items", "keys"):
            return True
    return False


def _values(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "values"


def _is_dict(scope: Scope, container: ast.expr) -> bool:
    """Whether an expression copies the keys of a dict, which has a fast lookup itself."""
    while call := scope.called(container, "list", "tuple", "sorted", "set"):
        container = call.args[0] if len(call.args) == 1 else ast.Constant(None)
    return (
        isinstance(container, ast.Call) and isinstance(container.func, ast.Attribute) and container.func.attr == "keys"
    )


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
