"""Operators at what a function promises: guards, defaults of parameters, and types of exceptions."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from extensions.lab.synthesis.operators.function_code import Code, Edits
from extensions.lab.synthesis.operators.statement_changes import remove_statement

RELATED = {
    "KeyError": ("IndexError", "LookupError"),
    "IndexError": ("KeyError", "ValueError"),
    "LookupError": ("ValueError",),
    "TypeError": ("ValueError", "AttributeError"),
    "ValueError": ("TypeError", "KeyError"),
    "AttributeError": ("KeyError", "TypeError"),
    "StopIteration": ("IndexError", "ValueError"),
    "ImportError": ("ValueError",),
    "RuntimeError": ("ValueError",),
    "NotImplementedError": ("ValueError",),
    "OSError": ("ValueError",),
    "Exception": ("ValueError",),
}


def dropped_guard(code: Code) -> Iterator[Edits]:
    """Omit an `if` statement that returns or raises early."""
    for statement in code.statements:
        is_guard = isinstance(statement, ast.If) and not statement.orelse
        if is_guard and isinstance(statement.body[-1], ast.Return | ast.Raise):  # type: ignore[attr-defined]
            yield from remove_statement(code, statement)


def changed_default(code: Code) -> Iterator[Edits]:
    """Change the default of a parameter to another value of the same type."""
    arguments = code.node.args
    for node in (*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)):
        if isinstance(node, ast.Constant):
            yield from (((*code.source.span(node), text),) for text in _other_values(code, node.value))


def _other_values(code: Code, value: object) -> list[str]:
    if isinstance(value, bool):
        return [str(not value)]
    if isinstance(value, int | float):
        return [repr(value + 1), repr(value - 1)]
    if isinstance(value, str):
        nodes = (node.value for node in ast.walk(code.node) if isinstance(node, ast.Constant))
        others = [text for text in dict.fromkeys(nodes) if isinstance(text, str) and text != value and len(text) < 20]
        return [repr(text) for text in others]
    return []


def wrong_exception(code: Code) -> Iterator[Edits]:
    """Raise or catch another exception, or only one of several."""
    for statement in code.statements:
        if isinstance(statement, ast.Raise) and statement.exc is not None:
            called = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
            yield from _other_types(code, called, _raised_types(code))
    for node in ast.walk(code.node):
        if not isinstance(node, ast.ExceptHandler) or node.type is None:
            continue
        if isinstance(node.type, ast.Tuple) and len(node.type.elts) > 1:
            yield from (((*code.source.span(node.type), code.text(one)),) for one in node.type.elts)
        else:
            yield from _other_types(code, node.type, [])


def _other_types(code: Code, node: ast.expr, own: list[str]) -> Iterator[Edits]:
    if isinstance(node, ast.Name):
        others = RELATED.get(node.id, own if node.id in own and not hasattr(builtins, node.id) else ())
        yield from (code.replace(node, name) for name in others if name != node.id)


def _raised_types(code: Code) -> list[str]:
    """Return the names of the exceptions that the file raises."""
    raised = (node.exc for node in ast.walk(code.source.tree) if isinstance(node, ast.Raise))
    called = (node.func for node in raised if isinstance(node, ast.Call))
    return sorted({node.id for node in called if isinstance(node, ast.Name)})
