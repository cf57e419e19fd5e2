"""Tests in the same file as the code that they test: the items that Rust compiles under `#[cfg(test)]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.repository.added_tests import only_adds_lines

if TYPE_CHECKING:
    from tree_sitter import Node

    from trajectories.git_store.trees import Trees

INLINE = ".rs"
"""Suffix of the files that may hold tests beside code."""
MARK = re.compile(rb"#\[(?:cfg\([^\]]*\btest\b|(?:\w+::)*test\b)")
NEGATED = re.compile(rb"\bnot\s*\(\s*test\b")
"""What marks an item that is compiled for tests only."""
LARGEST = 2_000_000


@dataclass(frozen=True, slots=True)
class InlineTests:
    """The two parts of a change to a file with tests: `with_tests` is the base's code with the tests of the patch, and
    `with_code` the code of the patch with the base's tests. `counts` tells whether the tests of
    the patch may reproduce the issue, as they may if only lines were added to them, and `changes_code` whether the rest
    differs."""

    with_tests: bytes
    with_code: bytes
    counts: bool
    changes_code: bool


def with_base_tests(trees: Trees, base: str, tree: str) -> str:
    """Return the tree with the base's tests in the files of code to whose tests more than lines was added."""
    kept: dict[str, bytes] = {}
    for change in trees.changed(base, tree):
        if change.path.endswith(INLINE) and change.status == "M":
            found = split_inline_tests(trees.read(base, change.path), trees.read(tree, change.path))
            kept |= {change.path: found.with_code} if found and not found.counts else {}
    return trees.write(kept, tree) if kept else tree


def split_inline_tests(before: bytes, after: bytes) -> InlineTests | None:
    """Return the parts of a change; None if the tests are the same, or a version cannot be read."""
    if not MARK.search(before + after) or max(len(before), len(after)) > LARGEST:
        return None
    old, new = test_regions(before), test_regions(after)
    if old is None or new is None:
        return None
    old_texts, new_texts = ([text[start:end] for start, end in spans] for text, spans in ((before, old), (after, new)))
    if old_texts == new_texts:
        return None
    known, now = (b"\n".join(texts).decode("utf-8", "replace") for texts in (old_texts, new_texts))
    with_tests, with_code = _replaced(before, old, new_texts), _replaced(after, new, old_texts)
    return InlineTests(with_tests, with_code, only_adds_lines(known, now), with_code.split() != before.split())


def test_regions(text: bytes) -> list[tuple[int, int]] | None:
    """Return the start and end of each item that is compiled for tests only, with its attributes; None if the text
    cannot be read."""
    from aci.graph.parser import parse_syntax

    root = parse_syntax("rust", text)
    return None if root.has_error else list(_regions(root.children))


test_regions.__test__ = False  # type: ignore[attr-defined]


def _regions(items: Sequence[Node]) -> Iterator[tuple[int, int]]:
    start, is_test = -1, False
    for item in items:
        if item.type in ("attribute_item", "line_comment", "block_comment"):
            start = item.start_byte if start < 0 else start
            text = item.text or b"" if item.type == "attribute_item" else b""
            is_test |= bool(MARK.match(text)) and not NEGATED.search(text)
            continue
        body = item.child_by_field_name("body") if item.type == "mod_item" else None
        if is_test:
            yield start, item.end_byte
        elif body is not None:
            yield from _regions(body.children)
        start, is_test = -1, False


def _replaced(text: bytes, spans: Sequence[tuple[int, int]], others: Sequence[bytes]) -> bytes:
    """Return the text with other tests in place of its own, all at the first place if their number differs; if it has
    none, they follow at its end."""
    if spans and len(spans) != len(others):
        others = [b"\n\n".join(others)]
    if not spans:
        return b"\n\n".join([text.rstrip(b"\n"), *others]) + b"\n"
    pieces, at = [], 0
    for number, (start, end) in enumerate(spans):
        pieces += [text[at:start], others[number] if number < len(others) else b""]
        at = end
    return b"".join([*pieces, text[at:]])
