"""Simple operators that add, remove or move statements: fix patterns in reverse."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from extensions.lab.synthesis.operators.function_code import Code, Edits, Operator

SIMPLE = ast.Assign | ast.AugAssign | ast.Expr | ast.Delete | ast.AnnAssign
LEAVING = ast.Return | ast.Raise | ast.Continue | ast.Break


def guard_missing(code: Code) -> Iterator[Edits]:
    for statement in code.statements:
        if isinstance(statement, ast.If) and not statement.orelse and isinstance(statement.body[-1], LEAVING):
            yield from remove_statement(code, statement)


def statement_missing(code: Code) -> Iterator[Edits]:
    for statement in code.statements:
        if isinstance(statement, SIMPLE):
            yield from remove_statement(code, statement)


def statement_more(code: Code) -> Iterator[Edits]:
    """Insert a copy of a statement of the function at another place."""
    texts = dict.fromkeys(code.text(one) for one in code.statements if isinstance(one, SIMPLE))
    for statement in code.statements:
        lines = code.lines(statement)
        if lines:
            margin = " " * statement.col_offset
            yield from (((lines[0], lines[0], f"{margin}{text}\n"),) for text in texts if "\n" not in text)


def leaving_missing(code: Code) -> Iterator[Edits]:
    for statement in code.statements:
        if isinstance(statement, LEAVING):
            yield from remove_statement(code, statement)


def branch_missing(code: Code) -> Iterator[Edits]:
    for statement in code.statements:
        if isinstance(statement, ast.If) and statement.orelse:
            end = max(code.source.span(one)[1] for one in statement.body)
            yield ((end, code.source.span(statement)[1], ""),)


def condition_missing(code: Code) -> Iterator[Edits]:
    for statement in code.statements:
        lines = code.lines(statement)
        if isinstance(statement, ast.If) and not statement.orelse and lines and _is_if(code, statement):
            start, end = code.source.span(statement.body[0])[0], lines[1]
            step = statement.body[0].col_offset - statement.col_offset
            body = code.source.data[code.source.line_start(start) : end].decode()
            yield ((lines[0], end, "".join(line[step:] if line.strip() else line for line in body.splitlines(True))),)


def condition_more(code: Code) -> Iterator[Edits]:
    tests = dict.fromkeys(code.text(one.test) for one in code.statements if isinstance(one, ast.If | ast.While))
    for statement in code.statements:
        if isinstance(statement, SIMPLE | LEAVING) and (lines := code.lines(statement)):
            margin = " " * statement.col_offset
            body = code.source.data[slice(*lines)].decode()
            inner = "".join(f"    {line}" if line.strip() else line for line in body.splitlines(True))
            for test in [*tests, *code.names]:
                yield ((*lines, f"{margin}if {test}:\n{inner}"),)


def order(code: Code) -> Iterator[Edits]:
    for block in code.blocks():
        for one, other in pairwise(block):
            if not isinstance(other, LEAVING) and code.lines(one) and code.lines(other):
                yield ((*code.source.span(one), code.text(other)), (*code.source.span(other), code.text(one)))


def nesting(code: Code) -> Iterator[Edits]:
    """Move the last statement of a block behind it, or the statement after a block into it."""
    for block in code.blocks():
        for one, after in pairwise(block):
            if isinstance(one, ast.For | ast.While | ast.If | ast.With) and isinstance(after, SIMPLE | LEAVING):
                inner, outer = code.lines(one.body[-1]), code.lines(after)
                if outer and inner and not getattr(one, "orelse", None):
                    step = one.body[0].col_offset - one.col_offset
                    text = code.source.data[slice(*outer)].decode()
                    yield ((*outer, "".join(" " * step + line for line in text.splitlines(True))),)
        one = block[-1]
        if isinstance(one, ast.For | ast.While | ast.If) and len(one.body) > 1 and not one.orelse:
            last = code.lines(one.body[-1])
            if last and isinstance(one.body[-1], SIMPLE):
                step = one.body[0].col_offset - one.col_offset
                text = code.source.data[slice(*last)].decode()
                yield ((*last, "".join(line[step:] for line in text.splitlines(True))),)


def leaving(code: Code) -> Iterator[Edits]:
    values = dict.fromkeys(code.text(one.value) for one in code.statements if isinstance(one, ast.Return) and one.value)
    for statement in code.statements:
        if isinstance(statement, ast.Break | ast.Continue):
            yield code.replace(statement, "break" if isinstance(statement, ast.Continue) else "continue")
        elif isinstance(statement, ast.Raise):
            yield from (code.replace(statement, f"return {value}") for value in [*values, "None"])
        elif isinstance(statement, ast.Return) and statement.value:
            now = code.text(statement.value)
            yield from (code.replace(statement.value, one) for one in [*values, *code.names, "None"] if one != now)


def start_value(code: Code) -> Iterator[Edits]:
    for statement in code.statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant | ast.List | ast.Dict):
            for new in ("None", "0", "1", "[]", "''", *code.names):
                if new != code.text(statement.value):
                    yield code.replace(statement.value, new)


def exception(code: Code) -> Iterator[Edits]:
    for node in ast.walk(code.node):
        if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple) and len(node.type.elts) > 1:
            yield from (((*code.source.span(node.type), code.text(one)),) for one in node.type.elts)
        elif isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name):
            for name in ("ValueError", "KeyError", "TypeError", "AttributeError", "IndexError", "StopIteration"):
                if name != node.type.id:
                    yield ((*code.source.span(node.type), name),)


def default(code: Code) -> Iterator[Edits]:
    arguments = code.node.args
    for node in [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]:
        for new in ("None", "0", "1", "True", "False", "()"):
            if new != code.text(node):
                yield ((*code.source.span(node), new),)


def _is_if(code: Code, statement: ast.If) -> bool:
    """Return whether the statement starts with `if`, not `elif`, and its body is on another line."""
    return code.text(statement).startswith("if") and statement.body[0].lineno > statement.lineno


def remove_statement(code: Code, statement: ast.stmt) -> Iterator[Edits]:
    """Yield the edits that omit a statement; none if it shares its lines with other code."""
    lines = code.lines(statement)
    alone = any(len(block) == 1 and block[0] is statement for block in code.blocks())
    if alone:
        yield ((*code.source.span(statement), "pass"),)
    elif lines:
        yield ((*lines, ""),)


SHARES: dict[Operator, float] = {
    start_value: 5.0, default: 4.0, exception: 4.0, leaving: 8.0, guard_missing: 14.0, statement_missing: 14.0,
    leaving_missing: 6.0, branch_missing: 8.0, condition_missing: 8.0, condition_more: 4.0, order: 5.0, nesting: 6.0,
    statement_more: 7.0,
}  # fmt: skip
"""Weights of the operators, on the scale of the square roots of `expression_changes.PATTERNS`."""
