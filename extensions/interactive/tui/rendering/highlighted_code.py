"""Code and diffs in the theme's colours, as Rich text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.text import Text

from extensions.interactive.tui.rendering.code_theme import Colours
from extensions.interactive.tui.rendering.line_renderer import PLAIN

if TYPE_CHECKING:
    from extensions.interactive.tui.rendering.line_renderer import LineRenderer

LONGEST = 200_000
"""Maximum number of characters that are highlighted; longer code is shown as plain text."""


def code_text(code: str, pen: LineRenderer, path: str = "", language: str = "") -> Text:
    """Highlight cleaned code; the language is given by name or guessed from the path of the file."""
    lexer = language or lexer_of(path)
    if not lexer or len(code) > LONGEST:
        return Text(code, overflow="fold", tab_size=4)
    shown = Syntax(code, lexer, theme=_theme(pen), tab_size=4).highlight(code)
    shown.rstrip()
    shown.style, shown.overflow, shown.no_wrap = PLAIN, "fold", False  # remove the background
    return shown


@cache
def lexer_of(path: str) -> str:
    """Return the name of the lexer for a path, or ""."""
    from pygments.lexers import get_lexer_for_filename  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound  # type: ignore[import-untyped]

    try:
        lexer = get_lexer_for_filename(path.rpartition("/")[2])
    except ClassNotFound:
        return ""
    return str(lexer.aliases[0])


def diff_text(text: str, pen: LineRenderer) -> Text:
    """Return a unified diff with a colour for each kind of line."""
    shown = Text(overflow="fold", tab_size=4)
    for line in text.split("\n"):
        shown.append(f"{line}\n", pen.style(_kind(line)))
    shown.right_crop(1)
    return shown


def _kind(line: str) -> str:
    if line.startswith(("+++", "---", "diff ", "index ")):
        return "muted"
    if line.startswith("@@"):
        return "accent"
    return {"+": "added", "-": "removed"}.get(line[:1], "text")


def _theme(pen: LineRenderer) -> ANSISyntaxTheme:
    """Return the styles of code in this renderer's colours."""
    styles: dict[Any, Style] = {
        token: pen.style(style.replace("$text-", "")) for token, style in Colours.STYLES.items()
    }
    return ANSISyntaxTheme(styles)
