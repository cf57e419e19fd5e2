"""A model's words as Markdown: nothing of them is left out, nothing in them is a command to the terminal."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.padding import Padding

from agent.tui.code import coloured

if TYPE_CHECKING:
    from textual.strip import Strip

    from agent.tui.pen import Pen


class _Heading(Heading):
    """At the left, without a frame."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _Code(CodeBlock):
    """Without a ground of its own, in the theme's colours."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        pen = _drawing[-1]
        yield Padding(coloured(str(self.text).rstrip(), pen, language=self.lexer_name), (0, 0, 0, 2))


class _Markdown(Markdown):
    elements: ClassVar[dict[str, Any]] = Markdown.elements | {
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
    }

    def __init__(self, text: str) -> None:
        super().__init__("", hyperlinks=False)
        self.markup = text
        self.parsed = _parser().parse(text)


_drawing: list[Pen] = []
"""Whose code blocks are being drawn: rich makes them itself."""


@cache
def _parser() -> Any:
    """HTML is text like any other: rich would drop it."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough").enable("table")


def draw(text: str, pen: Pen, indent: int = 0) -> list[Strip]:
    """Cleaned text, laid out; without the blank lines around it."""
    _drawing.append(pen)
    try:
        strips = pen.lines(_Markdown(text), indent)
    finally:
        _drawing.pop()
    while strips and not strips[-1].text.strip():
        strips.pop()
    while strips and not strips[0].text.strip():
        strips.pop(0)
    return strips
