"""C."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aci.graph.parser import Language
from extensions.languages.graph._shared import text, type_name, unquoted

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = """
(function_definition) @function
(preproc_function_def) @function
[(struct_specifier body: (_)) (union_specifier body: (_)) (enum_specifier name: (_) body: (_))] @class
(type_definition type: [(struct_specifier !name) (union_specifier !name) (enum_specifier !name)]) @class
(comment) @comment

(call_expression function: (_) @call)

[
  (parameter_declaration type: (type_identifier) @use) (declaration type: (type_identifier) @use)
  (field_declaration type: (type_identifier) @use) (function_definition type: (type_identifier) @use)
  (struct_specifier name: (type_identifier) @use !body) (type_descriptor type: (type_identifier) @use)
]
(argument_list (identifier) @name)
(initializer_pair value: (identifier) @name)
(initializer_list (identifier) @name)
(assignment_expression right: (identifier) @name)
(pointer_expression argument: (identifier) @name)

(preproc_include) @import
[(declaration) (parameter_declaration) (field_declaration)] @binding
"""


def grammar() -> object:
    import tree_sitter_c

    return tree_sitter_c.language()


def imports(node: Node, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield a star import for an included header."""
    yield "*", unquoted(node.child_by_field_name("path"), data), "*"


def bindings(node: Node, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Yield the bindings of variables, parameters and fields to their types."""
    kind = node.child_by_field_name("type")
    source = type_name(text(kind.child_by_field_name("name") or kind, data)) if kind else ""
    for declarator in node.children_by_field_name("declarator") if source not in ("", "auto") else ():
        inner: Node | None = declarator
        while inner and inner.type in ("pointer_declarator", "init_declarator", "reference_declarator"):
            inner = inner.child_by_field_name("declarator") or inner.named_child(0)
        if inner and inner.type in ("identifier", "field_identifier"):
            yield text(inner, data), source, True


language = Language("c", ("c",), grammar, QUERY, imports, bindings)
