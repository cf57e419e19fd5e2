"""What the conversation is made of: items, each some blocks of lines that are drawn when they come into sight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from aci.cleaning import clean
from agent.tui.parts import parts

if TYPE_CHECKING:
    from textual.strip import Strip

    from agent.tui.pen import Pen

    Draw = Callable[[Pen], list[Strip]]

SAID = "\u203a"
"""Stands before a user's words."""
LINES = 300
"""Of a long text that are drawn at once."""


@dataclass(slots=True, eq=False)
class Block:
    """`rows` and `cells` are for a guess at its height before it is drawn."""

    draw: Draw
    rows: int = 1
    cells: int = 0

    def guess(self, width: int) -> int:
        return self.rows + self.cells // max(1, width)


class Item(Protocol):
    """`opens`: there is more of it to see."""

    @property
    def opens(self) -> bool: ...

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        """`whole`: with what has to be read from the disk, where it is opened."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """What the user said; `late` while a turn was under way."""

    text: str
    late: bool = False
    opens: bool = False

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        return [gap(), *folded(self.text, "bold accent" if not self.late else "accent", sign=SAID)]


@dataclass(frozen=True, slots=True)
class Line:
    """A remark: a phase, what goes on, how something ended."""

    text: str
    style: str = "muted"
    spaced: bool = False
    opens: bool = False

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        return [gap()] * self.spaced + folded(self.text, self.style)


@dataclass(frozen=True, slots=True)
class Phase:
    """Where a strategy has got to."""

    text: str
    opens: bool = False

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        return [gap(), Block(lambda pen: [pen.line((f"{pen.sign('─', '-')} {self.text}", "muted"), indent=2)])]


@dataclass(frozen=True, slots=True)
class Said:
    """Words of the model, or an answer of a command."""

    text: str
    kind: str = "markdown"
    title: str = ""
    opens: bool = False

    def blocks(self, opened: bool, whole: bool = True) -> list[Block]:
        found = [gap()]
        if self.title:
            found += folded(self.title, "bold primary")
        text = self.text
        match self.kind:
            case "markdown":
                return found + said(text)
            case "diff":
                return found + source(text, language="diff")
            case _:
                return found + folded(text, "error" if self.kind == "error" else "text")


def gap() -> Block:
    return Block(lambda pen: [pen.line("")])


def said(text: str, indent: int = 2) -> list[Block]:
    """Markdown."""
    pieces = list(parts(text))
    drawn = [partial(_said, piece, indent, number < len(pieces) - 1) for number, piece in enumerate(pieces)]
    return [Block(draw, piece.count("\n") + 1, len(piece)) for draw, piece in zip(drawn, pieces, strict=True)]


def _said(piece: str, indent: int, more: bool, pen: Pen) -> list[Strip]:
    from agent.tui import markdown

    return markdown.draw(clean(piece), pen, indent) + [pen.line("")] * more


def folded(text: str, style: str = "", indent: int = 2, sign: str = "") -> list[Block]:
    """Text as it is; `sign` stands before its first line."""
    return [
        Block(partial(_folded, piece, style, indent, "" if number else sign), piece.count("\n") + 1, len(piece))
        for number, piece in enumerate(pieces(text))
    ]


def _folded(piece: str, style: str, indent: int, sign: str, pen: Pen) -> list[Strip]:
    strips = pen.paragraph(piece, style, indent)
    if sign:
        shown = pen.line((pen.sign(sign, ">"), style), " ")
        strips[0] = shown + strips[0].crop(shown.cell_length, None)
    return strips


def source(text: str, path: str = "", language: str = "", indent: int = 2) -> list[Block]:
    """Code or a diff."""
    return [
        Block(partial(_source, piece, path, language, indent), piece.count("\n") + 1, len(piece))
        for piece in pieces(text)
    ]


def _source(piece: str, path: str, language: str, indent: int, pen: Pen) -> list[Strip]:
    from agent.tui.code import coloured, diff

    piece = clean(piece)
    if language == "diff":
        return pen.lines(diff(piece, pen), indent)
    return pen.lines(coloured(piece, pen, path, language), indent)


def pieces(text: str) -> Iterator[str]:
    """A long text in parts of some lines each; a line without an end is cut too."""
    if len(text) < LINES * 40 and text.count("\n") < LINES:
        yield text
        return
    lines = text.split("\n")
    for begin in range(0, len(lines), LINES):
        piece = "\n".join(lines[begin : begin + LINES])
        for at in range(0, max(1, len(piece)), LINES * 200):
            yield piece[at : at + LINES * 200]
