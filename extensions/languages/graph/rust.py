"""Rust: an impl block is treated as a class named after its type, so that its functions are named `Type.function`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aci.graph.parser import Language
from extensions.languages.graph._shared import text, type_name

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = """
[(function_item) (function_signature_item) (macro_definition)] @function
[(struct_item) (enum_item) (union_item) (trait_item) (type_item) (impl_item)] @class
(attribute_item) @before
[(line_comment) (block_comment)] @comment

(call_expression function: [(identifier) (scoped_identifier) (field_expression)] @call)
(call_expression function: (generic_function function: (_) @call))
(macro_invocation macro: (_) @call)
(struct_expression name: [(type_identifier) (scoped_type_identifier)] @call)
(struct_expression name: (generic_type_with_turbofish type: (_) @call))

(impl_item trait: [(type_identifier) (scoped_type_identifier)] @base)
(impl_item trait: (generic_type type: (_) @base))
(trait_item bounds: (trait_bounds [(type_identifier) (scoped_type_identifier)] @base))
(trait_item bounds: (trait_bounds (generic_type type: (_) @base)))

[
  (parameter type: (type_identifier) @use) (reference_type type: (type_identifier) @use)
  (field_declaration type: (type_identifier) @use) (type_arguments (type_identifier) @use)
  (function_item return_type: (type_identifier) @use) (let_declaration type: (type_identifier) @use)
  (ordered_field_declaration_list type: (type_identifier) @use) (generic_type type: (type_identifier) @use)
  (where_predicate bounds: (trait_bounds (type_identifier) @use)) (dynamic_type trait: (type_identifier) @use)
  (type_parameter bounds: (trait_bounds (type_identifier) @use)) (abstract_type trait: (type_identifier) @use)
  (scoped_identifier path: (identifier) @use)
]
(field_expression) @name
(arguments (identifier) @name)
(field_initializer value: (identifier) @name)

[(use_declaration) (mod_item !body)] @import
[(let_declaration) (parameter) (field_declaration)] @binding
(function_item return_type: (_) @binding)
"""


def grammar() -> object:
    import tree_sitter_rust

    return tree_sitter_rust.language()


def named(node: Node, data: bytes) -> str:
    return type_name(text(node.child_by_field_name("type"), data)) if node.type == "impl_item" else ""


def imports(node: Node, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield the imported names: `use a::b::{c, d as e}` binds `c` and `e` of `a::b`, `mod m;` binds `m` of `self`."""
    if node.type == "mod_item":
        name = text(node.child_by_field_name("name"), data)
        yield name, "self", name
        return
    open_ = [("", node.child_by_field_name("argument"))]
    while open_:
        prefix, tree = open_.pop()
        if tree is None:
            continue
        if tree.type in ("scoped_use_list", "use_list"):
            path = _joined(prefix, text(tree.child_by_field_name("path"), data))
            list_ = tree.child_by_field_name("list") or tree
            open_ += [(path, child) for child in reversed(list_.named_children)]
        elif tree.type == "use_wildcard":
            yield "*", _joined(prefix, text(tree.named_child(0), data)), "*"
        elif tree.type != "line_comment" and tree.type != "block_comment":
            written = text(tree.child_by_field_name("path") if tree.type == "use_as_clause" else tree, data)
            alias = text(tree.child_by_field_name("alias"), data)
            whole = prefix if written == "self" else _joined(prefix, written)
            module, _, name = whole.rpartition("::")
            yield alias or name, module, name


def _joined(prefix: str, path: str) -> str:
    return "::".join(part for part in (prefix, path) if part)


def bindings(node: Node, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Yield the bindings of `let x = Foo::new()` (to the result of `Foo.new`) and `let x = Foo { ... }`.

    Declared types of variables, parameters and fields are bound too, and the return type to `return`.
    """
    name = node.child_by_field_name("pattern") or node.child_by_field_name("name")
    if node.type not in ("let_declaration", "parameter", "field_declaration"):
        name, kind = None, type_name(text(node, data))
        if kind:
            yield "return", kind, True
    if name is None or name.type not in ("identifier", "field_identifier", "mut_pattern"):
        return
    target = ("self." if node.type == "field_declaration" else "") + text(name, data).removeprefix("mut ")
    kind_node, value = node.child_by_field_name("type"), node.child_by_field_name("value")
    callee = value and (value.child_by_field_name("function") or value.child_by_field_name("name"))
    if source := type_name(text(kind_node or callee, data)):
        yield target, source, True


language = Language("rust", ("rs",), grammar, QUERY, imports, bindings, named)
