"""Special cases in other languages than Python: new conditions that compare with values of the tests only, and then
give the values that these expect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from aci.graph.parser import node_text, parse_syntax, walk
from aci.proof.evidence import is_in_prose

if TYPE_CHECKING:
    from tree_sitter import Node

CHOICES = frozenset(
    {
        *("if_statement", "if_expression", "if", "if_modifier"),
        *("ternary_expression", "conditional_expression", "conditional"),
    }
)
FUNCTIONS = frozenset(
    {
        *("function_declaration", "method_declaration", "function_item", "method_definition", "function_definition"),
        *("function_expression", "arrow_function", "method", "singleton_method", "func_literal"),
    }
)
COLLECTIONS = re.compile(r"array|list|slice|tuple|literal_value|token_tree")
LITERAL = re.compile(r"string|number|integer|int|float|decimal|char|rune|bytes")
SINGLETONS = frozenset({"true", "false", "boolean", "boolean_literal", "null", "null_literal", "nil", "undefined"})
NAME = re.compile(r"identifier|constant|variable|^name$")
EQUALITY = re.compile(r"===?")
BOTH = re.compile(r"&&|and")
WRAPPERS = frozenset(
    {"parenthesized_expression", "block", "statement_list", "statement_block", "compound_statement"}
) | {
    *(
        "expression_statement",
        "return_statement",
        "return_expression",
        "return",
        "expression_list",
        "then",
        "body_statement",
    ),
    *("else_clause", "expression_case", "argument_list"),
}
"""Nodes that only wrap another node."""
SINGLETON = "\0"
"""The constants for booleans and null, which many functions return."""
EDGES = frozenset({"", "0", "1", "0.0", "1.0", SINGLETON})


class SpecialCase(NamedTuple):
    """The values that a new condition compares with, those that it then gives, its line, and whether the function may
    be one that lists such values."""

    values: frozenset[str]
    answers: frozenset[str]
    line: int
    is_doubtful: bool


def find_special_case(language: str, before: bytes, after: bytes, tests: Sequence[Sequence[Node]], issue: str) -> int:
    """Return the line of a new condition that compares with values of the tests and gives what they expect, if such
    conditions handle every test; else 0.

    Conditions that compare only with 0, 1, booleans or null, or with one value that the issue names in its prose, and
    those in a new function or one that gave constants before, do not count: they may be an edge case, or one more entry
    of a list. A boolean or null, which tests may expect without naming it, counts for values that the issue does not
    name, in a function that compared with no constants before.
    """
    cases = [one for one in _special_cases(language, before, after) if not one.is_doubtful]
    held = [frozenset(value for node in nodes for value in _shown_values(node)) for nodes in tests]
    sure = [one for one in cases if not _is_named(one, issue)]
    found = [next((one for one in sure if one.values | one.answers - {SINGLETON} <= values), None) for values in held]
    return found[0].line if found and all(found) and found[0] else 0


def _is_named(case: SpecialCase, issue: str) -> bool:
    """Whether an issue names the value of a special case, or one of the values if it gives a boolean or null."""
    named = [is_in_prose(issue, value) for value in case.values - {SINGLETON}]
    return any(named) if case.answers == {SINGLETON} else len(named) == 1 and all(named)


def _special_cases(language: str, before: bytes, after: bytes) -> Iterator[SpecialCase]:
    old, new = parse_syntax(language, before), parse_syntax(language, after)
    known = {_words(node) for node in walk(old) if node.type in CHOICES}
    functions = {node_text(node.child_by_field_name("name")): node for node in walk(old) if node.type in FUNCTIONS}
    for node in walk(new):
        if node.type not in CHOICES or _words(node) in known:
            continue
        condition = node.child_by_field_name("condition")
        body = node.child_by_field_name("consequence") or node.child_by_field_name("body")
        values = _compared(condition) if condition is not None else None
        answers = _constants(_only(body)) if body is not None else None
        if values and answers:
            earlier = functions.get(_function_name(node))
            is_listed = _gives_constants if answers != {SINGLETON} else _gives_or_compares_constants
            is_doubtful = earlier is None or is_listed(earlier) or values <= EDGES
            yield SpecialCase(values, answers, node.start_point[0] + 1, is_doubtful)


def _only(node: Node) -> Node:
    """Return the one node that a block, a statement or parentheses consist of."""
    while node.type in WRAPPERS:
        inner = [child for child in node.named_children if "comment" not in child.type]
        if len(inner) != 1:
            break
        node = inner[0]
    return node


def _compared(condition: Node) -> frozenset[str] | None:
    """Return the values that a condition compares with for equality; None if it is another condition."""
    waiting = [condition]
    found: set[str] = set()
    while waiting:
        node = _only(waiting.pop())
        if BOTH.fullmatch(_operator(node)):
            waiting += _parts(node)
        elif values := _equal_constants(node):
            found |= values
        else:
            return None
    return frozenset(found)


def _parts(node: Node) -> list[Node]:
    return [child for child in node.named_children if "comment" not in child.type]


def _operator(node: Node) -> str:
    """Return the operator between the two parts of an expression; "" if it has not two."""
    is_binary = len(_parts(node)) == 2
    return "".join(node_text(child) for child in node.children if not child.is_named).strip() if is_binary else ""


def _equal_constants(node: Node) -> frozenset[str] | None:
    """Return the constants that an expression compares with for equality; None if it is another expression."""
    if not EQUALITY.fullmatch(_operator(node)):
        return None
    return next((values for part in _parts(node) if (values := _constants(part)) is not None), None)


def _gives_or_compares_constants(function: Node) -> bool:
    """Whether a function gives constants, or compares with some for equality that are no edge cases."""
    return _gives_constants(function) or any(not (_equal_constants(node) or EDGES) <= EDGES for node in walk(function))


def _constants(node: Node) -> frozenset[str] | None:
    """Return the literals of an expression that consists of them; None if it has a name."""
    if any(NAME.search(leaf.type) and not _is_singleton(leaf) for leaf in walk(node) if not leaf.child_count):
        return None
    return frozenset(_literals(node)) or None


def _literals(node: Node) -> Iterator[str]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if _is_singleton(each):
            yield SINGLETON
        elif LITERAL.search(each.type) and not COLLECTIONS.search(each.type) and each.is_named:
            yield re.sub(r"(?<=\d)_?[iuf](?:8|16|32|64|128|size)$", "", node_text(each).strip("\"'`"))
        else:
            waiting += each.named_children


def _is_singleton(node: Node) -> bool:
    return node.is_named and (node.type in SINGLETONS or (node.type == "identifier" and node.text == b"None"))


def _shown_values(test: Node) -> Iterator[str]:
    """Yield the literals of a test, and the sizes of its collections and strings."""
    for value in _literals(test):
        yield value
        yield str(len(value))
    for node in walk(test):
        if COLLECTIONS.search(node.type):
            yield str(len(list(_literals(node))))


def _gives_constants(function: Node) -> bool:
    """Whether a function returns a constant, or chooses by values, as a list of special cases does."""
    for node in walk(function):
        if "return" in node.type and node.named_children and not (_constants(_only(node)) or EDGES) <= EDGES:
            return True
        if re.search(r"switch|match_expression|^case$|_case$", node.type):
            return True
    return False


def _function_name(node: Node) -> str:
    above: Node | None = node
    while above is not None and not (above.type in FUNCTIONS and above.child_by_field_name("name")):
        above = above.parent
    return node_text(above.child_by_field_name("name")) if above is not None else ""


def _words(node: Node) -> bytes:
    return b" ".join((node.text or b"").split())
