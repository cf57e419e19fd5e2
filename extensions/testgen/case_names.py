"""Names of generated tests, which say what a test pins: the call, its outcome, and its arguments if they are short."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from extensions.testgen.answer_schema import has_huge
from extensions.testgen.module_exerciser import Case, CaseOutcome

LONGEST_CASE_NAME, LONGEST_VALUE = 70, 24
"""Maximum number of characters of a name with arguments, and of the words for a value."""
SHOWN_VALUE = re.compile(r"(?:str|repr|list|tuple|list\(map)?\(?(?:str, |repr, )?(\w+)\)*")
"""A name, alone or in a call that shows its value."""
SHOWING = {"list", "tuple", "islice", "str", "repr", "len"}
"""Functions around the call that a test is about."""
_CONTAINERS = {ast.List: "list", ast.Tuple: "tuple", ast.Set: "set", ast.Dict: "dict"}


def case_name(seen: CaseOutcome) -> str:
    """Return a name such as `test_shorten_returns_aa_for_aaa_and_2`. Several cases may have the same name."""
    try:
        callee = _snake(_callee(seen.case).replace("__", "")) or "call"
        outcome, arguments = _outcome(seen), _arguments(seen.case.call)
    except RecursionError:  # the case has deeply nested values
        callee, outcome, arguments = _snake(seen.case.about), "", ""
    name = "_".join(filter(None, ("test", callee, outcome)))
    full = f"{name}_for_{arguments}"
    return full if arguments and len(full) <= LONGEST_CASE_NAME else name


def _callee(case: Case) -> str:
    """Return the dotted name of what the call calls; a mutation may have exchanged the callee of the case."""
    owner, _, name = case.about.rpartition(".")
    call = _shown_call(case.call)
    if owner and isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and name != "__call__":
        return f"{owner}.{call.func.attr}"
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == owner:
        return owner
    return case.about


def _outcome(seen: CaseOutcome) -> str:
    """Return words for the outcome; empty if the test has its own assertions or none that is short."""
    if seen.kind == "raised":
        return f"raises_{_snake(seen.error)}"
    for kind, expression, text in sorted(seen.asserts, key=lambda one: one[1] != "result"):
        if isinstance(_parse(seen.case.call), ast.Compare):
            return ""
        value = "nan" if kind == "nan" else _value(_parse(text))
        shown = SHOWN_VALUE.fullmatch(expression)
        if shown and shown[1] == "result":
            return f"returns_{value}" if value else "returns_value"
        subject = _snake(shown[1] if shown else expression.removeprefix("result"))
        return "_".join(filter(None, ("gives", subject, value)))
    return ""


def _arguments(call: str) -> str:
    """Return words for the arguments of a call; empty if it has none, or one that cannot be named."""
    node = _shown_call(call)
    if not isinstance(node, ast.Call):
        return ""
    values = [_value(one) for one in (*node.args, *(each.value for each in node.keywords))]
    return "_and_".join(values) if all(values) else ""


def _shown_call(call: str) -> ast.expr | None:
    """Return the call without functions around it that show its result."""
    node = _parse(call)
    while (
        isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Call) and _code(node.func) in SHOWING
    ):
        node = node.args[0]
    return node


def _value(node: ast.expr | None) -> str:
    """Return words for a value; empty if there are no short ones."""
    if isinstance(node, ast.Constant):
        return "large_number" if has_huge(node) else _constant(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inside = _value(node.operand)
        return f"minus_{inside}" if inside else ""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return _container(_CONTAINERS[type(node)], node.elts)
    if isinstance(node, ast.Dict):
        return _container("dict", node.values)
    if isinstance(node, ast.Call):
        name, inside = _code(node.func), "_".join(map(_value, node.args[:1]))
        return "_".join(filter(None, (name, inside)))[:LONGEST_VALUE].strip("_")
    return _code(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def _code(node: ast.expr) -> str:
    """Return words for code; empty if Python refuses to write it, because a number in it has too many digits."""
    return "" if has_huge(node) else _snake(ast.unparse(node))


def _container(kind: str, elements: Sequence[ast.expr]) -> str:
    return f"{kind}_of_{len(elements)}" if elements else f"empty_{kind}"


def _constant(value: object) -> str:
    if isinstance(value, str | bytes):
        kind = "text" if isinstance(value, str) else "bytes"
        words = _snake(value if isinstance(value, str) else value.decode("latin-1"))
        return words[:LONGEST_VALUE].strip("_") or (kind if value else f"empty_{kind}")
    return _snake(str(value).replace("-", "minus "))[:LONGEST_VALUE].strip("_")


def _snake(text: str) -> str:
    """Return the ASCII letters and digits of a text as words in snake_case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _parse(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
