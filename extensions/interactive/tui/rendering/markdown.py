"""Rendering of a model's Markdown: no text is omitted, and control characters are removed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, ListItem, Markdown
from rich.padding import Padding
from rich.segment import Segment

from extensions.interactive.tui.rendering.highlighted_code import code_text

if TYPE_CHECKING:
    from textual.strip import Strip

    from extensions.interactive.tui.rendering.line_renderer import LineRenderer


class _Heading(Heading):
    """A heading at the left, without a frame."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _Code(CodeBlock):
    """A code block in the theme's colours, without a background."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        pen = _drawing[-1]
        yield Padding(code_text(str(self.text).rstrip(), pen, language=self.lexer_name), (0, 0, 0, 2))


class _ListItem(ListItem):
    """An item of a list; the number of an ordered list is followed by a dot."""

    def render_number(self, console: Console, options: ConsoleOptions, number: int, last_number: int) -> RenderResult:
        width = len(str(last_number)) + 3
        lines = console.render_lines(self.elements, options.update(width=options.max_width - width))
        for at, line in enumerate(lines):
            yield Segment(f"{number}. ".rjust(width) if not at else " " * width)
            yield from line
            yield Segment("\n")


class _Markdown(Markdown):
    elements: ClassVar[dict[str, Any]] = Markdown.elements | {
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
        "list_item_open": _ListItem,
    }

    def __init__(self, text: str) -> None:
        super().__init__("", hyperlinks=False)
        self.markup = text
        self.parsed = _parser().parse(text)


_drawing: list[LineRenderer] = []
"""The renderers in use; code blocks use the last one, because Rich creates them itself."""


@cache
def _parser() -> Any:
    """Return a parser that treats HTML as text, because Rich would drop it."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough").enable("table")


def draw_markdown(text: str, pen: LineRenderer, indent: int = 0) -> list[Strip]:
    """Render cleaned text, without blank lines at the start and end."""
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
