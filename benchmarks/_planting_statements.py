"""Slips in statements: missing or misplaced statements, and loops that are left too early."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aci.runtime.target_function import Function
from benchmarks._planting_code import (
    LOOPS,
    PLAIN,
    Code,
    Operator,
    Slip,
    bound,
    brief,
    parameters,
    read,
    statements,
)

JUMPS = ast.Return | ast.Raise | ast.Continue | ast.Break
OTHER_STARTS = {"0": "1", "1": "0", "False": "True", "True": "False", "None": "0", "''": "' '", "-1": "0"}


def dropped_statement(code: Code, function: Function) -> Iterator[Slip]:
    """Omit a call, an assignment or an update. Assignments of new names stay, since omitting them is a NameError."""
    known = set(parameters(function))
    for statement in sorted(statements(function), key=lambda one: one.lineno):
        can_omit = isinstance(statement, ast.AugAssign) or (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call | ast.Yield)
        )
        if isinstance(statement, ast.Assign):
            can_omit = bound(statement) <= known
        known |= bound(statement) if isinstance(statement, ast.Assign | ast.For) else set()
        if can_omit:
            yield from code.drop(statement, f"without {brief(ast.unparse(statement))}")


def dropped_guard(code: Code, function: Function) -> Iterator[Slip]:
    """Omit an `if` statement whose body ends with a jump."""
    for statement in statements(function):
        if not isinstance(statement, ast.If) or statement.orelse or _is_elif(code, statement):
            continue
        if isinstance(statement.body[-1], JUMPS):
            yield from code.drop(statement, f"without the guard {brief(ast.unparse(statement.test))}")


def dropped_branch(code: Code, function: Function) -> Iterator[Slip]:
    """Omit an `elif` or `else`."""
    for statement in statements(function):
        if not isinstance(statement, ast.If) or not statement.orelse:
            continue
        first = statement.orelse[0]
        if _is_elif(code, first):
            assert isinstance(first, ast.If)
            rows = code.rows(first, first.body[-1])
            if rows:
                yield Slip(first.lineno, ((*rows, ""),), f"without elif {brief(ast.unparse(first.test))}")
            continue
        start, rows = code.else_row(statement), code.rows(first, statement.orelse[-1])
        if start is not None and rows:
            yield Slip(first.lineno, ((start, rows[1], ""),), f"without else: {brief(ast.unparse(first))}")


def swapped_statements(code: Code, function: Function) -> Iterator[Slip]:
    """Swap two adjacent statements of which one reads a name that the other binds or changes."""
    for statement in statements(function):
        block = code.block(statement)
        after = block[block.index(statement) + 1 :][:1]
        if not after or not isinstance(statement, PLAIN) or not isinstance(after[0], PLAIN | ast.If):
            continue
        if isinstance(statement, ast.Return | ast.Raise) or isinstance(after[0], ast.Return | ast.Raise):
            continue
        if not (_changed(statement) & read(after[0]) or read(statement) & _changed(after[0])):
            continue
        one, other = code.rows(statement), code.rows(after[0])
        if one and other:
            first, second = code.data[slice(*one)].decode(), code.data[slice(*other)].decode()
            what = f"{brief(ast.unparse(after[0]))} before {brief(ast.unparse(statement))}"
            yield Slip(statement.lineno, ((*one, second), (*other, first)), what)


def wrong_nesting(code: Code, function: Function) -> Iterator[Slip]:
    """Move the statement after a block into it, or the last statement of a block behind it."""
    for statement in statements(function):
        if not isinstance(statement, LOOPS | ast.If | ast.With) or getattr(statement, "orelse", []):
            continue
        block = code.block(statement)
        after = block[block.index(statement) + 1 :][:1]
        inner, last = statement.body[0].col_offset - statement.col_offset, statement.body[-1]
        if _is_elif(code, statement) or inner <= 0 or statement.body[0].lineno == statement.lineno:
            continue
        if after and isinstance(after[0], PLAIN) and (rows := code.rows(after[0])):
            what = f"{brief(ast.unparse(after[0]))} inside the block before it"
            yield Slip(after[0].lineno, ((*rows, code.shifted(after[0], inner)),), what)
        if len(statement.body) > 1 and isinstance(last, PLAIN) and (rows := code.rows(last)):
            what = f"{brief(ast.unparse(last))} after its block"
            yield Slip(last.lineno, ((*rows, code.shifted(last, -inner)),), what)


def early_return(code: Code, function: Function) -> Iterator[Slip]:
    """Move the `return` after a loop to the end of its body."""
    for loop in statements(function):
        block = code.block(loop)
        after = block[block.index(loop) + 1 :]
        if isinstance(loop, LOOPS) and not loop.orelse and after and isinstance(after[-1], ast.Return):
            rows, end = code.rows(after[-1]), code.rows(loop)
            inner = loop.body[0].col_offset - loop.col_offset
            if rows and end and inner > 0:
                moved = code.shifted(after[-1], inner)
                edits = ((end[1], end[1], moved), *([] if len(after) > 1 else [(*rows, "")]))
                yield Slip(loop.lineno, edits, f"{brief(ast.unparse(after[-1]))} at the end of the loop's body")


def wrong_exit(code: Code, function: Function) -> Iterator[Slip]:
    """Swap `break` and `continue`."""
    for statement in statements(function):
        if isinstance(statement, ast.Break | ast.Continue):
            new = "continue" if isinstance(statement, ast.Break) else "break"
            yield Slip(statement.lineno, ((*code.span(statement), new),), f"{new} in its place")


def wrong_start(code: Code, function: Function) -> Iterator[Slip]:
    """Initialise the accumulator of a loop with another value, or in each iteration."""
    for statement, loop in _before_loops(code, function):
        value = ast.unparse(statement.value)
        if value in OTHER_STARTS:
            other = OTHER_STARTS[value]
            yield code.replace(statement.value, other, f"{ast.unparse(statement)}: begins with {other}")
        rows, first = code.rows(statement), code.rows(loop.body[0])
        inner = loop.body[0].col_offset - loop.col_offset
        if rows and first and inner > 0 and isinstance(statement.value, ast.Constant | ast.List | ast.Dict | ast.Call):
            edits = ((*rows, ""), (first[0], first[0], code.shifted(statement, inner)))
            yield Slip(statement.lineno, edits, f"{brief(ast.unparse(statement))} in each turn of the loop")


def stale_variable(code: Code, function: Function) -> Iterator[Slip]:
    """Use the source of a computed value instead of the value, or do not assign the computed value."""
    for statement in statements(function):
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target = statement.targets[0]
        sources = sorted(read(statement.value) & set(parameters(function)) | read(statement.value) & bound(function))
        if not isinstance(target, ast.Name):
            continue
        block = code.block(statement)
        for later in block[block.index(statement) + 1 :]:
            for node in ast.walk(later):
                if isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load):
                    for name in sources:
                        if name != target.id and not _is_in_text(code, node):
                            yield code.replace(node, name, f"{name} where {target.id} was made of it")
        if (
            target.id in read(statement.value)
            and isinstance(statement.value, ast.Call)
            and (rows := code.rows(statement))
        ):
            text = f"{code.margin(statement)}{ast.unparse(statement.value)}\n"
            yield Slip(statement.lineno, ((*rows, text),), f"the value of {brief(ast.unparse(statement))} is not kept")


def narrowed_exception(code: Code, function: Function) -> Iterator[Slip]:
    """Catch only one of several exceptions, or another exception."""
    for node in ast.walk(function):
        if not isinstance(node, ast.ExceptHandler) or node.type is None:
            continue
        if isinstance(node.type, ast.Tuple):
            for one in node.type.elts:
                yield code.replace(node.type, one, f"only {ast.unparse(one)} of {ast.unparse(node.type)} is caught")
        elif (name := ast.unparse(node.type)) in _EXCEPTIONS:
            yield code.replace(node.type, _EXCEPTIONS[name], f"{_EXCEPTIONS[name]} is caught for {name}")


_EXCEPTIONS = {
    "KeyError": "IndexError",
    "IndexError": "KeyError",
    "TypeError": "ValueError",
    "ValueError": "TypeError",
    "AttributeError": "KeyError",
    "StopIteration": "IndexError",
    "Exception": "ValueError",
}


def _before_loops(code: Code, function: Function) -> Iterator[tuple[ast.Assign, ast.For | ast.While]]:
    """Yield assignments of one name, each with a later loop that changes or reads it."""
    for loop in statements(function):
        if not isinstance(loop, ast.For | ast.While):
            continue
        block = code.block(loop)
        for statement in block[: block.index(loop)]:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target = statement.targets[0]
                if isinstance(target, ast.Name) and target.id in read(loop) | bound(loop):
                    yield statement, loop


def _is_elif(code: Code, statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and code.data[code.span(statement)[0] :].startswith(b"elif")


def _is_in_text(code: Code, node: ast.AST) -> bool:
    while (parent := code.parents.get(node)) is not None and not isinstance(node, ast.stmt):
        if isinstance(parent, ast.JoinedStr):
            return True
        node = parent
    return False


def _changed(statement: ast.stmt) -> set[str]:
    """Return the names that are bound, or whose value a method, a subscript or an attribute may change."""
    parts = [node for node in ast.walk(statement) if isinstance(node, ast.Attribute | ast.Subscript)]
    stored = [node for node in parts if isinstance(node.ctx, ast.Store) or isinstance(statement, ast.Expr)]
    return bound(statement) | {node.value.id for node in stored if isinstance(node.value, ast.Name)}


OPERATORS: tuple[Operator, ...] = (
    dropped_statement,
    dropped_guard,
    dropped_branch,
    swapped_statements,
    wrong_nesting,
    early_return,
    wrong_exit,
    wrong_start,
    stale_variable,
    narrowed_exception,
)
