"""The position of a statement: its block, the neighbouring statements, its lines without their indentation."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from extensions.experiment.source.source_file import NEWLINE, Definition, Source

Compound = ast.If | ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith | ast.Try | ast.Match
Loop = ast.For | ast.AsyncFor | ast.While
BLOCKS = ("body", "orelse", "finalbody")
BUILTINS = frozenset(dir(builtins))


def block(source: Source, statement: ast.stmt) -> tuple[list[ast.stmt], int]:
    """Return the list of statements that contains a statement, and its index there; an empty list for an `elif`."""
    if is_elif(source, statement):
        return [], 0
    parent = source.parents.get(statement)
    for field in BLOCKS:
        found = getattr(parent, field, None)
        if isinstance(found, list):
            for place, one in enumerate(found):
                if one is statement:
                    return found, place
    return [], 0


def is_elif(source: Source, statement: ast.stmt) -> bool:
    start = source.span(statement)[0]
    return isinstance(statement, ast.If) and source.data[start : start + 4] == b"elif"


def enclosing_nodes(source: Source, statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes that contain a statement, innermost first, up to and including its function's definition."""
    node = source.parents.get(statement)
    while node is not None:
        yield node
        if isinstance(node, Definition | ast.ClassDef | ast.Module):
            return
        node = source.parents.get(node)


def in_loop(source: Source, statement: ast.stmt) -> bool:
    return any(isinstance(node, Loop) for node in enclosing_nodes(source, statement))


def in_function(source: Source, statement: ast.stmt) -> bool:
    return any(isinstance(node, Definition) for node in enclosing_nodes(source, statement))


def is_last(source: Source, statement: ast.stmt) -> bool:
    """Return whether a statement is the last one of its block."""
    found, place = block(source, statement)
    return bool(found) and place == len(found) - 1


def has_outer_jump(statement: ast.stmt) -> bool:
    """Return whether a statement contains a `break` or `continue` of a loop that encloses it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Break | ast.Continue):
            return True
        if not isinstance(node, Loop | Definition | ast.ClassDef):
            waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]
    return False


def owner(source: Source, node: ast.AST) -> ast.ClassDef | None:
    """Return the nearest class that contains a node, at any depth."""
    found = source.parents.get(node)
    while found is not None and not isinstance(found, ast.ClassDef):
        found = source.parents.get(found)
    return found


def is_movable(statement: ast.stmt) -> bool:
    """Return whether a statement can move within its function without affecting a scope."""
    kinds = Definition | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal
    return not isinstance(statement, kinds)


def line_span(source: Source, first: ast.stmt, last: ast.stmt) -> tuple[int, int] | None:
    """Return the span of whole lines from one statement to another of the same block.

    A trailing comment of the last statement (`# noqa`, `# type: ignore`) is included. Returns None if the statements
    share a line with others.
    """
    start, end = source.span(first)[0], source.span(last)[1]
    head = source.line_start(start)
    rest = source.rest(end).strip()
    if source.data[head:start].strip() or (rest and not rest.startswith(b"#")):
        return None
    return head, source.end_of(last)


def indentation_of(source: Source, statement: ast.stmt) -> str:
    """Return the white space before a statement that starts its line."""
    start = source.span(statement)[0]
    return source.data[source.line_start(start) : start].decode()


def unindented_lines(source: Source, first: ast.stmt, last: ast.stmt, remark: bool = True) -> list[str] | None:
    """Return the lines of statements without their indentation; None if a line is shared with other statements or
    starts inside a string.

    With `remark`, a comment after the last statement is included.
    """
    span = line_span(source, first, last)
    if span is None:
        return None
    data = source.data[span[0] : span[1] if remark else source.span(last)[1]]
    lines = [line.decode() for line in NEWLINE.split(data)]
    if len(lines) > 1 and _has_long_string(source, first, last):
        return None
    space = indentation_of(source, first)
    if any(line.strip() and not line.startswith(space) for line in lines):
        return None
    return [line[len(space) :] if line.strip() else "" for line in lines]


def replacement_edit(source: Source, first: ast.stmt, last: ast.stmt, lines: list[str]) -> tuple[int, int, str] | None:
    """Return the edit that replaces the lines of statements by `lines`, which are given without the first statement's
    indentation."""
    span = line_span(source, first, last)
    if span is None:
        return None
    space = indentation_of(source, first)
    return (*span, source.newline.join(space + line if line else "" for line in lines))


def removal_edit(source: Source, first: ast.stmt, last: ast.stmt) -> tuple[int, int, str] | None:
    """Return the edit that removes the lines of statements, leaving `pass` if their block would be empty."""
    span = line_span(source, first, last)
    if span is None:
        return None
    found, place = block(source, first)
    if place == 0 and last is found[-1]:
        return (*span, indentation_of(source, first) + "pass")
    end = NEWLINE.search(source.data, span[1])
    if last is not found[-1] and end is not None:
        return span[0], end.end(), ""
    before = source.span(found[place - 1])[1]
    return before + len(source.rest(before)), span[1], ""


def indented(unit: str, lines: list[str]) -> list[str]:
    return [unit + line if line else "" for line in lines]


def _has_long_string(source: Source, first: ast.stmt, last: ast.stmt) -> bool:
    found, place = block(source, first)
    for statement in found[place:]:
        for node in ast.walk(statement):
            if isinstance(node, ast.Constant | ast.JoinedStr) and node.lineno != node.end_lineno:
                return True
        if statement is last:
            break
    return False
