"""Definition of the Java language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aci.graph.parser import Language
from extensions.languages.graph._shared import text, type_name

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = """
[(method_declaration) (constructor_declaration) (compact_constructor_declaration)] @function
(annotation_type_element_declaration) @function
[
  (class_declaration) (interface_declaration) (enum_declaration) (record_declaration) (annotation_type_declaration)
] @class
[(line_comment) (block_comment)] @comment

(method_invocation) @invocation
(object_creation_expression type: [(type_identifier) (scoped_type_identifier)] @call)
(object_creation_expression type: (generic_type . (_) @call))
(explicit_constructor_invocation constructor: (_) @call)
(annotation name: (_) @call)
(marker_annotation name: (_) @call)

(superclass [(type_identifier) (scoped_type_identifier)] @base)
(superclass (generic_type . (_) @base))
(type_list [(type_identifier) (scoped_type_identifier)] @base)
(type_list (generic_type . (_) @base))

[
  (field_declaration type: (type_identifier) @use) (local_variable_declaration type: (type_identifier) @use)
  (formal_parameter type: (type_identifier) @use) (method_declaration type: (type_identifier) @use)
  (type_arguments (type_identifier) @use) (cast_expression type: (type_identifier) @use)
  (class_literal (type_identifier) @use) (instanceof_expression right: (type_identifier) @use)
  (catch_type (type_identifier) @use) (throws (type_identifier) @use) (array_type element: (type_identifier) @use)
  (generic_type . (type_identifier) @use)
]
(field_access) @name
(method_reference . (_) . (identifier)) @use

(import_declaration) @import
[
  (field_declaration) (local_variable_declaration) (formal_parameter) (enhanced_for_statement) (resource)
  (method_declaration)
] @binding
"""


def grammar() -> object:
    import tree_sitter_java

    return tree_sitter_java.language()


def imports(node: Node, data: bytes) -> Iterator[tuple[str, str, str]]:
    written = text(node.named_child(0), data)
    if node.named_children[-1].type == "asterisk":
        yield "*", written, "*"
    else:
        module, _, name = written.rpartition(".")
        yield name, module, name


def bindings(node: Node, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Yield the declared types of fields (`this.x`), variables and parameters, and the return types of methods."""
    source = type_name(text(node.child_by_field_name("type"), data))
    if node.type == "method_declaration":
        if source and source != "void":
            yield "return", source, True
        return
    names = [one.child_by_field_name("name") for one in node.children_by_field_name("declarator")]
    for name in names or [node.child_by_field_name("name")]:
        if source == "var":
            source = _constructed_type(node, data)
        if name and source:
            yield ("this." if node.type == "field_declaration" else "") + text(name, data), source, True


def _constructed_type(node: Node, data: bytes) -> str:
    """Return `Foo` for `var x = new Foo()`."""
    declarator = node.child_by_field_name("declarator")
    value = declarator.child_by_field_name("value") if declarator else None
    return type_name(text(value.child_by_field_name("type"), data)) if value else ""


language = Language("java", ("java",), grammar, QUERY, imports, bindings)
