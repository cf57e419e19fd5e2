"""Rewrites of a function that keep its behaviour, so that a right patch takes many forms.

Each rewrite changes the first suitable place of the function. It returns the definitions to put before the function, or
None if there is no such place.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import pairwise

from benchmarks._planting_code import BLOCKS, LOOPS, bound, parameters, read
from extensions.experiment.changed_functions import Function, functions_of

Rewrite = Callable[[Function], Sequence[ast.stmt] | None]
SCOPES = (Function, ast.Lambda, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
JUMPS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
INVERSE = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn}
FLIPPED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
PURE = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Tuple, ast.List, ast.Subscript)
PURE_PARTS = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context)
MIN_NODES = 4
"""Minimum number of nodes of an expression that is extracted into a helper."""


def rewrites(text: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of the file for each rewrite of the function, and for all of them together."""
    original = functions_of(ast.parse(text))[name]
    used, together, definitions = 0, original, list[ast.stmt]()
    for rewrite in REWRITES:
        function = deepcopy(original)
        added = rewrite(function)
        if added is not None:
            yield rewrite.__name__.replace("_", " "), replace_function(text, name, function, added)
        function = deepcopy(together)
        added = rewrite(function)
        if added is not None:
            used, together, definitions = used + 1, function, [*definitions, *added]
    if used > 1:
        yield "all rewrites", replace_function(text, name, together, definitions)


def replace_function(text: str, name: str, function: Function, added: Sequence[ast.stmt] = ()) -> str:
    """Return the text with another definition of the function, and definitions before its outermost statement."""
    tree = ast.parse(text)
    old = functions_of(tree)[name]
    first = min([old.lineno, *(one.lineno for one in old.decorator_list)])
    lines = text.split("\n")
    new = textwrap.indent(ast.unparse(ast.fix_missing_locations(function)), " " * old.col_offset).split("\n")
    lines[first - 1 : old.end_lineno] = new
    outer = next(one for one in tree.body if one.lineno <= old.lineno <= (one.end_lineno or 0))
    start = min([outer.lineno, *(one.lineno for one in getattr(outer, "decorator_list", ()))]) - 1
    before = [line for one in added for line in (*ast.unparse(ast.fix_missing_locations(one)).split("\n"), "", "")]
    return "\n".join([*lines[:start], *before, *lines[start:]])


def rename_locals(function: Function) -> Sequence[ast.stmt] | None:
    other = {one.arg for one in ast.walk(function) if isinstance(one, ast.arg)}
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            other.update(node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar | Function | ast.ClassDef) and node.name:
            other.add(node.name)
        elif isinstance(node, ast.alias):
            other.add(node.asname or node.name)
    own = {one.id for one in _own_nodes(function) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    new = {name: _unused(function, f"{name}_value") for name in own - other}
    _rename(function, new)
    return () if new else None


def swap_branches(function: Function) -> Sequence[ast.stmt] | None:
    for node in _own_nodes(function):
        if isinstance(node, ast.If) and node.orelse:
            node.test, node.body, node.orelse = negated(node.test), node.orelse, node.body
            return ()
        if isinstance(node, ast.IfExp):
            node.test, node.body, node.orelse = negated(node.test), node.orelse, node.body
            return ()
    return None


def guard_to_branches(function: Function) -> Sequence[ast.stmt] | None:
    """Put what follows an `if` that ends with a jump into its other branch."""
    for block in _blocks(function):
        for at, node in enumerate(block[:-1]):
            if isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], JUMPS):
                block[at:] = [ast.If(negated(node.test), block[at + 1 :], node.body)]
                return ()
    return None


