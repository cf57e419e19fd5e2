"""Python."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_python
from tree_sitter import Node

from aci.graph.parse import Language

QUERY = """
(function_definition) @function
(class_definition) @class
(class_definition superclasses: (argument_list [(identifier) (attribute)] @base))
(decorated_definition) @decorated
(call function: (_) @call)
(decorator [(identifier) (attribute)] @call)
[(import_statement) (import_from_statement)] @import
(assignment left: [(identifier) (attribute)] right: (call)) @binding
(assignment left: [(identifier) (attribute)] right: [(identifier) (attribute)]) @binding
(assignment type: (type)) @binding
(typed_parameter) @binding
(comment) @comment
(block . (expression_statement (string) @doc))
"""


def imports(node: Node, data: bytes) -> Iterator[tuple[str, str, str]]:
    if node.type == "import_statement":
        for child in node.named_children:
            module, alias = _named(child, data)
            yield (alias, module, "") if alias else (module.partition(".")[0], module, "")
        return
    first, *rest = node.named_children
    module = _text(first, data)
    for child in rest:
        if child.type == "wildcard_import":
            yield "*", module, "*"
        elif child.type in ("dotted_name", "aliased_import"):
            name, alias = _named(child, data)
            yield alias or name, module, name


def _named(node: Node, data: bytes) -> tuple[str, str]:
    """The dotted name and its alias."""
    if node.type == "aliased_import":
        name, alias = node.named_children[0], node.named_children[-1]
        return _text(name, data), _text(alias, data)
    return _text(node, data), ""


def bindings(node: Node, data: bytes) -> Iterator[tuple[str, str, bool]]:
    if node.type == "typed_parameter":
        name, kind = node.named_children[0], node.child_by_field_name("type")
        if kind is not None and name.type == "identifier":
            yield _text(name, data), _text(kind, data).strip("\"'"), True
        return
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    kind = node.child_by_field_name("type")
    if left is None:
        return
    if kind is not None:
        yield _text(left, data), _text(kind, data).strip("\"'"), True
    elif right is not None and right.type == "call":
        if (callee := right.child_by_field_name("function")) and callee.type in ("identifier", "attribute"):
            yield _text(left, data), _text(callee, data), True
    elif right is not None:
        yield _text(left, data), _text(right, data), False


def _text(node: Node, data: bytes) -> str:
    return data[node.start_byte : node.end_byte].decode("utf-8", "replace")


language = Language("python", ("py", "pyi", "pyx"), tree_sitter_python.language, QUERY, imports, bindings)
