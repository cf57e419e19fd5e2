"""Definition of the C++ language. Headers in `.h` are also parsed as C++, whose grammar accepts nearly all of C."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aci.graph.parser import Language
from extensions.languages.graph.c import QUERY, bindings, imports

if TYPE_CHECKING:
    from tree_sitter import Node

OWN = """
(class_specifier body: (_)) @class
(alias_declaration) @class
(field_declaration declarator: (function_declarator)) @function
(field_declaration declarator: (pointer_declarator declarator: (function_declarator))) @function
(field_declaration declarator: (reference_declarator (function_declarator))) @function
(field_declaration_list (declaration declarator: (function_declarator)) @function)
(template_declaration (_) .) @decorated

(base_class_clause [(type_identifier) (qualified_identifier)] @base)
(base_class_clause (template_type name: (_) @base))
(new_expression type: [(type_identifier) (qualified_identifier)] @call)
(new_expression type: (template_type name: (_) @call))
(declaration type: (type_identifier) @call declarator: (init_declarator value: [(argument_list) (initializer_list)]))

(template_argument_list (type_descriptor type: (type_identifier) @use))
(template_type name: (type_identifier) @use)
(field_expression argument: (this)) @name
"""

_TEMPLATE = re.compile(r"<[^<>]*>")


def grammar() -> object:
    import tree_sitter_cpp

    return tree_sitter_cpp.language()


def named(node: Node, data: bytes) -> str:
    """Return `A.out` for `ns::A<T>::out`, the same name as in the class; namespaces are left out."""
    declarator = node.child_by_field_name("declarator")
    while declarator and declarator.type in ("pointer_declarator", "reference_declarator", "function_declarator"):
        last = declarator.named_child(declarator.named_child_count - 1)
        declarator = declarator.child_by_field_name("declarator") or last
    if declarator is None or declarator.type != "qualified_identifier":
        return ""
    written = data[declarator.start_byte : declarator.end_byte].decode("utf-8", "replace")
    return ".".join("".join(_TEMPLATE.sub("", written).split()).split("::")[-2:])


EXTENSIONS = ("cc", "cpp", "cxx", "h", "hh", "hpp", "hxx")
language = Language("cpp", EXTENSIONS, grammar, QUERY + OWN, imports, bindings, named)
