"""Slips in expressions: calls of similar functions, and expressions close to the intended one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy

from aci.runtime.target_function import Function
from benchmarks._planting_code import Code, Operator, Slip, brief, expressions, parameters

FAMILIES = tuple(
    tuple(family.split())
    for family in (
        "append extend add",
        "keys values items",
        "strip lstrip rstrip",
        "startswith endswith",
        "find rfind index",
        "split rsplit",
        "ljust rjust center",
        "union intersection difference symmetric_difference",
        "issubset issuperset isdisjoint",
        "discard add remove",
        "pop get setdefault",
        "popleft pop",
        "appendleft append",
        "lower upper title",
        "isdigit isalpha isalnum",
        "encode decode",
    )
)
BUILTINS = tuple(
    tuple(family.split())
    for family in (
        "any all",
        "list tuple set sorted",
        "str repr",
        "map filter",
        "isinstance issubclass",
        "bisect_left bisect_right",
        "ceil floor round",
        "getattr hasattr",
        "chain zip",
    )
)
CONVERSIONS = [
    "int",
    "float",
    "str",
    "bool",
    "list",
    "tuple",
    "set",
    "frozenset",
    "dict",
    "sorted",
    "iter",
    "abs",
    "len",
    "reversed",
    "bytes",
    "repr",
    "deepcopy",
]
CONVERTING = ["lower", "upper", "strip", "lstrip", "rstrip", "copy", "items", "keys", "values", "casefold"]


def swapped_call(code: Code, function: Function) -> Iterator[Slip]:
    """Call another function of the same family, or one of the same module or class with a fitting signature."""
    signatures = {name: node for name, node in code.functions.items() if node is not function}
    for node in expressions(function):
        if not isinstance(node, ast.Call) or any(isinstance(one, ast.Starred) for one in node.args):
            continue
        called, name = node.func, ""
        if isinstance(called, ast.Name):
            name, others = called.id, _family_of(called.id, BUILTINS)
            others += [one for one in _compatible_functions(node, called.id, "", signatures) if one not in others]
        elif isinstance(called, ast.Attribute):
            name, others = called.attr, _family_of(called.attr, FAMILIES)
            if isinstance(called.value, ast.Name) and called.value.id == "self":
                owner = next(full for full, one in code.functions.items() if one is function).rpartition(".")[0]
                others = _compatible_functions(node, called.attr, f"{owner}.", signatures) or others
        else:
            continue
        for other in others:
            changed = deepcopy(called)
            setattr(changed, "id" if isinstance(changed, ast.Name) else "attr", other)
            yield code.replace(called, changed, f"{other} is called for {name}")


def lost_condition(code: Code, function: Function) -> Iterator[Slip]:
    """Omit a part of a condition, a filter of a comprehension or the alternative of a conditional expression."""
    for node in expressions(function):
        if isinstance(node, ast.BoolOp):
            for one in node.values:
                rest = [value for value in node.values if value is not one]
                new = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
                yield code.replace(node, new, f"without {brief(ast.unparse(one))} in {brief(ast.unparse(node))}")
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            for index, part in enumerate(node.generators):
                if part.ifs:
                    changed = deepcopy(node)
                    changed.generators[index].ifs.pop()
                    yield _rewrite(code, node, changed, "a filter of the comprehension is lost")
        elif isinstance(node, ast.IfExp):
            yield code.replace(node, node.body, f"always {brief(ast.unparse(node.body))}")


def de_morgan(code: Code, function: Function) -> Iterator[Slip]:
    """Move a negation into or out of parentheses without changing the operator, or forget it for one operand."""
    for node in expressions(function):
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and isinstance(node.operand, ast.BoolOp):
            inner = node.operand
            yield code.replace(node, ast.BoolOp(inner.op, [_negate(one) for one in inner.values]))
        elif isinstance(node, ast.BoolOp):
            if all(isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.Not) for one in node.values):
                parts = [one.operand for one in node.values if isinstance(one, ast.UnaryOp)]
                yield code.replace(node, ast.UnaryOp(ast.Not(), ast.BoolOp(node.op, parts)))
            elif isinstance(node.values[0], ast.UnaryOp) and isinstance(node.values[0].op, ast.Not):
                first = ast.BoolOp(node.op, [node.values[0].operand, *node.values[1:]])
                yield code.replace(node, ast.UnaryOp(ast.Not(), first))


def order_of_operations(code: Code, function: Function) -> Iterator[Slip]:
    """Forget parentheses, or put them around the wrong part."""
    for node in expressions(function):
        if not isinstance(node, ast.BinOp):
            continue
        left, right = node.left, node.right
        if isinstance(left, ast.BinOp) and type(left.op) is not type(node.op):
            yield code.replace(node, ast.BinOp(left.left, left.op, ast.BinOp(left.right, node.op, right)))
        if isinstance(right, ast.BinOp):
            yield code.replace(node, ast.BinOp(ast.BinOp(left, node.op, right.left), right.op, right.right))


def forgotten_conversion(code: Code, function: Function) -> Iterator[Slip]:
    """Use a value without converting, copying, sorting or stripping it."""
    for node in expressions(function):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in CONVERSIONS and node.args:
            yield code.replace(node, node.args[0])
        elif isinstance(called, ast.Attribute) and called.attr in CONVERTING and not node.args:
            yield code.replace(node, called.value)


def forgotten_argument(code: Code, function: Function) -> Iterator[Slip]:
    """Omit a keyword argument or the last of several arguments."""
    for node in expressions(function):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg:
                    rest = [one for one in node.keywords if one is not keyword]
                    yield _rewrite(code, node, ast.Call(node.func, node.args, rest), f"without {keyword.arg}=")
            if len(node.args) > 1 and not node.keywords:
                yield _rewrite(code, node, ast.Call(node.func, node.args[:-1], []), "without the last argument")


def truthiness(code: Code, function: Function) -> Iterator[Slip]:
    """Treat None like empty or zero values, or test for None instead of truth."""
    for node in expressions(function):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and ast.unparse(node.comparators[0]) == "None":
            if isinstance(node.ops[0], ast.Is):
                yield code.replace(node, ast.UnaryOp(ast.Not(), node.left))
            elif isinstance(node.ops[0], ast.IsNot):
                yield code.replace(node, node.left)
        elif isinstance(node, ast.IfExp) and isinstance(node.test, ast.Compare) and len(node.test.ops) == 1:
            if isinstance(node.test.ops[0], ast.Is) and ast.unparse(node.test.left) == ast.unparse(node.orelse):
                yield code.replace(node, ast.BoolOp(ast.Or(), [node.orelse, node.body]))
        elif isinstance(node, ast.Name | ast.Attribute) and _is_test(code, node):
            yield code.replace(node, ast.Compare(node, [ast.IsNot()], [ast.Constant(None)]))


def near_expression(code: Code, function: Function) -> Iterator[Slip]:
    """Use a similar expression: another end of a list, a length as an end, one of several values, half a comparison."""
    for node in expressions(function):
        if isinstance(node, ast.Subscript):
            yield from _change_subscript(code, node)
        elif isinstance(node, ast.Compare):
            if len(node.ops) > 1:
                yield code.replace(node, ast.Compare(node.left, node.ops[:1], node.comparators[:1]))
            elif isinstance(node.ops[0], ast.In) and isinstance(node.comparators[0], ast.Tuple | ast.List | ast.Set):
                yield code.replace(node, ast.Compare(node.left, [ast.Eq()], node.comparators[0].elts[:1]))
        elif isinstance(node, ast.Call):
            yield from _change_call(code, node)


def wrong_default(code: Code, function: Function) -> Iterator[Slip]:
    """Change the default value of a parameter."""
    others = {"True": "False", "False": "True", "0": "1", "1": "0", "None": "()", "''": "' '", "' '": "''"}
    for default in (*function.args.defaults, *function.args.kw_defaults):
        if default is not None and (text := ast.unparse(default)) in others:
            yield code.replace(default, others[text], f"the default {text} is {others[text]}")


def wrong_variable_kept(code: Code, function: Function) -> Iterator[Slip]:
    """Store the loop variable under the name of a parameter, which overwrites the argument."""
    names = [name for name in parameters(function) if name not in ("self", "cls")]
    for node in ast.walk(function):
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            for name in names:
                uses = [one for one in ast.walk(node) if isinstance(one, ast.Name) and one.id == node.target.id]
                edits = tuple((*code.span(one), name) for one in uses)
                if name != node.target.id:
                    yield Slip(node.lineno, edits, f"the loop's variable {node.target.id} is called {name} as well")


def _change_subscript(code: Code, node: ast.Subscript) -> Iterator[Slip]:
    at = node.slice
    if isinstance(at, ast.Slice) and at.step is None:
        if at.lower and at.upper:
            length = ast.Slice(at.lower, ast.BinOp(at.lower, ast.Add(), at.upper))
            yield code.replace(node, ast.Subscript(node.value, length))
        elif at.lower or at.upper:
            yield code.replace(node, ast.Subscript(node.value, ast.Slice(at.upper, at.lower)))
    elif (text := ast.unparse(at)) in ("0", "-1"):
        other = ast.Constant(-1) if text == "0" else ast.Constant(0)
        yield code.replace(node, ast.Subscript(node.value, other))


def _change_call(code: Code, node: ast.Call) -> Iterator[Slip]:
    called = node.func
    if isinstance(called, ast.Name) and called.id == "isinstance" and len(node.args) == 2:
        if isinstance(node.args[1], ast.Tuple) and node.args[1].elts:
            yield _rewrite(code, node, ast.Call(called, [node.args[0], node.args[1].elts[0]], []), "")
        else:
            exact = ast.Call(ast.Name("type"), [node.args[0]], [])
            yield code.replace(node, ast.Compare(exact, [ast.Is()], [node.args[1]]))
    elif isinstance(called, ast.Attribute) and called.attr == "join" and isinstance(called.value, ast.Constant):
        if called.value.value:
            yield code.replace(called.value, ast.Constant(""))
    elif isinstance(called, ast.Attribute) and called.attr == "get" and len(node.args) == 2 and not node.keywords:
        yield code.replace(node, ast.BoolOp(ast.Or(), [ast.Call(called, node.args[:1], []), node.args[1]]))


def _rewrite(code: Code, node: ast.expr, new: ast.expr, what: str) -> Slip:
    """Return a slip that replaces a node; `unparse` keeps the parentheses of a bare generator argument."""
    return code.replace(node, ast.fix_missing_locations(new), f"{what}: {brief(ast.unparse(node))}" if what else "")


def _negate(node: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), node)


def _is_test(code: Code, node: ast.expr) -> bool:
    parent = code.parents.get(node)
    return isinstance(parent, ast.If | ast.While) and parent.test is node


def _family_of(name: str, families: tuple[tuple[str, ...], ...]) -> list[str]:
    return [one for family in families if name in family for one in family if one != name]


def _compatible_functions(call: ast.Call, name: str, owner: str, signatures: dict[str, Function]) -> list[str]:
    """Return functions of the module (or methods of the class) that accept the arguments of the call."""
    found = []
    for full, function in signatures.items():
        arguments, rest = function.args, full.removeprefix(owner)
        names = parameters(function)[1 if owner else 0 :]
        required = len(names) - len(arguments.defaults) - len(arguments.kwonlyargs)
        keywords = {one.arg for one in call.keywords}
        fits = required <= len(call.args) + len(keywords) <= len(names) and keywords <= set(names)
        is_sibling = full.startswith(owner) and "." not in rest and rest != name and not rest.startswith("__")
        if names and fits and is_sibling:
            found.append(rest)
    return found


OPERATORS: tuple[Operator, ...] = (
    swapped_call,
    lost_condition,
    de_morgan,
    order_of_operations,
    forgotten_conversion,
    forgotten_argument,
    truthiness,
    near_expression,
    wrong_default,
    wrong_variable_kept,
)
