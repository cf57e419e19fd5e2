"""Where a statement stands: its block, the statements around it, its lines without their indentation."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from agent.repair.source import NEWLINE, Definition, Source

Compound = ast.If | ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith | ast.Try | ast.Match
Loop = ast.For | ast.AsyncFor | ast.While
BLOCKS = ("body", "orelse", "finalbody")
BUILTINS = frozenset(dir(builtins))


def block(source: Source, statement: ast.stmt) -> tuple[list[ast.stmt], int]:
    """The list of statements that one stands in, and its place there; an `elif` stands in none."""
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


def around(source: Source, statement: ast.stmt) -> Iterator[ast.AST]:
    """What a statement stands in, the nearest first, up to its function's definition, which is the last."""
    node = source.parents.get(statement)
    while node is not None:
        yield node
        if isinstance(node, Definition | ast.ClassDef | ast.Module):
            return
        node = source.parents.get(node)


def in_loop(source: Source, statement: ast.stmt) -> bool:
    return any(isinstance(node, Loop) for node in around(source, statement))


def in_function(source: Source, statement: ast.stmt) -> bool:
    return any(isinstance(node, Definition) for node in around(source, statement))


def is_docstring(statement: ast.stmt) -> bool:
    """Whether it is a text that stands for itself."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def is_last(source: Source, statement: ast.stmt) -> bool:
    """Whether no statement of its block follows, so that inserting before the next cannot reach that place."""
    found, place = block(source, statement)
    return bool(found) and place == len(found) - 1


def jumps(statement: ast.stmt) -> bool:
    """Whether it holds a `break` or `continue` of a loop that it stands in."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Break | ast.Continue):
            return True
        if not isinstance(node, Loop | Definition | ast.ClassDef):
            waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]
    return False


def owner(source: Source, node: ast.AST) -> ast.ClassDef | None:
    """The class whose method this is in, however deep."""
    found = source.parents.get(node)
    while found is not None and not isinstance(found, ast.ClassDef):
        found = source.parents.get(found)
    return found


def is_movable(statement: ast.stmt) -> bool:
    """Whether a statement may stand elsewhere in its function without meaning another scope."""
    kinds = Definition | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal
    return not isinstance(statement, kinds)


def whole(source: Source, first: ast.stmt, last: ast.stmt) -> tuple[int, int] | None:
    """The bytes from the start of a statement's line to the end of another of its block and of a comment after that,
    which is about it (`# noqa`, `# type: ignore`); None where they share a line with others."""
    start, end = source.span(first)[0], source.span(last)[1]
    head = source.line_start(start)
    rest = source.rest(end).strip()
    if source.data[head:start].strip() or (rest and not rest.startswith(b"#")):
        return None
    return head, source.end_of(last)


def margin(source: Source, statement: ast.stmt) -> str:
    """The white space before a statement that begins its line."""
    start = source.span(statement)[0]
    return source.data[source.line_start(start) : start].decode()


def bare(source: Source, first: ast.stmt, last: ast.stmt, remark: bool = True) -> list[str] | None:
    """Whole lines of statements without their margin, with `remark` a comment after the last too; None where a line is
    shared or begins inside a string."""
    span = whole(source, first, last)
    if span is None:
        return None
    data = source.data[span[0] : span[1] if remark else source.span(last)[1]]
    lines = [line.decode() for line in NEWLINE.split(data)]
    if len(lines) > 1 and _has_long_string(source, first, last):
        return None
    space = margin(source, first)
    if any(line.strip() and not line.startswith(space) for line in lines):
        return None
    return [line[len(space) :] if line.strip() else "" for line in lines]


def in_place(source: Source, first: ast.stmt, last: ast.stmt, lines: list[str]) -> tuple[int, int, str] | None:
    """The edit that puts lines, bare of the first one's margin, in the place of statements' whole lines."""
    span = whole(source, first, last)
    if span is None:
        return None
    space = margin(source, first)
    return (*span, source.newline.join(space + line if line else "" for line in lines))


def taken_out(source: Source, first: ast.stmt, last: ast.stmt) -> tuple[int, int, str] | None:
    """The edit that takes the whole lines of statements out; `pass` stays where their block would be empty."""
    span = whole(source, first, last)
    if span is None:
        return None
    found, place = block(source, first)
    if place == 0 and last is found[-1]:
        return (*span, margin(source, first) + "pass")
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
