"""Common parts of JavaScript and TypeScript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aci.graph.outline import DEFAULT
from extensions.languages.graph._shared import text, type_name, unquoted

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = """
[(function_declaration) (generator_function_declaration) (method_definition)] @function
(class_declaration) @class
(variable_declarator name: (identifier) value: [(arrow_function) (function_expression) (generator_function)]) @function
(variable_declarator name: (identifier) value: (class)) @class
(variable_declarator name: (identifier) value: (object [
  (method_definition) (pair value: [(arrow_function) (function_expression)])
])) @class
(assignment_expression left: [(identifier) (member_expression)]
  right: [(arrow_function) (function_expression) (generator_function)]) @function
(assignment_expression left: [(identifier) (member_expression)] right: (class)) @class
(pair value: [(arrow_function) (function_expression) (generator_function)]) @function
(export_statement value: [(arrow_function) (function_expression) (class)]) @function
(export_statement declaration: (_)) @decorated
[(lexical_declaration . (variable_declarator) .) (variable_declaration . (variable_declarator) .)] @decorated
(comment) @comment

(call_expression function: (_) @call)
(new_expression constructor: (_) @call)
(decorator [(identifier) (member_expression)] @call)

(member_expression) @name
(arguments (identifier) @name)
(pair value: (identifier) @name)
(shorthand_property_identifier) @name
(array (identifier) @name)
(return_statement (identifier) @name)
(variable_declarator value: (identifier) @name)
(assignment_expression right: (identifier) @name)
(binary_expression (identifier) @name)
(ternary_expression (identifier) @name)

(import_statement) @import
(export_statement source: (_)) @import
(variable_declarator value: (call_expression function: (identifier) @_require (#eq? @_require "require"))) @import

(variable_declarator name: (identifier) value: [(new_expression) (call_expression) (await_expression)]) @binding
(assignment_expression left: (member_expression) right: [(new_expression) (call_expression) (identifier)]) @binding
(export_statement "default" declaration: (_)) @binding
(export_statement "default" value: (identifier)) @binding
"""

JSX = """
(jsx_opening_element name: (_) @call (#match? @call "^[A-Z]"))
(jsx_self_closing_element name: (_) @call (#match? @call "^[A-Z]"))
(jsx_expression (identifier) @name)
"""


def named(node: Node, data: bytes) -> str:
    """Return the defined name: `A.prototype.go = function` defines `A.go`, `exports.go = ...` defines `go`."""
    if node.type == "pair":
        return unquoted(node.child_by_field_name("key"), data)[:100]
    if node.type in ("export_statement", "assignment_expression"):
        value = node.child_by_field_name("value") or node.child_by_field_name("right")
        own = text(value.child_by_field_name("name") if value else None, data)
        written = text(node.child_by_field_name("left"), data)
        for prefix in ("module.exports.", "exports.", "this."):
            written = written.removeprefix(prefix)
        if written in ("", "module.exports", "exports"):
            return own or "default"
        name = written.replace(".prototype.", ".")
        return name if len(name) <= 100 and name.replace(".", "_").isidentifier() else own
    return text(node.child_by_field_name("property"), data)


def imports(node: Node, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield the imported names.

    A default export has the name `default`; an import only for side effects binds "".
    """
    if node.type == "variable_declarator":
        yield from _required_names(node, data)
        return
    module = unquoted(node.child_by_field_name("source"), data)
    clause = node.named_child(0)
    if clause is None or clause.type == "string":
        yield ("*", module, "*") if node.type == "export_statement" else ("", module, "")
        return
    if clause.type == "import_require_clause":
        yield text(clause.named_child(0), data), unquoted(clause.child_by_field_name("source"), data), ""
        return
    for child in clause.named_children:
        if child.type == "identifier":
            yield text(child, data), module, "default"
        elif child.type in ("namespace_import", "namespace_export"):
            yield text(child.named_child(0), data), module, ""
        else:
            for one in [child] if child.type == "export_specifier" else child.named_children:
                name = unquoted(one.child_by_field_name("name"), data)
                yield unquoted(one.child_by_field_name("alias"), data) or name, module, name


def _required_names(node: Node, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield the names of `const x = require('./x')` and `const { a, b: c } = require('./x')`."""
    value, target = node.child_by_field_name("value"), node.child_by_field_name("name")
    arguments = value.child_by_field_name("arguments") if value else None
    argument = arguments.named_child(0) if arguments else None
    if target is None or argument is None or argument.type != "string":
        return
    module = unquoted(argument, data)
    if target.type == "identifier":
        yield text(target, data), module, ""
    elif target.type == "object_pattern":
        for child in target.named_children:
            key = child.child_by_field_name("key")
            if key is None:
                yield text(child, data), module, text(child, data)
            elif bound := child.child_by_field_name("value"):
                yield text(bound, data), module, text(key, data)


def bindings(node: Node, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Yield the bindings of `x = new Foo()`, `this.x = foo()`, `x: Foo` and parameter properties.

    The return type of a function is bound to `return`, the default export of a module to `DEFAULT`.
    """
    if node.type == "export_statement":
        exported = node.child_by_field_name("declaration")
        name = exported.child_by_field_name("name") if exported else node.child_by_field_name("value")
        if name:
            yield DEFAULT, text(name, data), False
        return
    if node.type == "type_annotation":
        if source := type_name(text(node, data)):
            yield "return", source, True
        return
    field = "name" if node.child_by_field_name("name") else "pattern"
    target = text(node.child_by_field_name(field) or node.child_by_field_name("left"), data)
    if annotation := node.child_by_field_name("type"):
        if source := type_name(text(annotation, data)):
            first = node.named_child(0)
            is_property = node.type == "public_field_definition" or (first and first.type == "accessibility_modifier")
            yield f"this.{target}" if is_property else target, source, True
        return
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    if value and value.type == "await_expression":
        value = value.named_child(0)
    callee = value and (value.child_by_field_name("constructor") or value.child_by_field_name("function"))
    if source := type_name(text(callee or value, data)):
        yield target, source, callee is not None
