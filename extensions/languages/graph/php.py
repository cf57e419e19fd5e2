"""Definition of the PHP language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aci.graph.parser import Language
from extensions.languages.graph._shared import text, type_name, unquoted

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = """
[(function_definition) (method_declaration)] @function
[(class_declaration) (interface_declaration) (trait_declaration) (enum_declaration)] @class
(comment) @comment

(function_call_expression function: [(name) (qualified_name)] @call)
[(member_call_expression) (nullsafe_member_call_expression) (scoped_call_expression)] @invocation
(object_creation_expression [(name) (qualified_name)] @call)
(attribute [(name) (qualified_name)] @call)

(base_clause [(name) (qualified_name)] @base)
(class_interface_clause [(name) (qualified_name)] @base)
(declaration_list (use_declaration [(name) (qualified_name)] @base))

(named_type [(name) (qualified_name)] @use)
(class_constant_access_expression . [(name) (qualified_name)] @use)
(binary_expression operator: "instanceof" right: [(name) (qualified_name)] @use)

[
  (namespace_use_declaration) (require_expression) (require_once_expression) (include_expression)
  (include_once_expression)
] @import
[(property_declaration) (property_promotion_parameter) (simple_parameter)] @binding
(assignment_expression right: (object_creation_expression)) @binding
[(function_definition return_type: (_)) (method_declaration return_type: (_))] @binding
"""


def grammar() -> object:
    import tree_sitter_php

    return tree_sitter_php.language_php()


def imports(node: Node, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield the imported names: `use A\\\\B\\\\C as D` binds D to C of `A\\\\B`; a required file is a star import."""
    if node.type != "namespace_use_declaration":
        argument = node.named_child(0)
        if argument and argument.type in ("string", "encapsed_string"):
            yield "*", unquoted(argument, data), "*"
        return
    group = node.child_by_field_name("body")
    prefix = text(node.named_child(0), data) + "\\" if group else ""
    for clause in (group or node).named_children:
        if clause.type == "namespace_use_clause":
            module, _, name = (prefix + text(clause.named_child(0), data)).lstrip("\\").rpartition("\\")
            yield text(clause.child_by_field_name("alias"), data) or name, module, name


def bindings(node: Node, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Yield the declared types of properties (`this.x`) and parameters, `$x = new Foo()`, and return types."""
    if node.type == "assignment_expression":
        created = node.child_by_field_name("right")
        target = text(node.child_by_field_name("left"), data).replace("?->", ".").replace("->", ".").lstrip("$")
        source = type_name(text(created.named_child(0) if created else None, data).lstrip("\\"))
        yield from [(target, source, True)] if source else ()
        return
    returned = node.child_by_field_name("return_type")
    source = type_name(text(returned or node.child_by_field_name("type"), data).lstrip("?\\"))
    if source and returned:
        yield "return", source, True
    elif source:
        elements = [one for one in node.named_children if one.type == "property_element"] or [node]
        owner = "" if node.type == "simple_parameter" else "this."
        for one in elements:
            yield owner + text(one.child_by_field_name("name"), data).lstrip("$"), source, True


language = Language("php", ("php", "phtml"), grammar, QUERY, imports, bindings)
