"""Code and diffs in the theme's colours, as rich draws them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.text import Text

from agent.tui.colours import Colours
from agent.tui.pen import PLAIN

if TYPE_CHECKING:
    from agent.tui.pen import Pen

LONGEST = 200_000
"""Characters that are coloured; more of it is shown as plain text."""


def coloured(code: str, pen: Pen, path: str = "", language: str = "") -> Text:
    """Clean code, its language told by its name or by the path it lies at."""
    lexer = language or lexer_of(path)
    if not lexer or len(code) > LONGEST:
        return Text(code, overflow="fold", tab_size=4)
    shown = Syntax(code, lexer, theme=_theme(pen), tab_size=4).highlight(code)
    shown.rstrip()
    shown.style, shown.overflow, shown.no_wrap = PLAIN, "fold", False  # no ground of its own
    return shown


@cache
def lexer_of(path: str) -> str:
    """The name of the lexer for files of that name; empty where there is none."""
    from pygments.lexers import get_lexer_for_filename  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound  # type: ignore[import-untyped]

    try:
        lexer = get_lexer_for_filename(path.rpartition("/")[2])
    except ClassNotFound:
        return ""
    return str(lexer.aliases[0])


def diff(text: str, pen: Pen) -> Text:
    """A unified diff, a colour for each kind of line."""
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


def _theme(pen: Pen) -> ANSISyntaxTheme:
    """What `agent/tui/theme.py` says of code, in this pen's colours."""
    styles: dict[Any, Style] = {token: pen.style(said.replace("$text-", "")) for token, said in Colours.STYLES.items()}
    return ANSISyntaxTheme(styles)
