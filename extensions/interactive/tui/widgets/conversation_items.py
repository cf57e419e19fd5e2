"""The items of a conversation. Each consists of blocks of lines, which are drawn when they become visible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from aci.observation.untrusted_text import clean_text
from extensions.interactive.tui.rendering.markdown_parts import split_markdown

if TYPE_CHECKING:
    from textual.strip import Strip

    from extensions.interactive.tui.rendering.line_renderer import LineRenderer

    Draw = Callable[[LineRenderer], list[Strip]]

USER_SIGN = "\u203a"
"""The sign before a user's message."""
LINES = 300
"""Maximum number of lines of text that are drawn as one block."""


@dataclass(slots=True, eq=False)
class Block:
    """A block of lines. `rows` and `cells` are used to estimate its height before it is drawn."""

    draw: Draw
    rows: int = 1
    cells: int = 0

    def guess(self, width: int) -> int:
        return self.rows + self.cells // max(1, width)


class Item(Protocol):
    """An item of the conversation. `opens`: whether it can be opened to show more."""

    @property
    def opens(self) -> bool: ...

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        """Return the blocks; if both `opened` and `whole` are true, include content that must be read from disk."""
        ...


@dataclass(frozen=True, slots=True)
class UserMessage:
    """A message from the user; `late` if it was sent during a turn."""

    text: str
    late: bool = False
    opens: bool = False

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        return [blank_block(), *text_blocks(self.text, "bold accent" if not self.late else "accent", sign=USER_SIGN)]


@dataclass(frozen=True, slots=True)
class Line:
    """A remark, such as how a turn ended."""

    text: str
    style: str = "muted"
    spaced: bool = False
    opens: bool = False

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        return [blank_block()] * self.spaced + text_blocks(self.text, self.style)


@dataclass(frozen=True, slots=True)
class Phase:
    """The start of a strategy's phase."""

    text: str
    opens: bool = False

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        return [blank_block(), Block(lambda pen: [pen.line((f"{pen.sign('─', '-')} {self.text}", "muted"), indent=2)])]


@dataclass(frozen=True, slots=True)
class ModelText:
    """Text from the model, or the output of a command."""

    text: str
    kind: str = "markdown"
    title: str = ""
    opens: bool = False

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        found = [blank_block()]
        if self.title:
            found += text_blocks(self.title, "bold primary")
        text = self.text
        match self.kind:
            case "markdown":
                return found + markdown_blocks(text)
            case "diff":
                return found + code_blocks(text, language="diff")
            case _:
                return found + text_blocks(text, "error" if self.kind == "error" else "text")


def blank_block() -> Block:
    return Block(lambda pen: [pen.line("")])


def markdown_blocks(text: str, indent: int = 2) -> list[Block]:
    """Return blocks of Markdown."""
    pieces = list(split_markdown(text))
    drawn = [partial(_said, piece, indent, number < len(pieces) - 1) for number, piece in enumerate(pieces)]
    return [Block(draw, piece.count("\n") + 1, len(piece)) for draw, piece in zip(drawn, pieces, strict=True)]


def _said(piece: str, indent: int, more: bool, pen: LineRenderer) -> list[Strip]:
    from extensions.interactive.tui.rendering import markdown

    return markdown.draw_markdown(clean_text(piece), pen, indent) + [pen.line("")] * more


def text_blocks(text: str, style: str = "", indent: int = 2, sign: str = "") -> list[Block]:
    """Return blocks of plain text, with `sign` before the first line."""
    return [
        Block(partial(_folded, piece, style, indent, "" if number else sign), piece.count("\n") + 1, len(piece))
        for number, piece in enumerate(split_text(text))
    ]


def _folded(piece: str, style: str, indent: int, sign: str, pen: LineRenderer) -> list[Strip]:
    strips = pen.paragraph(piece, style, indent)
    if sign:
        shown = pen.line((pen.sign(sign, ">"), style), " ")
        strips[0] = shown + strips[0].crop(shown.cell_length, None)
    return strips


def code_blocks(text: str, path: str = "", language: str = "", indent: int = 2) -> list[Block]:
    """Return blocks of code or a diff."""
    return [
        Block(partial(_source, piece, path, language, indent), piece.count("\n") + 1, len(piece))
        for piece in split_text(text)
    ]


def _source(piece: str, path: str, language: str, indent: int, pen: LineRenderer) -> list[Strip]:
    from extensions.interactive.tui.rendering.highlighted_code import code_text, diff_text

    piece = clean_text(piece)
    if language == "diff":
        return pen.lines(diff_text(piece, pen), indent)
    return pen.lines(code_text(piece, pen, path, language), indent)


def split_text(text: str) -> Iterator[str]:
    """Split a long text into pieces of some lines each; very long lines are split too."""
    if len(text) < LINES * 40 and text.count("\n") < LINES:
        yield text
        return
    lines = text.split("\n")
    for begin in range(0, len(lines), LINES):
        piece = "\n".join(lines[begin : begin + LINES])
        for at in range(0, max(1, len(piece)), LINES * 200):
            yield piece[at : at + LINES * 200]
