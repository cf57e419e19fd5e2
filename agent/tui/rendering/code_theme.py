"""What code looks like. Not of the first screen: pygments takes a while to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pygments.token import Token  # type: ignore[import-untyped]
from textual.highlight import HighlightTheme, highlight

if TYPE_CHECKING:
    from textual.content import Content


class Colours(HighlightTheme):
    """What code looks like: few colours, all the theme's own."""

    STYLES = {  # noqa: RUF012 - as its parent has it
        Token.Comment: "italic $text-muted",
        Token.Generic.Deleted: "$text-error",
        Token.Generic.Emph: "italic",
        Token.Generic.Heading: "bold",
        Token.Generic.Inserted: "$text-success",
        Token.Generic.Strong: "bold",
        Token.Generic.Subheading: "$text-primary",
        Token.Keyword: "$text-accent",
        Token.Name.Attribute: "$text-secondary",
        Token.Name.Builtin: "$text-secondary",
        Token.Name.Class: "$text-primary",
        Token.Name.Decorator: "$text-secondary",
        Token.Name.Function: "$text-primary",
        Token.Name.Tag: "$text-primary",
        Token.Number: "$text-warning",
        Token.Operator.Word: "$text-accent",
        Token.String: "$text-success",
    }


def highlighted(code: str, path: str = "", language: str = "") -> Content:
    """Code in the theme's colours. Its language is guessed by the path, else by the code."""
    return highlight(code, language=language or None, path=path or None, theme=Colours)
