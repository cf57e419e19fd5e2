"""Operators on nodes of tree-sitter, for languages that share the types and fields of most nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from aci.graph.parser import walk
from extensions.lab.synthesis.operators.calls import NEAREST, shift_number
from extensions.lab.synthesis.operators.function_code import Edits
from extensions.lab.synthesis.operators.syntax_code import BLOCKS, SyntaxCode, without_parentheses

if TYPE_CHECKING:
    from tree_sitter import Node

LEAVING = ("return_statement", "throw_statement", "continue_statement", "break_statement")
ASSIGNMENTS = ("assignment_statement", "inc_statement", "dec_statement")
ASSIGNMENT_EXPRESSIONS = ("assignment_expression", "augmented_assignment_expression", "update_expression")
CONDITIONAL = ("if_statement", "ternary_expression", "return_statement")
INTEGERS = ("int_literal", "number")
OF_POSITIONS = ("slice", "substring", "substr", "charAt", "charCodeAt", "splice", "at")
"""Methods whose arguments are positions."""
BOUNDARIES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
OPPOSITES = {"==": "!=", "!=": "==", "===": "!==", "!==": "===", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
DEFAULTS = ("assignment_pattern", "object_assignment_pattern")
VALUES = ("variable_declarator", "assignment_expression", "pair", "arguments", *DEFAULTS)
"""Where `x || 1` is a value with a default, not a condition."""

SyntaxOperator = Callable[[SyntaxCode], Iterator[Edits]]
"""Yields all possible mutations of a file; the caller picks some inside functions."""


def dropped_guard(code: SyntaxCode) -> Iterator[Edits]:
    """Omit an `if` statement without `else` that leaves early."""
    for node in code.nodes_of("if_statement"):
        body = node.child_by_field_name("consequence")
        while body is not None and body.type in BLOCKS:
            body = body.named_children[-1] if body.named_children else None
        if body is not None and body.type in LEAVING and node.child_by_field_name("alternative") is None:
            yield from _remove(code, node)


def dropped_condition(code: SyntaxCode) -> Iterator[Edits]:
    """Omit one of two conditions that `&&` or `||` joins."""
    for node in code.nodes_of("binary_expression"):
        left, sign, right = _binary(code, node)
        if sign in ("&&", "||") and _is_condition(node):
            yield (_replace(node, code.text(left)),)
            yield (_replace(node, code.text(right)),)


def negated_condition(code: SyntaxCode) -> Iterator[Edits]:
    """Negate the condition of an `if` statement or a conditional expression."""
    for node in code.nodes_of("if_statement", "ternary_expression"):
        condition = without_parentheses(_field(node, "condition"))
        if condition.type == "unary_expression" and code.text(condition).startswith("!"):
            yield (_replace(condition, code.text(condition)[1:].lstrip()),)
        elif condition.type == "binary_expression":
            operator = _field(condition, "operator")
            if (opposite := OPPOSITES.get(code.text(operator))) is not None:
                yield (_replace(operator, opposite),)
        elif condition.type in ("identifier", "member_expression", "selector_expression", "call_expression"):
            yield (_replace(condition, f"!{code.text(condition)}"),)


def changed_comparison(code: SyntaxCode) -> Iterator[Edits]:
    """Include or exclude the bound of a comparison."""
    for node in code.nodes_of("binary_expression"):
        operator = _field(node, "operator")
        if (other := BOUNDARIES.get(code.text(operator))) is not None:
            yield (_replace(operator, other),)


def wrong_sibling_call(code: SyntaxCode) -> Iterator[Edits]:
    """Call another function of the same scope or type that has as many parameters, of the same types."""
    for node in code.nodes_of("call_expression"):
        called = _called(node)
        scope = _scope_of(code, called) if called and _is_own(code, node) else {}
        if called is None or not scope:
            continue
        name, around = code.text(called), code.function_at(node.start_byte)
        fitting = [one for one in scope if scope[one] == scope[name] and one not in (name, around and around.bare)]
        nearest = sorted(fitting, key=partial(_difference, name))[:NEAREST]
        yield from ((_replace(called, other),) for other in nearest)


def swapped_arguments(code: SyntaxCode) -> Iterator[Edits]:
    """Swap two adjacent arguments of a call of the repository's own function, of the same type if it is known."""
    for node in code.nodes_of("call_expression"):
        called = _called(node)
        if called is None or not _is_own(code, node):
            continue
        arguments, types = _arguments(node), _scope_of(code, called).get(code.text(called), ())
        for number, (one, other) in enumerate(pairwise(arguments)):
            is_alike = len(types) <= number + 2 or types[number] == types[number + 1]
            if is_alike and code.text(one) != code.text(other):
                yield _replace(one, code.text(other)), _replace(other, code.text(one))


