"""The failing statement of a test: its call, the expected result and the actual one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from aci.testing.suite_results import TestResult
from extensions.experiment.source.syntax_trees import UNREADABLE, parse_expression

MOST_VALUE, MOST_MESSAGE = 300, 6
"""Maximum number of characters of a value, and of lines of a message."""
RAISES = ("raises", "assertRaises", "assertRaisesRegex")
EQUAL = re.compile(r"assert(?:\w*Equals?|Is)")
EXPECTED = re.compile(r"(?i)expected|want(?:ed)?|correct|answer")
COMPOUND = ast.With | ast.For | ast.While | ast.If | ast.Try
ASSERTION_ERRORS = ("AssertionError", "Failed", "")


def statements_until(body: Sequence[ast.stmt], line: int) -> Iterator[ast.stmt]:
    """Yield the statements before a line and the one at it, which may be a block that contains the line."""
    for statement in body:
        if statement.lineno > line:
            return
        if statement.lineno <= line <= (statement.end_lineno or 0):
            if _is_subtest(statement):
                yield from statements_until(statement.body, line)  # type: ignore[attr-defined]
            else:
                yield statement
            return
        yield statement


def describe_question(last: ast.stmt, line: int, result: TestResult) -> tuple[list[str], str, ast.stmt]:
    """Return the failing statement as lines without its assertion, the expected result, and the innermost statement at
    the line."""
    kind = expected_exception(last)
    if kind:
        asked = [one.test if isinstance(one, ast.Assert) else one for one in last.body]  # type: ignore[attr-defined]
        return [ast.unparse(one) for one in asked], f"{kind} is raised", last
    if not isinstance(last, COMPOUND):
        return *_simple_question(last, result), last
    blocks = (getattr(last, name, []) for name in ("body", "orelse", "finalbody"))
    block = next((one for one in blocks if one and one[0].lineno <= line <= (one[-1].end_lineno or 0)), [])
    *before, inner = list(statements_until(block, line)) or [ast.Pass()]
    lines, expected, innermost = describe_question(inner, line, result)
    lines = [*(ast.unparse(one) for one in before if is_shown(one)), *lines]
    if block is not last.body or isinstance(last, ast.Try):
        return lines, expected, innermost
    head = ast.unparse(_with_body(last)).rpartition("\n")[0]
    return [head, *(f"    {row}" for text in lines for row in text.splitlines())], expected, innermost


def describe_results(result: TestResult, last: ast.stmt, expected: str) -> tuple[str, str]:
    """Return the actual and the expected result, as values where the failure's message has them."""
    message = result.message.strip()
    if result.error not in ASSERTION_ERRORS:
        return shorten_message(message) or result.error, expected
    if "DID NOT RAISE" in message or message.endswith("not raised"):
        return "no exception is raised", expected
    said = re.sub(r"^AssertionError:? ?(?:assert )?", "", message).removeprefix("assert ")
    first = re.sub(r" is not (?:true|false)$", "", said.split("\n")[0])
    try:
        compared = parse_expression(first)
    except UNREADABLE:
        return "\n".join(line[:MOST_VALUE] for line in said.splitlines()[:MOST_MESSAGE]), expected
    if isinstance(compared, ast.Compare) and len(compared.ops) == 1:
        sides = [ast.unparse(compared.left), ast.unparse(compared.comparators[0])]
        if sides[0] == sides[1]:  # pytest cut both where they differ
            return "", expected
        found, wanted = reversed(sides) if _is_swapped(last) else sides
        return found, expected if is_literal(expected) and len(expected) <= MOST_VALUE else wanted
    return first[:MOST_VALUE], expected


def shorten_message(message: str) -> str:
    """Return the first and the last line of an exception's message."""
    lines = [line.strip()[:MOST_VALUE] for line in message.splitlines() if line.strip()]
    return "\n".join(dict.fromkeys((lines[0], lines[-1]))) if lines else ""


def expected_exception(statement: ast.stmt) -> str:
    """Return the exception that a `with` statement expects, or ""."""
    for item in statement.items if isinstance(statement, ast.With) else ():
        call = item.context_expr
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in RAISES and call.args:
            return ast.unparse(call.args[0])
    return ""


def is_shown(statement: ast.stmt) -> bool:
    """Return whether a statement before the failing one is more than a comment or an assertion."""
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    is_assertion = isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("assert")
    return not (is_text or is_assertion or isinstance(statement, ast.Assert) or expected_exception(statement))


def is_literal(value: str | ast.expr) -> bool:
    """Return whether an expression is a literal."""
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _simple_question(last: ast.stmt, result: TestResult) -> tuple[list[str], str]:
    if isinstance(last, ast.Assert):
        test = last.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.Is):
            left, right = _ordered(test.left, test.comparators[0])
            return [ast.unparse(left)], ast.unparse(right)
        return [ast.unparse(test)], "True"
    call = last.value if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) else None
    name = ast.unparse(call.func) if call else ""
    if call and EQUAL.fullmatch(name) and len(call.args) >= 2:
        left, right = _ordered(call.args[0], call.args[1])
        return [ast.unparse(left)], ast.unparse(right)
    if call and name in ("assertTrue", "assertFalse") and call.args:
        return [ast.unparse(call.args[0])], name.removeprefix("assert")
    if call and name.rpartition(".")[2] in RAISES and len(call.args) >= 2:
        asked_call = ast.Call(call.args[1], call.args[2:], [one for one in call.keywords if one.arg != "match"])
        return [ast.unparse(asked_call)], f"{ast.unparse(call.args[0])} is raised"
    if result.error in ASSERTION_ERRORS:
        return [ast.unparse(last)], ""
    return [ast.unparse(last.value if isinstance(last, ast.Assign) else last)], "no exception"


def _ordered(one: ast.expr, other: ast.expr) -> tuple[ast.expr, ast.expr]:
    """Return the expression that is asked about, then the expected one, which is closer to a literal."""
    return (other, one) if _expectation(one) > _expectation(other) else (one, other)


def _expectation(node: ast.expr) -> float:
    """Return how likely an expression is to be the expected value."""
    if is_literal(node):
        return 3.0
    if EXPECTED.search(ast.unparse(node)):
        return 2.0
    inner = list(ast.walk(node))
    has_literals = any(
        isinstance(part, ast.List | ast.Set | ast.Dict | ast.Tuple) and _is_filled(part) for part in inner
    )
    has_calls = any(isinstance(part, ast.Call) for part in inner)
    return 1.0 * has_literals - 0.5 * has_calls


def _is_filled(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Constant) for part in ast.iter_child_nodes(node))


def _is_swapped(last: ast.stmt) -> bool:
    """Return whether the test names the expected value first."""
    pair: Sequence[ast.expr] = ()
    if isinstance(last, ast.Assert) and isinstance(last.test, ast.Compare):
        pair = (last.test.left, last.test.comparators[0])
    elif isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        pair = last.value.args[:2]
    return len(pair) == 2 and _ordered(*pair)[0] is not pair[0]


def _is_subtest(statement: ast.stmt) -> bool:
    items = statement.items if isinstance(statement, ast.With) else []
    return any(ast.unparse(item.context_expr).startswith("subTest(") for item in items)


def _with_body(statement: ast.stmt) -> ast.stmt:
    """Return a block with `pass` as its only statement."""
    return type(statement)(**{**vars(statement), "body": [ast.Pass()], "orelse": []})
