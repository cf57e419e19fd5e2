"""Colours of code. Not imported for the first screen, because importing pygments takes a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pygments.token import Token  # type: ignore[import-untyped]
from textual.highlight import HighlightTheme, highlight

if TYPE_CHECKING:
    from textual.content import Content


class Colours(HighlightTheme):
    """Styles of code: few colours, all from the theme."""

    STYLES = {  # noqa: RUF012 - as in the parent class
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


def highlight_code(code: str, path: str = "", language: str = "") -> Content:
    """Return code in the theme's colours. The language is guessed from the path, else from the code."""
    return highlight(code, language=language or None, path=path or None, theme=Colours)
