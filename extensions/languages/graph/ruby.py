"""Definition of the Ruby language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aci.graph.parser import Language
from extensions.languages.graph._shared import text, unquoted

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = """
[(method) (singleton_method)] @function
[(class) (module)] @class
(comment) @comment

(call) @invocation
(superclass [(constant) (scope_resolution)] @base)
(call method: (identifier) @_mixes (#any-of? @_mixes "include" "extend" "prepend")
  arguments: (argument_list [(constant) (scope_resolution)] @base))

[(argument_list (constant) @name) (assignment right: (constant) @name) (rescue exceptions: (exceptions (_) @name))]
(scope_resolution) @name
(block_argument (simple_symbol) @name)

(call !receiver method: (identifier) @_requires (#any-of? @_requires "require" "require_relative")
  arguments: (argument_list (string))) @import
(assignment left: [(identifier) (instance_variable)] right: (call receiver: (_))) @binding
"""


def grammar() -> object:
    import tree_sitter_ruby

    return tree_sitter_ruby.language()


def imports(node: Node, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield a star import for a required file; the path of a relative one starts with `./`."""
    arguments = node.child_by_field_name("arguments")
    path = unquoted(arguments.named_child(0) if arguments else None, data)
    relative = text(node.child_by_field_name("method"), data) == "require_relative" and not path.startswith(".")
    yield "*", f"./{path}" if relative else path, "*"


def bindings(node: Node, data: bytes) -> Iterator[tuple[str, str, bool]]:
    """Yield bindings: `x = Foo.new` binds `x` to `Foo`, and `x = Foo.make` binds it to the result of `Foo.make`."""
    value = node.child_by_field_name("right")
    receiver = value.child_by_field_name("receiver") if value else None
    if value and receiver and receiver.type in ("constant", "scope_resolution"):
        method = text(value.child_by_field_name("method"), data)
        source = text(receiver, data).replace("::", ".") + ("" if method == "new" else f".{method}")
        yield text(node.child_by_field_name("left"), data), source, True


language = Language(
    "ruby", ("rb", "rake", "gemspec", "ru"), grammar, QUERY, imports, bindings, files=("Rakefile", "Gemfile")
)
