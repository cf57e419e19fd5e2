"""Operators at calls of the repository's own functions: a wrong sibling, swapped arguments, a bound that is off."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import SequenceMatcher

from extensions.experiment.source.source_file import Definition
from extensions.lab.synthesis.operators.function_code import Code, Edits

NEAREST = 3
"""Maximum number of siblings for a call, those with the most similar names: these are confused most easily."""
PROPERTIES = ("property", "cached_property")
OF_ITEMS = ("islice", "enumerate", "itertools.islice")
"""Functions whose first argument is no number, but the others are."""


def wrong_sibling_call(code: Code) -> Iterator[Edits]:
    """Call another function of the same module, or another method or property of the same class, that fits."""
    for node in code.nodes_of(ast.Call):
        assert isinstance(node, ast.Call)
        called = node.func
        if isinstance(called, ast.Name) and code.owner is None:
            names = _fitting(node, called.id, code.siblings, code.node.name)
            yield from (code.replace(called, name) for name in names)
        elif isinstance(called, ast.Attribute) and _is_self(code, called):
            for name in _fitting(node, called.attr, _methods(code), code.node.name):
                yield _rename(code, called, name)
    for node in code.nodes_of(ast.Attribute):
        assert isinstance(node, ast.Attribute)
        if _is_self(code, node) and isinstance(node.ctx, ast.Load):
            known = [one.name for one in _methods(code) if _is_property(one)]
            others = [name for name in known if name not in (node.attr, code.node.name)] if node.attr in known else []
            yield from (_rename(code, node, name) for name in others)


def swapped_arguments(code: Code) -> Iterator[Edits]:
    """Swap two adjacent arguments of a call."""
    for node in code.nodes_of(ast.Call):
        assert isinstance(node, ast.Call)
        if not code.is_own_call(node):
            continue
        for one, other in zip(node.args, node.args[1:], strict=False):
            is_plain = not isinstance(one, ast.Starred) and not isinstance(other, ast.Starred)
            if is_plain and code.text(one) != code.text(other):
                yield ((*code.source.span(one), code.text(other)), (*code.source.span(other), code.text(one)))


def off_by_one_at_caller(code: Code) -> Iterator[Edits]:
    """Pass a number, an index or a slice that is off by one."""
    for node in code.nodes_of(ast.Call):
        assert isinstance(node, ast.Call)
        is_range = code.text(node.func) in ("range", *OF_ITEMS)
        if not is_range and not code.is_own_call(node):
            continue
        arguments = node.args if code.text(node.func) not in OF_ITEMS else node.args[1:]
        for part in (*arguments, *(one.value for one in node.keywords)):
            for number in _numbers(part, is_range):
                yield from (code.replace(number, shift_number(code.text(number), step)) for step in (1, -1))


def _numbers(part: ast.expr, is_range: bool) -> Iterator[ast.expr]:
    """Yield the expressions in an argument that are numbers for certain."""
    if isinstance(part, ast.Starred):
        return
    if is_range and isinstance(part, ast.Name | ast.Attribute):
        yield part
    for node in ast.walk(part):
        if isinstance(node, ast.Slice):
            yield from (bound for bound in (node.lower, node.upper) if bound is not None)
        elif node is part and _is_number(node):
            yield node


def _is_number(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int) and not isinstance(node.value, bool)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Sub) and (_is_number(node.left) or _is_number(node.right))
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "int", "ord")


def shift_number(text: str, step: int) -> str:
    """Return the text of a number or an expression with 1 or -1 added."""
    if text.lstrip("-").isdigit():
        return str(int(text) + step)
    sign = "+" if step > 0 else "-"
    opposite = " - 1" if step > 0 else " + 1"
    return text.removesuffix(opposite) if text.endswith(opposite) else f"{text} {sign} 1"


def _is_self(code: Code, node: ast.Attribute) -> bool:
    return code.owner is not None and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def _methods(code: Code) -> list[Definition]:
    return [one for one in (code.owner.body if code.owner else []) if isinstance(one, Definition)]


def _is_property(function: Definition) -> bool:
    return any(ast.unparse(one).rpartition(".")[2] in PROPERTIES for one in function.decorator_list)


def _fitting(call: ast.Call, name: str, functions: list[Definition], own: str) -> list[str]:
    """Return the other functions that accept a call's arguments, if the called function `name` is one of them."""
    found = {one.name: one for one in functions}
    if name not in found:
        return []
    is_method = isinstance(call.func, ast.Attribute)
    fitting = [
        other
        for other, function in found.items()
        if other not in (name, own) and not other.startswith("__") and _alike(found[name], function)
        and _accepts(function, call, is_method)
    ]  # fmt: skip
    return sorted(fitting, key=lambda other: -SequenceMatcher(None, name, other).ratio())[:NEAREST]


def _alike(one: Definition, other: Definition) -> bool:
    """Return whether both are of the same sort: coroutines, properties, static methods or neither."""
    decorators = [[ast.unparse(each) for each in function.decorator_list] for function in (one, other)]
    return type(one) is type(other) and decorators[0] == decorators[1]


def _accepts(function: Definition, call: ast.Call, is_method: bool) -> bool:
    arguments = function.args
    is_static = any(ast.unparse(one) == "staticmethod" for one in function.decorator_list)
    positional = [one.arg for one in (*arguments.posonlyargs, *arguments.args)][is_method and not is_static :]
    if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
        return False
    given = len(call.args)
    named = {one.arg for one in call.keywords}
    known = {*positional[given:], *(one.arg for one in arguments.kwonlyargs)}
    required = set(positional[given : len(positional) - len(arguments.defaults)])
    required |= {
        one.arg for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if not default
    }
    fits = given <= len(positional) or arguments.vararg is not None
    return fits and required <= named and (named <= known or arguments.kwarg is not None)


def _rename(code: Code, node: ast.Attribute, name: str) -> Edits:
    end = code.source.span(node)[1]
    return ((end - len(node.attr.encode()), end, name),)