def extract_helper(function: Function) -> Sequence[ast.stmt] | None:
    inside = bound(function) | {one.arg for one in ast.walk(function) if isinstance(one, ast.arg)}
    own = [node for one in function.body if not isinstance(one, SCOPES) for node in _own_nodes(one)]
    local = {one.name for one in function.body if isinstance(one, Function | ast.ClassDef)}
    found = [node for node in own if _is_extractable(node) and not read(node) & local]
    if not found:
        return None
    chosen = max(found, key=lambda node: sum(1 for _ in ast.walk(node)))
    names = sorted(read(chosen) & inside - bound(chosen))
    helper = _unused(function, f"compute_{function.name.strip('_')}_part")
    call = ast.Call(_load(helper), [_load(name) for name in names], [])
    _replace(function, chosen, call)
    arguments = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
    return [ast.parse(f"def {helper}({ast.unparse(arguments)}):\n    return {ast.unparse(chosen)}").body[0]]


def introduce_variable(function: Function) -> Sequence[ast.stmt] | None:
    for block in _blocks(function):
        last = block[-1]
        if isinstance(last, ast.Return) and last.value and not isinstance(last.value, ast.Name | ast.Constant):
            name = _unused(function, "answer")
            block[-1:] = [_assign(name, last.value), ast.Return(_load(name))]
            return ()
    return None


def inline_variable(function: Function) -> Sequence[ast.stmt] | None:
    """Write the value of a variable where it is used, if that is only once and in the next statement."""
    for block in _blocks(function):
        for at, (one, after) in enumerate(pairwise(block)):
            name = _single_target(one)
            if not name or not isinstance(one, ast.Assign) or not isinstance(after, ast.Assign | ast.Return | ast.Expr):
                continue
            uses = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == name]
            here = [node for node in _own_nodes(after) if node in uses and isinstance(node.ctx, ast.Load)]
            alone = isinstance(after, ast.Return) and here == [after.value]
            steady = _is_pure(one.value) and not (_has(after, ast.Call) and _has(one.value, ast.Subscript, ast.Compare))
            if len(uses) == 2 and len(here) == 1 and (steady or alone):
                _replace(after, here[0], one.value)
                del block[at]
                return ()
    return None


def loop_to_comprehension(function: Function) -> Sequence[ast.stmt] | None:
    for block in _blocks(function):
        for at, (one, loop) in enumerate(pairwise(block)):
            name = _single_target(one)
            if not name or not isinstance(one, ast.Assign) or ast.unparse(one.value) != "[]":
                continue
            if not isinstance(loop, ast.For) or loop.orelse or len(loop.body) != 1:
                continue
            inner, conditions = loop.body[0], list[ast.expr]()
            if isinstance(inner, ast.If) and not inner.orelse and len(inner.body) == 1:
                conditions = [inner.test]
                inner = inner.body[0]
            appended = _appended(inner, name)
            if appended is None or _is_yielding(loop):
                continue
            parts = [appended, loop.iter, *conditions]
            if any(name in read(part) for part in parts) or _is_used_elsewhere(function, loop, bound(loop.target)):
                continue
            generator = ast.comprehension(loop.target, loop.iter, conditions, 0)
            block[at : at + 2] = [_assign(name, ast.ListComp(appended, [generator]))]
            return ()
    return None


def comprehension_to_loop(function: Function) -> Sequence[ast.stmt] | None:
    for block in _blocks(function):
        for at, one in enumerate(block):
            name = _single_target(one) or (_unused(function, "answer") if isinstance(one, ast.Return) else "")
            made = getattr(one, "value", None)
            if not name or not isinstance(made, ast.ListComp) or len(made.generators) != 1 or _is_yielding(made):
                continue
            generator = made.generators[0]
            if name in read(made) | bound(made):
                continue
            _rename(made, {inner: _unused(function, f"{inner}_item") for inner in bound(generator.target)})
            body: ast.stmt = ast.Expr(ast.Call(ast.Attribute(_load(name), "append", ast.Load()), [made.elt], []))
            for condition in reversed(generator.ifs):
                body = ast.If(condition, [body], [])
            new = [_assign(name, ast.List([], ast.Load())), ast.For(generator.target, generator.iter, [body], [])]
            block[at : at + 1] = [*new, ast.Return(_load(name))] if isinstance(one, ast.Return) else new
            return ()
    return None


