"""Go: methods are named with the type of their receiver, `Type.Method`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aci.graph.parser import Language
from extensions.languages.graph._shared import text, type_name, unquoted

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = """
[(function_declaration) (method_declaration) (method_elem)] @function
[(type_spec) (type_alias)] @class
(type_declaration . [(type_spec) (type_alias)] .) @decorated
(comment) @comment

(call_expression function: (_) @call)
(composite_literal type: [(type_identifier) (qualified_type)] @call)
(composite_literal type: (generic_type type: (_) @call))

(field_declaration !name type: [(type_identifier) (qualified_type)] @base)
(field_declaration !name type: (generic_type type: (_) @base))
(interface_type (type_elem [(type_identifier) (qualified_type)] @base))

[
  (parameter_declaration type: (type_identifier) @use) (pointer_type (type_identifier) @use)
  (slice_type (type_identifier) @use) (map_type value: (type_identifier) @use) (var_spec type: (type_identifier) @use)
  (field_declaration name: (_) type: (type_identifier) @use) (function_declaration result: (type_identifier) @use)
  (method_declaration result: (type_identifier) @use) (type_conversion_expression type: (type_identifier) @use)
  (type_assertion_expression type: (type_identifier) @use) (qualified_type) @use
]
(selector_expression) @name
(argument_list (identifier) @name)
(literal_element (identifier) @name)
(expression_list (identifier) @name)

(import_spec) @import
[(short_var_declaration) (var_spec) (parameter_declaration) (field_declaration)] @binding
(function_declaration result: (_) @binding)
(method_declaration result: (_) @binding)
"""

_VERSION = re.compile(r"v\d+")


def grammar() -> object:
    import tree_sitter_go

    return tree_sitter_go.language()


def named(node: Node, data: bytes) -> str:
    receiver = node.child_by_field_name("receiver")
    parameter = receiver.named_child(0) if receiver else None
    if parameter is None:
        return ""
    owner = type_name(text(parameter.child_by_field_name("type"), data))
    return f"{owner}.{text(node.child_by_field_name('name'), data)}" if owner else ""


def imports(node: Node, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield the imported package, which is bound to the last part of its path, ignoring a version."""
    path, alias = unquoted(node.child_by_field_name("path"), data), text(node.child_by_field_name("name"), data)
    parts = path.split("/")
    last = parts[-2] if len(parts) > 1 and _VERSION.fullmatch(parts[-1]) else parts[-1]
    yield ("*", path, "*") if alias == "." else ("" if alias == "_" else alias or last, path, "")


def bindings(node: Node, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Yield the bindings of `x := NewFoo()`, `x := &Foo{}`, and declared variables, parameters and fields.

    The first result of a function is bound to `return`.
    """
    if node.type == "short_var_declaration":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        for target, value in zip(
            left.named_children if left else (), right.named_children if right else (), strict=False
        ):
            if source := _value_source(value, data):
                yield text(target, data), source, True
        return
    if names := node.children_by_field_name("name"):
        source = type_name(text(node.child_by_field_name("type"), data))
        yield from ((text(name, data), source, True) for name in names if source)
    elif node.type not in ("parameter_declaration", "field_declaration"):
        source = type_name(text(node, data).lstrip("(").partition(",")[0])
        yield from [("return", source, True)] if source else ()


def _value_source(value: Node, data: bytes) -> str:
    if value.type == "unary_expression":
        value = value.named_child(0) or value
    source = value.child_by_field_name("function") or value.child_by_field_name("type")
    return type_name(text(source, data)) if source else ""


language = Language("go", ("go",), grammar, QUERY, imports, bindings, named)
