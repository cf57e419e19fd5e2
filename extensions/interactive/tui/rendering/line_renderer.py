"""Renders Rich objects as lines of a given width in the theme's colours."""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO

from rich.console import Console, RenderableType
from rich.style import Style
from rich.text import Text
from rich.theme import Theme
from textual.strip import Strip

from aci.observation.untrusted_text import clean_text

PLAIN = Style()
NAMES = ("text", "muted", "primary", "secondary", "accent", "success", "warning", "error", "added", "removed", "code")
"""Names of colours by purpose; a theme defines them."""
ATTRIBUTES = ("bold", "italic", "dim")
MARKS = {True: "✓", False: "✗", None: "·"}
ASCII_MARKS = {True: "+", False: "x", None: "-"}


def can_unicode() -> bool:
    """Return whether the terminal can show non-ASCII characters, according to the locale and TERM."""
    encoding = (getattr(sys.__stdout__, "encoding", "") or locale.getpreferredencoding(False)).lower()
    return "utf" in encoding and os.environ.get("TERM") not in ("linux", "vt100", "dumb")


@dataclass(frozen=True)
class LineRenderer:
    """Renders lines that are `width` columns wide, with colours by name, and only in ASCII if `ascii` is true."""

    width: int
    colours: Mapping[str, Style] = field(default_factory=dict)
    ascii: bool = False

    def style(self, name: str) -> Style:
        """Return a style by its colour's name, optionally preceded by `bold`, `italic` or `dim`."""
        words = name.split()
        attributes = [word for word in words if word in ATTRIBUTES]
        colour = next((word for word in words if word not in ATTRIBUTES), "text")
        style = self.colours.get(colour, PLAIN)
        return style + Style.parse(" ".join(attributes)) if attributes else style

    def mark(self, ok: bool | None) -> str:
        return (ASCII_MARKS if self.ascii else MARKS)[ok]

    def sign(self, sign: str, ascii: str) -> str:
        return ascii if self.ascii else sign

    @cached_property
    def console(self) -> Console:
        theme = Theme(
            {
                "markdown.h1": self.style("bold primary"),
                "markdown.h2": self.style("bold primary"),
                "markdown.h3": self.style("bold"),
                "markdown.code": self.style("secondary"),
                "markdown.block_quote": self.style("muted"),
                "markdown.item.bullet": self.style("muted"),
                "markdown.item.number": self.style("muted"),
                "markdown.hr": self.style("muted"),
                "markdown.link": self.style("primary"),
                "markdown.link_url": self.style("muted"),
                "markdown.table.border": self.style("muted"),
                "markdown.table.header": self.style("bold"),
            }
        )
        return Console(
            file=StringIO(),
            width=self.width,
            theme=theme,
            force_terminal=True,
            color_system="truecolor",
            legacy_windows=False,
            markup=False,
            highlight=False,
            emoji=False,
        )

    def lines(self, what: RenderableType, indent: int = 0) -> list[Strip]:
        """Render a Rich object."""
        width = max(1, self.width - indent)
        options = self.console.options.update(width=width, height=None)
        rows = self.console.render_lines(what, options, pad=False)
        strips = [Strip(row) for row in rows]
        return [blank(indent) + strip for strip in strips] if indent else strips

    def line(self, *parts: str | tuple[str, str], indent: int = 0) -> Strip:
        """Render texts, each with the name of its style, as one line, truncated to the width."""
        text = Text(" " * indent, no_wrap=True, end="")
        for part in parts:
            words, style = part if isinstance(part, tuple) else (part, "")
            text.append(one_line(words), self.style(style) if style else None)
        text.truncate(self.width, overflow="ellipsis")
        return Strip(list(text.render(self.console)))

    def paragraph(self, words: str, style: str = "", indent: int = 0) -> list[Strip]:
        """Render plain text, wrapped at the width."""
        text = Text(clean_text(words), self.style(style) if style else PLAIN, overflow="fold", tab_size=4)
        return self.lines(text, indent)


def blank(width: int) -> Strip:
    return Strip.blank(width)


def one_line(words: str) -> str:
    """Clean text and collapse white space to single spaces; keep one space at each end that has one."""
    middle = " ".join(clean_text(words).split())
    return f"{' ' * (words[:1] == ' ')}{middle}{' ' * (words[-1:] == ' ' and bool(middle))}"
