"""A source file in another language than Python, as its mutation operators see it: nodes of tree-sitter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from aci.graph.outline import FUNCTION, Symbol
from aci.graph.parser import load_language, parse_syntax, walk

if TYPE_CHECKING:
    from tree_sitter import Node

LANGUAGES = ("javascript", "go")
"""The languages whose node types the operators know."""
BLOCKS = ("statement_block", "block", "statement_list")


@dataclass
class SyntaxCode:
    """A file; `called` are the names in its calls of functions that the repository defines."""

    path: str
    language: str
    data: bytes
    called: frozenset[str] = frozenset()

    @cached_property
    def root(self) -> Node:
        return parse_syntax(self.language, self.data)

    @cached_property
    def nodes(self) -> list[Node]:
        return list(walk(self.root, is_named=True))

    @cached_property
    def functions(self) -> list[Symbol]:
        found = load_language(self.language).parse(self.data).outline.symbols
        return [symbol for symbol in found if symbol.kind == FUNCTION]

    @cached_property
    def signatures(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """The functions by scope and name: the type of each parameter and the type of the result, "" where there is
        none."""
        heads = {node.start_byte: node for node in reversed(self.nodes) if node.child_by_field_name("parameters")}
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for symbol in self.functions:
            head = next((heads[start] for start in sorted(heads) if symbol.start <= start < symbol.stop), None)
            if head is not None:
                found.setdefault(symbol.name.rpartition(".")[0], {})[symbol.bare] = self._signature(head)
        return found

    def _signature(self, head: Node) -> tuple[str, ...]:
        parameters = head.child_by_field_name("parameters")
        types = [
            self.text(kind) if (kind := one.child_by_field_name("type")) else ""
            for one in (parameters.named_children if parameters else ())
            for _ in one.children_by_field_name("name") or [one]
        ]
        result = head.child_by_field_name("result")
        return (*types, self.text(result) if result else "")

    def nodes_of(self, *kinds: str) -> Iterator[Node]:
        return (node for node in self.nodes if node.type in kinds)

    def function_at(self, byte: int) -> Symbol | None:
        """Return the innermost function around a byte."""
        around = [one for one in self.functions if one.start <= byte < one.stop]
        return max(around, key=lambda one: one.start, default=None)

    def text(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def lines(self, node: Node) -> tuple[int, int] | None:
        """Return the byte range of a statement's whole lines, or None if they contain other code."""
        start = self.data.rfind(b"\n", 0, node.start_byte) + 1
        end = self.data.find(b"\n", node.end_byte)
        after = self.data[node.end_byte : end].strip(b" \t\r;")
        if self.data[start : node.start_byte].strip() or end < 0 or (after and not after.startswith(b"//")):
            return None
        return start, end + 1


def without_parentheses(node: Node) -> Node:
    inner = node.named_children
    return without_parentheses(inner[0]) if node.type == "parenthesized_expression" and inner else node
