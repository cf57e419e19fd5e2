"""Schema checks for the answers of a workspace process that also runs untrusted code under test.

Parts of an answer are source code that is written into a test file, so each must be the requested code or a plain
literal.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

KINDS = {"returned", "raised", "late", "died", "harm", "setup"}
CLAIMS = {"equal", "is", "close", "nan", "isa"}
DRAWN = 30
"""Maximum number of items taken from lazy values; the same as in `extensions/testgen/guest/exercise_server.py`."""
LONGEST_ANSWER_TEXT, MOST_LINE = 2000, 10**7
SUFFIX = re.compile(r"(?:\.[A-Za-z]\w*|\[\d+\])*", re.ASCII)
"""Steps from a value to one of its parts."""
HUGE = 10**60
"""Smallest absolute value of integers that are not written into tests; Python refuses to format numbers of more than a
few thousand digits."""
MADE = {
    "len", "type", "list", "tuple", "str", "int", "float", "bytes", "set", "frozenset", "repr", "complex", "bytearray",
    "map",
}  # fmt: skip
"""Functions that an assertion may call."""
LITERAL = (
    *(ast.Constant, ast.Name, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.USub, ast.UAdd),
    *(ast.Load, ast.Subscript, ast.Slice, ast.Attribute, ast.Call, ast.Expression),
)


def has_huge(node: ast.AST) -> bool:
    """Whether the code contains an integer of at least HUGE, which may be written as a hexadecimal literal."""
    values = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant))
    return any(isinstance(one, int) and abs(one) >= HUGE for one in values)


def is_sound(lines: Sequence[str], call: str, answer: Mapping[str, Any]) -> bool:
    """Whether an answer about the case with these lines and this call is valid."""
    arcs, asserts = (answer.get(name, []) for name in ("arcs", "asserts"))
    names = (answer.get(name, "") for name in ("error", "name"))
    texts = (answer.get(name, "") for name in ("text", "function", "harm"))
    return (
        answer.get("kind") in KINDS
        and ("lines" not in answer or _matches_case(lines, call, answer["lines"], answer.get("call")))
        and _is_list(arcs, _is_step)
        and _is_list(asserts, _is_claim)
        and all(isinstance(one, str) and (not one or one.isidentifier()) for one in names)
        and all(isinstance(one, str) and len(one) <= LONGEST_ANSWER_TEXT for one in texts)
        and _is_line(answer.get("line", 0))
    )


def _matches_case(lines: Sequence[str], call: str, kept: Any, answered_call: Any) -> bool:
    """Whether `kept` are the first lines of the case and `answered_call` is its call or the expression in the next
    line."""
    if not isinstance(kept, list) or kept != list(lines[: len(kept)]):
        return False
    calls = [call]
    if len(kept) < len(lines):
        following = lines[len(kept)]
        calls = ["", following, following.partition("=")[2].strip()]
    listed = (form for one in calls for form in (f"list({one})", f"list(islice({one}, {DRAWN}))"))
    return answered_call in [*calls, *listed]


def _is_list(value: Any, of: Any) -> bool:
    return isinstance(value, list) and all(map(of, value))


def _is_line(value: Any) -> bool:
    return type(value) is int and abs(value) <= MOST_LINE


def _is_step(value: Any) -> bool:
    return _is_list(value, _is_line) and len(value) == 2


def _is_claim(value: Any) -> bool:
    if not _is_texts(value, 3):
        return False
    kind, expression, text = value
    return kind in CLAIMS and _is_plain(expression) and (_is_plain(text) if kind != "nan" else not text)


def _is_plain(text: str) -> bool:
    """Whether the text is one expression of literals, names, public attributes and allowed calls."""
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return "\n" not in text and all(isinstance(one, LITERAL) and _is_allowed(one) for one in nodes)


def _is_allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return not node.attr.startswith("_") or node.attr == "__name__"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "items" and not node.args and not node.keywords
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in MADE
    return True


def is_exploration(answer: Mapping[str, Any]) -> bool:
    """Whether an answer about an example is valid. Its texts become arguments, and its suffixes parts of calls."""
    return (
        isinstance(answer.get("about"), str)
        and _is_list(answer.get("calls"), lambda one: _is_texts(one, 4) and (not one[2] or _is_plain(one[2])))
        and _is_list(answer.get("objects"), lambda one: _is_texts(one, 2) and bool(SUFFIX.fullmatch(one[1])))
    )


def _is_texts(value: Any, count: int) -> bool:
    return _is_list(value, lambda one: isinstance(one, str) and len(one) <= LONGEST_ANSWER_TEXT) and len(value) == count


def is_offer(value: Mapping[str, Any]) -> bool:
    """Whether this is a valid description of a module (`guest/module_description.py`) with an importable name."""
    module, functions, classes = (value.get(name) for name in ("module", "functions", "classes"))
    return (
        isinstance(module, str)
        and all(part.isidentifier() for part in module.split("."))
        and _is_list(functions, _is_function)
        and _is_list(classes, _is_class)
        and all(_is_list(value.get(name), lambda one: isinstance(one, str)) for name in ("public", "shared"))
        and isinstance(value.get("enums"), dict)
        and all(_is_list(members, _is_member) for members in value["enums"].values())
    )


def _is_member(value: Any) -> bool:
    return isinstance(value, str) and all(part.isidentifier() for part in re.split(r"\.| \| ", value))


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str) and value["name"].isidentifier()


def _is_function(value: Any) -> bool:
    return _is_named(value) and isinstance(value.get("async"), bool) and _has_params(value)


def _is_class(value: Any) -> bool:
    return (
        _is_named(value)
        and _has_params(value)
        and _is_list(value.get("methods"), lambda one: _is_function(one) and isinstance(one.get("kind"), str))
        and _is_list(value.get("bases"), lambda one: isinstance(one, str))
        and all(isinstance(value.get(name), bool) for name in ("abstract", "error"))
    )


def _has_params(value: Mapping[str, Any]) -> bool:
    return value.get("params") is None or _is_list(value["params"], _is_parameter)


def _is_parameter(value: Any) -> bool:
    return (
        _is_named(value)
        and type(value.get("kind")) is int
        and isinstance(value.get("annotation"), str)
        and isinstance(value.get("default", None), str | None)
    )
