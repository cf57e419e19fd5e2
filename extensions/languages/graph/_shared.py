"""Helper functions shared by several languages."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

_WRAPPERS = re.compile(
    r"^(?:(?:Box|Arc|Rc|Option|Result|RefCell|Mutex|RwLock|Pin|Optional|CompletableFuture|Promise|Readonly|Partial"
    r"|unique_ptr|shared_ptr|weak_ptr|optional)<|std::|dyn\b|impl\b|mut\b|const\b|struct\b|'\w+|readonly\b|[&*?:(\s])+"
)
_NAME = re.compile(r"[^\W\d]\w*(?:(?:\.|::|\\)[^\W\d]\w*)*")
_JOINTS = re.compile(r"::|\\")


def text(node: Node | None, data: bytes) -> str:
    """Return the source text of a node; "" for None."""
    return "" if node is None else data[node.start_byte : node.end_byte].decode("utf-8", "replace")


def unquoted(node: Node | None, data: bytes) -> str:
    """Return the text of a string literal."""
    return text(node, data).strip("\"'`<>")


@lru_cache(maxsize=10_000)
def type_name(written: str) -> str:
    """Return the dotted name of a type, or "" for an array.

    `&mut Foo<T>`, `*Foo` and `Option<Foo>` give `Foo`; `[]Foo` and `Foo[]` give "".
    """
    found = _NAME.match(_WRAPPERS.sub("", written[:200]))
    return _JOINTS.sub(".", found[0]) if found and "[]" not in written else ""