def reorder_statements(function: Function) -> Sequence[ast.stmt] | None:
    """Swap two adjacent assignments that do not depend on each other."""
    for block in _blocks(function):
        for at, (one, other) in enumerate(pairwise(block)):
            if not (isinstance(one, ast.Assign) and isinstance(other, ast.Assign)):
                continue
            targets = [*one.targets, *other.targets]
            if not all(isinstance(target, ast.Name) for target in targets):
                continue
            if not (_is_pure(one.value) and _is_pure(other.value)):
                continue
            if bound(one) & (read(other) | bound(other)) or read(one) & bound(other):
                continue
            block[at : at + 2] = [other, one]
            return ()
    return None


def add_type_hints(function: Function) -> Sequence[ast.stmt] | None:
    for argument in (*function.args.args, *function.args.kwonlyargs):
        if argument.annotation is None and argument.arg not in ("self", "cls"):
            argument.annotation = _load("object")
    if function.returns is None:
        function.returns = _load("object")
    return ()


def result_variable(function: Function) -> Sequence[ast.stmt] | None:
    """Assign a result and return it once at the end, instead of returning early."""
    returns = [node for node in _own_nodes(function) if isinstance(node, ast.Return)]
    if len(returns) < 2 or _is_yielding(function):
        return None
    name = _unused(function, "result")
    body = _with_result(function.body, name)
    if body is None:
        return None
    function.body = [*body, ast.Return(_load(name))]
    return ()


def _with_result(block: Sequence[ast.stmt], name: str) -> list[ast.stmt] | None:
    """Return the block with assignments instead of returns; None if the block cannot be written without them."""
    for at, node in enumerate(block):
        if not any(isinstance(one, ast.Return) for one in _own_nodes(node)):
            continue
        head, rest = list(block[:at]), block[at + 1 :]
        if isinstance(node, ast.Return):
            return [*head, _assign(name, node.value or ast.Constant(None))]
        if isinstance(node, ast.If) and (_always_returns(node.body) or not rest):
            branches = _with_result(node.body, name), _with_result([*node.orelse, *rest], name)
            if branches[0] is not None and branches[1] is not None:
                return [*head, ast.If(node.test, branches[0], branches[1])]
        if isinstance(node, LOOPS) and not node.orelse and _returns_from_ifs_only(node):
            after = _with_result(rest, name)
            for one in node.body:
                last = one.body[-1] if isinstance(one, ast.If) else None
                if isinstance(one, ast.If) and isinstance(last, ast.Return):
                    one.body[-1:] = [_assign(name, last.value or ast.Constant(None)), ast.Break()]
            node.orelse = after or []
            return [*head, node] if after is not None else None
        return None
    return [*block, _assign(name, ast.Constant(None))]


def _returns_from_ifs_only(loop: ast.For | ast.AsyncFor | ast.While) -> bool:
    """Whether every return in the loop ends an `if` that is directly in its body, and nothing else leaves the loop."""
    lasts = [one.body[-1] for one in loop.body if isinstance(one, ast.If)]
    exits = [node for node in _own_nodes(loop) if isinstance(node, ast.Return | ast.Break)]
    return all(isinstance(one, ast.Return) and any(one is last for last in lasts) for one in exits)


def _always_returns(block: Sequence[ast.stmt]) -> bool:
    last = block[-1]
    if isinstance(last, ast.If) and last.orelse:
        return _always_returns(last.body) and _always_returns(last.orelse)
    return isinstance(last, ast.Return)


