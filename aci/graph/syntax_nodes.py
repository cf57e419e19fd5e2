"""Walks over the nodes of syntax trees, and their texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node


def walk(root: Node, is_named: bool = False) -> Iterator[Node]:
    """Yield a node and those inside it, in the order of the text; with `is_named` without tokens such as brackets."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.named_children if is_named else node.children)


def node_text(node: Node | None) -> str:
    """Return the text of a node; "" for None."""
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""
