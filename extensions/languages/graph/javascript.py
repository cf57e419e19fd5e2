"""JavaScript, with JSX."""

from __future__ import annotations

from aci.graph.parser import Language
from extensions.languages.graph._ecmascript import JSX, QUERY, bindings, imports, named

OWN = """
(field_definition property: (_) value: [(arrow_function) (function_expression)]) @function
(class_heritage [(identifier) (member_expression)] @base)
"""


def grammar() -> object:
    import tree_sitter_javascript

    return tree_sitter_javascript.language()


language = Language("javascript", ("js", "jsx", "mjs", "cjs"), grammar, QUERY + JSX + OWN, imports, bindings, named)