def flip_comparisons(function: Function) -> Sequence[ast.stmt] | None:
    found = [node for node in ast.walk(function) if isinstance(node, ast.Compare) and type(node.ops[0]) in FLIPPED]
    found = [node for node in found if len(node.ops) == 1 and _is_pure(node)]
    for node in found:
        node.left, node.comparators, node.ops = node.comparators[0], [node.left], [FLIPPED[type(node.ops[0])]()]
    return () if found else None


def expand_updates(function: Function) -> Sequence[ast.stmt] | None:
    """Write `n += 1` as `n = n + 1`, only for numbers: a list would be changed in place."""
    found = False
    for block in _blocks(function):
        for at, one in enumerate(block):
            if isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name) and _is_number(one.value):
                block[at] = _assign(one.target.id, ast.BinOp(_load(one.target.id), one.op, one.value))
                found = True
    return () if found else None


def negated(test: ast.expr) -> ast.expr:
    """Return the condition that is true when the given one is not."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in INVERSE:
        return ast.Compare(test.left, [INVERSE[type(test.ops[0])]()], test.comparators)
    return ast.UnaryOp(ast.Not(), test)


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and the nodes inside it, without those of inner functions, classes and comprehensions."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, SCOPES):
            yield from _own_nodes(child)


def _blocks(function: Function) -> Iterator[list[ast.stmt]]:
    for node in list(_own_nodes(function)):
        for name in BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def _unused(function: Function, name: str) -> str:
    known = {one.id for one in ast.walk(function) if isinstance(one, ast.Name)} | set(parameters(function))
    while name in known:
        name += "_"
    return name


def _rename(root: ast.AST, names: Mapping[str, str]) -> None:
    for node in ast.walk(root):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)


def _load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _assign(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(name, ast.Store())], value, lineno=0)


def _single_target(statement: ast.stmt) -> str:
    """Return the name that a simple assignment binds, or ""."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        return target.id if isinstance(target, ast.Name) else ""
    return ""


def _appended(statement: ast.stmt, name: str) -> ast.expr | None:
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(id), "append"), [value], [])) if id == name:
            return value
    return None


def _is_extractable(node: ast.AST) -> bool:
    if not isinstance(node, ast.BinOp | ast.Compare | ast.Call | ast.BoolOp | ast.Subscript):
        return False
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return False
    parts = list(ast.walk(node))
    kinds = (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await, ast.Lambda, ast.Starred, ast.JoinedStr)
    names = {one.id for one in parts if isinstance(one, ast.Name)}
    mangled = any(isinstance(one, ast.Attribute) and one.attr.startswith("__") for one in parts)
    return len(parts) >= MIN_NODES and not mangled and "super" not in names and not _has(node, *kinds)


def _has(node: ast.AST, *kinds: type[ast.AST]) -> bool:
    return any(isinstance(one, kinds) for one in ast.walk(node))


def _is_pure(node: ast.expr) -> bool:
    return all(isinstance(one, (*PURE, *PURE_PARTS)) for one in ast.walk(node))


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _is_yielding(node: ast.AST) -> bool:
    return _has(node, ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr, ast.AsyncFor)


def _is_used_elsewhere(function: Function, place: ast.AST, names: set[str]) -> bool:
    inside = set(ast.walk(place))
    uses = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id in names]
    return any(node not in inside for node in uses) or bool(names & set(parameters(function)))


def _replace(root: ast.AST, old: ast.AST, new: ast.expr) -> None:
    """Replace a node in the tree below `root`."""
    for node in ast.walk(root):
        for field, value in ast.iter_fields(node):
            if value is old:
                setattr(node, field, new)
            elif isinstance(value, list):
                value[:] = [new if one is old else one for one in value]


REWRITES: tuple[Rewrite, ...] = (
    swap_branches,
    guard_to_branches,
    result_variable,
    loop_to_comprehension,
    comprehension_to_loop,
    reorder_statements,
    inline_variable,
    introduce_variable,
    flip_comparisons,
    expand_updates,
    extract_helper,
    add_type_hints,
    rename_locals,
)
