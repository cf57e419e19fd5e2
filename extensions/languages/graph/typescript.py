"""TypeScript without JSX; its grammar reads `<T>x` as a cast."""

from __future__ import annotations

from aci.graph.parser import Language
from extensions.languages.graph._ecmascript import QUERY, bindings, imports, named

OWN = """
[(interface_declaration) (abstract_class_declaration) (enum_declaration) (type_alias_declaration)] @class
(internal_module) @class
[(function_signature) (method_signature) (abstract_method_signature)] @function
(public_field_definition value: [(arrow_function) (function_expression)]) @function
(class_body (decorator) @before)

(extends_clause value: [(identifier) (member_expression)] @base)
(implements_clause [(type_identifier) (nested_type_identifier)] @base)
(implements_clause (generic_type name: (_) @base))
(extends_type_clause type: [(type_identifier) (nested_type_identifier)] @base)
(extends_type_clause type: (generic_type name: (_) @base))

(type_annotation [(type_identifier) (nested_type_identifier)] @name)
(type_arguments (type_identifier) @name)
(union_type (type_identifier) @name)
(array_type (type_identifier) @name)
(generic_type name: (_) @name)
(as_expression (type_identifier) @name)

[(required_parameter type: (_)) (optional_parameter type: (_))] @binding
(public_field_definition type: (_)) @binding
(variable_declarator type: (_)) @binding
(_ return_type: (type_annotation) @binding)
"""


def grammar() -> object:
    import tree_sitter_typescript

    return tree_sitter_typescript.language_typescript()


language = Language("typescript", ("ts", "mts", "cts"), grammar, QUERY + OWN, imports, bindings, named)