def off_by_one_at_caller(code: SyntaxCode) -> Iterator[Edits]:
    """Pass a number, or use an index or a bound of a slice, that is off by one."""
    positions: list[Node] = []
    for node in code.nodes_of("call_expression"):
        called = _called(node)
        is_at_positions = called is not None and code.text(called) in OF_POSITIONS
        if is_at_positions or _is_own(code, node):
            positions += (one for one in _arguments(node) if is_at_positions or _is_number(code, one))
    for node in code.nodes_of("slice_expression"):
        positions += (one for name in ("start", "end") if (one := node.child_by_field_name(name)))
    for node in code.nodes_of("subscript_expression", "index_expression"):
        positions += (one for one in [_field(node, "index")] if _is_number(code, one))
    for one in positions:
        for step in (1, -1):
            yield (_replace(one, shift_number(code.text(one), step)),)


def changed_default(code: SyntaxCode) -> Iterator[Edits]:
    """Use another default of the same type."""
    for node in code.nodes_of(*DEFAULTS):
        yield from ((_replace(_field(node, "right"), text),) for text in _other_values(code, _field(node, "right")))
    for node in code.nodes_of("binary_expression"):
        _, sign, right = _binary(code, node)
        parent = node.parent
        while parent is not None and parent.type == "parenthesized_expression":
            parent = parent.parent
        if sign in ("||", "??") and parent is not None and parent.type in VALUES:
            yield from ((_replace(right, text),) for text in _other_values(code, right))


def lost_update(code: SyntaxCode) -> Iterator[Edits]:
    """Omit an assignment, except one of a function."""
    starts = [symbol.start for symbol in code.functions]
    for node in code.nodes_of("expression_statement", *ASSIGNMENTS):
        if node.type == "expression_statement" and node.named_children[0].type not in ASSIGNMENT_EXPRESSIONS:
            continue
        if not any(node.start_byte <= start < node.end_byte for start in starts):
            yield from _remove(code, node)


OPERATORS: dict[str, SyntaxOperator] = {
    operator.__name__: operator
    for operator in (
        wrong_sibling_call,
        swapped_arguments,
        off_by_one_at_caller,
        dropped_guard,
        dropped_condition,
        changed_default,
        changed_comparison,
        negated_condition,
        lost_update,
    )
}


def _replace(node: Node, text: str) -> tuple[int, int, str]:
    return node.start_byte, node.end_byte, text


def _remove(code: SyntaxCode, node: Node) -> Iterator[Edits]:
    """Yield the edit that omits a statement of a block; none if it shares its lines with other code."""
    is_in_block = node.parent is not None and node.parent.type in BLOCKS
    if is_in_block and (lines := code.lines(node)):
        yield ((*lines, ""),)


def _field(node: Node, name: str) -> Node:
    """Return a child by its field; the node itself where the file has an error."""
    return node.child_by_field_name(name) or node


def _binary(code: SyntaxCode, node: Node) -> tuple[Node, str, Node]:
    return _field(node, "left"), code.text(_field(node, "operator")), _field(node, "right")


def _is_condition(node: Node) -> bool:
    """Return whether an expression decides a branch or a result; conditions of loops are left alone, since a wrong one
    often hangs."""
    parent = node.parent
    while parent is not None and parent.type in (
        "parenthesized_expression", "binary_expression", "unary_expression", "expression_list"
    ):  # fmt: skip
        parent = parent.parent
    return parent is not None and parent.type in CONDITIONAL


def _called(call: Node) -> Node | None:
    """Return the name in a call: of the function, or of the method."""
    function = _field(call, "function")
    if function.type == "identifier":
        return function
    return function.child_by_field_name("property") or function.child_by_field_name("field")


def _is_own(code: SyntaxCode, call: Node) -> bool:
    called = _called(call)
    return called is not None and code.text(called) in code.called


def _arguments(call: Node) -> list[Node]:
    found = _field(call, "arguments").named_children
    is_spread = any(one.type in ("spread_element", "variadic_argument") for one in found)
    return [] if is_spread else [one for one in found if one.type != "comment"]


def _scope_of(code: SyntaxCode, called: Node) -> dict[str, tuple[str, ...]]:
    """Return the signatures of the functions in the scope that defines a called one; {} if none does, or several."""
    scopes = [scope for scope in code.signatures.values() if code.text(called) in scope]
    return scopes[0] if len(scopes) == 1 else {}


def _difference(one: str, other: str) -> float:
    return -SequenceMatcher(None, one, other).ratio()


def _is_number(code: SyntaxCode, node: Node) -> bool:
    """Return whether an expression is an integer for certain."""
    if node.type in INTEGERS:
        return code.text(node).isdigit()
    if node.type == "binary_expression":
        left, sign, right = _binary(code, node)
        return sign == "-" or (sign == "+" and (_is_number(code, left) or _is_number(code, right)))
    return code.text(node).endswith(".length") or code.text(node).startswith("len(")


def _other_values(code: SyntaxCode, node: Node) -> list[str]:
    """Return other literals of the type of a literal; strings are those of the same file."""
    text = code.text(node)
    if node.type in INTEGERS and text.isdigit():
        return [shift_number(text, step) for step in (1, -1)]
    if text in ("true", "false"):
        return ["false" if text == "true" else "true"]
    if node.type != "string":
        return []
    others = dict.fromkeys(code.text(one) for one in walk(code.root, is_named=True) if one.type == "string")
    return [other for other in others if other != text and len(other) < 20][:NEAREST]
