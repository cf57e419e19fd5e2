"""The Markdown parser for instruction files. Only block structure is parsed at first, since inline text is slow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST = 100_000
"""Maximum number of characters that are parsed."""


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    blocks = ["blockquote", "code", "fence", "heading", "lheading", "list", "hr"]
    return MarkdownIt("zero").enable([*blocks, "backticks", "escape"]).disable(["inline", "text_join"])


@lru_cache(maxsize=8)
def parse_blocks(text: str) -> Sequence[Token]:
    """Return the block tokens of a text; `map` of a token is the range of its lines, from 0. The content of the tokens
    `inline` is not parsed."""
    return tuple(_parser().parse(text[:LONGEST]))


def split_inline(text: str) -> list[tuple[bool, str]]:
    """Return the parts of a paragraph, each with whether it is inline code."""
    tokens: list[Token] = []
    parser = _parser()
    parser.inline.parse(text, parser, {}, tokens)
    return [(token.type == "code_inline", token.content or "\n" * token.type.endswith("break")) for token in tokens]
