"""Whether a patch answers its test's own values, and nothing else: solved for the example, not for the issue."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

TRIVIAL = (None, True, False, "", ...)


def only_the_example(before: str, after: str, tests: Sequence[str]) -> int:
    """The line of `after` with a new condition that compares with values of the tests and answers one of them, where
    the tests hold no other value; 0 if there is none. Texts that are not Python have none."""
    try:
        known = {ast.dump(node) for node in ast.walk(ast.parse(before))}
        new = [node for node in ast.walk(ast.parse(after)) if ast.dump(node) not in known]
        wanted = set[object]().union(*(_values(ast.parse(test)) for test in tests))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0
    special = [(node, _special(node)) for node in new]
    answered = set[object]().union(*(values for _, values in special))
    if len(wanted) < 2 or not wanted <= answered:
        return 0
    return next((node.lineno for node, values in special if values and isinstance(node, ast.stmt | ast.expr)), 0)


def _special(node: ast.AST) -> set[object]:
    """The values that a condition compares with and the constant it answers with; none for any other node."""
    if isinstance(node, ast.If) and len(node.body) == 1 and isinstance(node.body[0], ast.Return | ast.Assign):
        condition, answer = node.test, node.body[0].value
    elif isinstance(node, ast.IfExp):
        condition, answer = node.test, node.body
    else:
        return set()
    compared = {value for part in ast.walk(condition) if isinstance(part, ast.Compare) for value in _values(part)}
    if not compared or answer is None or not _is_literal(answer):
        return set()
    return compared | _values(answer)


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def _values(tree: ast.AST) -> set[object]:
    """The constants in a tree that say something; docstrings do not."""
    words = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {value for node in _constants(tree) if id(node) not in words and (value := node.value) not in TRIVIAL}


def _constants(tree: ast.AST) -> Iterator[ast.Constant]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
