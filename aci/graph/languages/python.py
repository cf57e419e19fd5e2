"""Python, versions 2 and 3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from aci.graph.parser import Language

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = """
(function_definition) @function
(class_definition) @class
(decorated_definition) @decorated
(comment) @comment
(block . (expression_statement . (string) @doc))
(module (expression_statement . (string) @doc))

(call function: (identifier) @call)
(decorator [(identifier) (attribute)] @call)
(class_definition superclasses: (argument_list [
  (identifier) @base (attribute) @base
  (subscript value: [(identifier) (attribute)] @base)
  (call arguments: (argument_list (_) [(identifier) (attribute)] @base))
]))

(attribute) @member
[
  (argument_list (identifier) @name) (keyword_argument value: (identifier) @name)
  (assignment right: (identifier) @name) (return_statement (identifier) @name)
  (list (identifier) @name) (tuple (identifier) @name) (set (identifier) @name) (pair value: (identifier) @name)
  (default_parameter value: (identifier) @name) (typed_default_parameter value: (identifier) @name)
  (conditional_expression (identifier) @name) (boolean_operator (identifier) @name)
  (type (identifier) @name) (generic_type (identifier) @name) (class_pattern (dotted_name) @name)
  (except_clause value: (identifier) @name) (except_clause value: (as_pattern (identifier) @name))
  (raise_statement (identifier) @name) (lambda body: (identifier) @name)
]

[(import_statement) (import_from_statement)] @import

(assignment left: [(identifier) (attribute)] type: (type)) @binding
(assignment left: [(identifier) (attribute)]
  right: [(call) (identifier) (attribute) (await) (boolean_operator) (conditional_expression)]) @binding
(named_expression value: (call)) @binding
(as_pattern alias: (as_pattern_target (identifier))) @binding
[(typed_parameter) (typed_default_parameter)] @binding
(function_definition return_type: (type) @binding)
(return_statement [(call) (identifier) (attribute) (await) (boolean_operator) (conditional_expression)]) @binding
"""

_WRAPPERS = frozenset(("Optional", "Union", "Annotated", "ClassVar", "Final", "Required", "NotRequired"))
_NAME = re.compile(r"[^\W\d][\w.]*")
_SIMPLE_ASSIGNMENT = re.compile(rb"([A-Za-z_]\w*(?:\.\w+)*) ?= ?([A-Za-z_]\w*(?:\.\w+)*)(\([^()]*\))?")
"""Matches simple assignments, which are the majority and can be parsed without their syntax nodes."""


def grammar() -> object:
    import tree_sitter_python

    return tree_sitter_python.language()


def imports(node: Node, data: bytes) -> Iterator[tuple[str, str, str]]:
    if node.type == "import_statement":
        for child in node.named_children:
            module, alias = _name_and_alias(child, data)
            yield (alias, module, "") if alias else (module.partition(".")[0], module, "")
        return
    first, *rest = node.named_children
    module = _text(first, data)
    for child in rest:
        if child.type == "wildcard_import":
            yield "*", module, "*"
        elif child.type in ("dotted_name", "aliased_import"):
            name, alias = _name_and_alias(child, data)
            yield alias or name, module, name


def _name_and_alias(node: Node, data: bytes) -> tuple[str, str]:
    """Return the dotted name and its alias; the alias is "" if there is none."""
    if node.type == "aliased_import":
        name, alias = node.named_children[0], node.named_children[-1]
        return _text(name, data), _text(alias, data)
    return _text(node, data), ""


def bindings(node: Node, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Yield the bindings of assignments, annotations and `with`; returned values and types are bound to `return`."""
    kind = node.type
    if kind == "assignment":
        if simple := _SIMPLE_ASSIGNMENT.fullmatch(data, node.start_byte, node.end_byte):
            target, source, arguments = simple.groups()
            yield target.decode(), source.decode(), arguments is not None
            return
        yield from _target_bindings(node.child_by_field_name("left"), node, node.child_by_field_name("right"), data)
    elif kind == "type":
        yield from (("return", *one) for one in annotated(_text(node, data)))
    elif kind == "return_statement":
        yield from _value_bindings("return", node.named_child(0), data)
    elif kind == "as_pattern":
        yield from _as_bindings(node, data)
    else:
        name = node.child_by_field_name("name") or node.named_child(0)
        yield from _target_bindings(name, node, node.child_by_field_name("value"), data)


def _as_bindings(node: Node, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Yield the bindings of `with open(path) as file` and `except KeyError as error`."""
    value, target = node.named_child(0), _text(node.named_child(node.named_child_count - 1), data)
    if value and value.type == "call":
        yield from _value_bindings(target, value, data)
    elif node.parent and node.parent.type == "except_clause":
        yield from ((target, name, True) for name in _NAME.findall(_text(value, data)))


def _target_bindings(
    target: Node | None, node: Node, value: Node | None, data: bytes
) -> Iterator[tuple[str, str, bool]]:
    if target and target.type in ("identifier", "attribute"):
        if annotation := node.child_by_field_name("type"):
            yield from ((_text(target, data), *one) for one in annotated(_text(annotation, data)))
        else:
            yield from _value_bindings(_text(target, data), value, data)


def _value_bindings(target: str, value: Node | None, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Yield the binding of a target to a value; `await x`, `... or x` and `x if ... else ...` count as `x`."""
    while value and value.type in ("await", "boolean_operator", "conditional_expression"):
        value = value.named_child(1 if value.type == "boolean_operator" else 0)
    called = value is not None and value.type == "call"
    if value and called:
        value = value.child_by_field_name("function")
    if value and value.type in ("identifier", "attribute"):
        yield target, _text(value, data), called


@lru_cache(maxsize=10_000)
def annotated(written: str) -> tuple[tuple[str, bool], ...]:
    """Return the types that an annotation names, and whether the value is an instance of each: for `type[A]`, the value
    is `A` itself."""
    found: dict[tuple[str, bool], None] = {}
    rest = [written[:200].replace('"', "").replace("'", "")]
    while rest:
        text = rest.pop(0).strip()
        parts = _split(text, "|")
        name, _, inner = text.partition("[")
        last = name.strip().rpartition(".")[2]
        if len(parts) > 1:
            rest += parts
        elif inner and last in _WRAPPERS:
            arguments = _split(inner.rstrip()[:-1], ",")
            rest += arguments[:1] if last == "Annotated" else arguments
        elif inner and last in ("Type", "type"):
            found |= {(one, False): None for one in _NAME.findall(inner)[:1]}
        elif _NAME.fullmatch(name.strip()) and last != "None":
            found[name.strip(), True] = None
    return tuple(found)


def _split(text: str, separator: str) -> list[str]:
    """Split text at the separators outside of brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[(") - (letter in "])")
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _text(node: Node | None, data: bytes) -> str:
    return "" if node is None else data[node.start_byte : node.end_byte].decode("utf-8", "replace")


language = Language("python", ("py", "pyi", "pyx", "pxd"), grammar, QUERY, imports, bindings)
