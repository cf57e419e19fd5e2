"""Literals in Python code: the values that a function's conditions compare with, the values that it then returns, and
the values that tests assert."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef
Facts = frozenset[tuple[object, object]]
"""The constants of an expression, each with its type (1 is not True), and its names, as ("name", …)."""
TRIVIAL = (bool, type(None), type(...))
PLAIN = (
    *(ast.Compare, ast.cmpop, ast.Name, ast.Attribute, ast.Constant, ast.expr_context),
    *(ast.Tuple, ast.List, ast.UnaryOp, ast.USub),
)


def special_cases_of(function: ast.AST) -> Iterator[tuple[Facts, Facts, int]]:
    """For each special case in a function, yield the constants that it compares with, the constants that it returns if
    they are equal, and the line."""
    for node in ast.walk(function):
        if isinstance(node, ast.If):
            pairs = [(values, _answer(node.body)) for values in _compared(node.test)]
        elif isinstance(node, ast.IfExp):
            pairs = [(values, constants_of(node.body)) for values in _compared(node.test)]
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.value, ast.Dict):
            entries = zip(node.value.keys, node.value.values, strict=True)
            pairs = [(constants_of(key), constants_of(value)) for key, value in entries if key]
        else:
            continue
        yield from ((values, answer, node.lineno) for values, answer in pairs if values and answer)


def assertion_facts(tests: ast.Module) -> Iterator[Facts]:
    """Yield the names and constants of each assertion in the tests, including those assigned to its variables, once for
    each parameter row."""
    for test in ast.walk(tests):
        if not isinstance(test, Function) or not test.name.startswith("test"):
            continue
        given: dict[str, Facts] = {}
        rows: list[Facts] = []
        for node in ast.walk(test):
            match node:
                case ast.Assign(targets, value):
                    for _, name in Facts().union(*map(_names, targets)):
                        given[str(name)] = given.get(str(name), Facts()) | _facts_with_variables(value, given)
                case ast.For(iter=ast.List(values) | ast.Tuple(values)):
                    rows += map(_facts, values)
                case ast.Call(ast.Attribute(attr="parametrize"), [_, ast.List(values) | ast.Tuple(values), *_]):
                    rows += map(_facts, values)
        for node in ast.walk(test):
            is_call = isinstance(node, ast.Call) and getattr(node.func, "attr", "").startswith("assert")
            if isinstance(node, ast.Assert) or is_call:
                held = _facts_with_variables(node.test if isinstance(node, ast.Assert) else node, given)
                yield from (held | row for row in rows or [Facts()])


def _compared(test: ast.expr) -> list[Facts]:
    """Return the sets of constants that a condition compares with, one for each alternative; none for computed values
    or order comparisons."""
    match test:
        case ast.BoolOp(ast.Or(), parts):
            return [values for part in parts for values in _compared(part)]
        case ast.BoolOp(ast.And(), parts):
            return [Facts().union(*(values for part in parts for values in _compared(part)))]
        case ast.Compare(_, [ast.Eq() | ast.Is()], _) if all(isinstance(part, PLAIN) for part in ast.walk(test)):
            return [_facts(test) - _names(test)]
        case ast.Compare(_, [ast.In()], [ast.List(values) | ast.Tuple(values) | ast.Set(values)]):
            return [constants_of(value) for value in values]
    return []


def _answer(body: Sequence[ast.stmt]) -> Facts:
    """Return the constants that statements return or assign, if they do nothing else."""
    if not all(isinstance(one, ast.Return | ast.Assign | ast.Expr) for one in body):
        return Facts()
    assigned = Facts().union(*(_names(target) for one in body if isinstance(one, ast.Assign) for target in one.targets))
    values = [one.value for one in body if isinstance(one, ast.Return | ast.Assign) and one.value]
    found = [constants_of(value) for value in values if not (isinstance(value, ast.Name) and _names(value) <= assigned)]
    return Facts().union(*found) if all(found) else Facts()


def constants_of(tree: ast.expr) -> Facts:
    """Return the constants of an expression of literals and constructor calls; none if it uses a variable."""
    called = {id(part) for call in ast.walk(tree) if isinstance(call, ast.Call) for part in _constructor(call.func)}
    names = [part for part in ast.walk(tree) if isinstance(part, ast.Name) and id(part) not in called]
    return Facts() if names else _facts(tree) - _names(tree)


def _constructor(called: ast.expr) -> Iterator[ast.AST]:
    is_method = isinstance(called, ast.Attribute) and not called.attr[:1].isupper()
    return iter(()) if is_method else ast.walk(called)


def _facts_with_variables(tree: ast.AST, given: dict[str, Facts]) -> Facts:
    return _facts(tree).union(*(given.get(str(name), Facts()) for _, name in _names(tree)))


def _facts(tree: ast.AST) -> Facts:
    """Return the names of an expression and its constants, without trivial ones such as None, booleans and ""."""
    values = [part.value for part in ast.walk(tree) if isinstance(part, ast.Constant)]
    significant = [value for value in values if value not in ("", b"") and not isinstance(value, TRIVIAL)]
    return _names(tree) | {(type(value), value) for value in significant}


def _names(tree: ast.AST) -> Facts:
    names = (getattr(part, "id", getattr(part, "attr", None)) for part in ast.walk(tree))
    return Facts(("name", name) for name in names if name)
