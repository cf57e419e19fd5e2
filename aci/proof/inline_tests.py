"""Tests in the same file as the code that they test: the items that Rust compiles under `#[cfg(test)]`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.repository.added_tests import only_adds_lines

if TYPE_CHECKING:
    from tree_sitter import Node

INLINE = ".rs"
"""Suffix of the files that may hold tests beside code."""
MARK = b"#[cfg(test)]"
LARGEST = 2_000_000


@dataclass(frozen=True, slots=True)
class InlineTests:
    """The two parts of a change to a file with tests: `with_tests` is the base's code with the tests of the patch, and
    `with_code` the code of the patch with the base's tests. `is_added` tells whether only lines were added to the
    tests, and `changes_code` whether the rest differs."""

    with_tests: bytes
    with_code: bytes
    is_added: bool
    changes_code: bool


def split_inline_tests(before: bytes, after: bytes) -> InlineTests | None:
    """Return the parts of a change; None if the tests are the same, or cannot be told apart from the code."""
    if MARK not in before + after or max(len(before), len(after)) > LARGEST:
        return None
    old, new = test_regions(before), test_regions(after)
    old_texts, new_texts = ([text[start:end] for start, end in spans] for text, spans in ((before, old), (after, new)))
    if old_texts == new_texts or (old and new and len(old) != len(new)):
        return None
    known, now = (b"\n".join(texts).decode("utf-8", "replace") for texts in (old_texts, new_texts))
    with_tests, with_code = _replaced(before, old, new_texts), _replaced(after, new, old_texts)
    return InlineTests(with_tests, with_code, only_adds_lines(known, now), with_code.split() != before.split())


def test_regions(text: bytes) -> list[tuple[int, int]]:
    """Return the start and end of each top-level item that is compiled for tests only, with its attributes."""
    from aci.graph.parser import parse_syntax

    root = parse_syntax("rust", text)
    return [] if root.has_error else list(_regions(root.children))


test_regions.__test__ = False  # type: ignore[attr-defined]


def _regions(items: Sequence[Node]) -> Iterator[tuple[int, int]]:
    start, is_test = -1, False
    for item in items:
        if item.type in ("attribute_item", "line_comment", "block_comment"):
            start = item.start_byte if start < 0 else start
            is_test |= item.type == "attribute_item" and b"cfg(test)" in (item.text or b"")
            continue
        if is_test:
            yield start, item.end_byte
        start, is_test = -1, False


def _replaced(text: bytes, spans: Sequence[tuple[int, int]], others: Sequence[bytes]) -> bytes:
    """Return the text with other tests in place of its own; if it has none, they follow at its end."""
    if not spans:
        return b"\n\n".join([text.rstrip(b"\n"), *others]) + b"\n"
    pieces, at = [], 0
    for number, (start, end) in enumerate(spans):
        pieces += [text[at:start], others[number] if number < len(others) else b""]
        at = end
    return b"".join([*pieces, text[at:]])
