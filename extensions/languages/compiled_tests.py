"""Tests in compiled languages: what a compiler misses in a test that does not build without the patch, and tests in the
same file as the code that they test: the items that Rust compiles under `#[cfg(test)]`, and the examples in its
documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aci.graph.parser import parse_syntax
from aci.proof.compiled_tests import InlineTests, MissingNames
from aci.repository.added_tests import only_adds_lines
from aci.testing.suite_run import TestResult
from extensions.languages.doc_tests import (
    FENCE,
    has_changed_examples,
    only_adds_examples,
    read_documentation,
    with_examples,
)
from extensions.languages.rust_traits import lacking_traits

if TYPE_CHECKING:
    from tree_sitter import Node

ERRORS = {
    "go": re.compile(r"^[^\s:]+\.go:\d+:\d+: (.+)$", re.MULTILINE),
    "rust": re.compile(
        r"^error(?:\[E\d+\])?: "
        r"(?!could not compile|aborting|recipe|(?:doc)?test failed|\d+ targets? failed|process did)"
        r"(.+(?:\n(?!error).+)*)",
        re.MULTILINE,
    ),
    "java": re.compile(
        r"^.*\.java:(?:\[?\d+,?\d*\]?:?) (?:error: )?(.+(?:(?:\n.*){0,3}?\n\s+symbol: .+)?)", re.MULTILINE
    ),
    "typescript": re.compile(
        r"error TS\d+: (.+(?:\n[ \t]+\S.*){0,3})$|(SyntaxError: The requested module .+)$", re.MULTILINE
    ),
    "module": re.compile(r"^(?:\w*Error(?: \[\w+\])?: )?(Cannot find module '.+)$", re.MULTILINE),
}
"""Each error of a compiler, in its output, and what Node reports of a module when it loads it."""
MISSING = re.compile(
    r"undefined: (?:\w+\.)?(\w+)"  # Go
    r"|has no field or method (\w+)|\(missing method (\w+)|unknown field '?(\w+)'? in struct"
    r"|cannot find [\w ,/]+ `(\w+)`|no [\w ]+ named `(\w+)`|no `(\w+)` in|no field `(\w+)`"  # Rust
    r"|undeclared (?:type|crate or module) `(\w+)`"
    r"|cannot find symbol(?:\n.*){0,3}?\s+symbol:\s+\w+ (\w+)"  # Java
    r"|does not provide an export named '(\w+)'|has no exported member '?(\w+)|Property '(\w+)' does not exist"
    r"|Cannot find name '(\w+)'|'(\w+)' does not exist in type"
    r"|Cannot find module '(?:\.{1,2}/|/(?!(?:[^'\n]*/)?node_modules/))(?:[^'\n]*/)?(\w+)(?:/index)?(?:\.\w+)?'"
)
IMPLIED = re.compile(r"the method `(\w+)` exists for")
"""A method that Rust's compiler misses since the type lacks a trait."""
BOUND = re.compile(r"^note: required by a bound in `(?:\w+::)*(\w+)", re.MULTILINE)
"""Rust's note that names the function for which a trait is missing."""
TOO_MANY = "too many errors"
MARK = re.compile(rb"#\[(?:cfg\([^\]]*\btest\b|(?:\w+::)*test\b)")
NEGATED = re.compile(rb"\bnot\s*\(\s*test\b")
"""What marks an item that is compiled for tests only."""
LARGEST = 2_000_000
"""Maximum number of bytes of a file with inline tests."""


def is_build_error(message: str) -> bool:
    """Whether a message is that of a compiler. A module that is not found is no such message: code that runs says it
    too, such as of an optional module."""
    return any(pattern.search(message) for name, pattern in ERRORS.items() if name != "module")


def missing_names(result: TestResult) -> MissingNames | None:
    """Return the missing names of a test file that was not built; None if it was built, or if there is another
    error."""
    if result.outcome != "error":
        return None
    for language, pattern in ERRORS.items():
        errors = [next(filter(None, match.groups())) for match in pattern.finditer(result.message)]
        errors = [error for error in errors if TOO_MANY not in error]
        if errors:
            return _all_missing(language, errors, BOUND.findall(result.message))
    return None


def _all_missing(language: str, errors: Sequence[str], bounds: Sequence[str]) -> MissingNames | None:
    names: set[str] = set()
    implied: set[str] = set()
    traits: set[str] = set()
    for error in errors:
        lacking = lacking_traits(error) if language == "rust" else set()
        first = error.partition("\n")[0] if language == "rust" else error
        match = MISSING.search(first)
        if first.startswith("unresolved import"):
            names |= set(re.findall(r"`(?:\w+::)*(\w+)`", first))
        elif lacking:
            traits |= lacking
            implied |= set(filter(None, match.groups())) if match else set()
        elif method := IMPLIED.search(first):
            implied.add(method[1])
        elif match:
            names.add(next(filter(None, match.groups())))
        elif "type annotations needed" not in first:
            return None
    found = MissingNames(frozenset(names), frozenset(implied), frozenset(bounds), frozenset(traits))
    return found if names | implied | traits else None


def split_inline_tests(before: bytes, after: bytes, has_docs: bool) -> InlineTests | None:
    """Return the parts of a change; None if the tests are the same, or a version cannot be read. Examples in the
    documentation are tests if it `has_docs`, otherwise they are code."""
    has_docs = has_docs and FENCE in before + after
    if not (has_docs or MARK.search(before + after)) or max(len(before), len(after)) > LARGEST:
        return None
    old, new = test_regions(before), test_regions(after)
    old_docs, new_docs = (read_documentation(text) if has_docs else {} for text in (before, after))
    if old is None or new is None or old_docs is None or new_docs is None:
        return None
    old_texts, new_texts = ([text[start:end] for start, end in spans] for text, spans in ((before, old), (after, new)))
    if old_texts == new_texts and not has_changed_examples(old_docs, new_docs):
        return None
    known, now = (b"\n".join(texts).decode("utf-8", "replace") for texts in (old_texts, new_texts))
    with_tests = _with_tests(with_examples(before, old_docs, new_docs, new_items=True), new_texts)
    with_code = _with_tests(with_examples(after, new_docs, old_docs), old_texts)
    counts = only_adds_lines(known, now) and only_adds_examples(old_docs, new_docs)
    return InlineTests(with_tests, with_code, counts, with_code.split() != before.split())


def _with_tests(text: bytes, tests: Sequence[bytes]) -> bytes:
    spans = test_regions(text) or []
    return _replaced(text, spans, tests) if spans or tests else text


def test_regions(text: bytes) -> list[tuple[int, int]] | None:
    """Return the start and end of each item that is compiled for tests only, with its attributes; None if the text
    cannot be read."""
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
