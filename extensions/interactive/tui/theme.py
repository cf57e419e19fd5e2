"""The themes: dark, light, and the terminal's own sixteen colours. Textual's themes can be chosen by name too.

Every text colour has a contrast of at least 4.5:1 on each of its backgrounds (WCAG 2.2, 1.4.3); a test checks this.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.color import Color
from textual.filter import LineFilter, NoColor
from textual.theme import Theme

from agent.config.session_preferences import OWN_THEMES
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from textual.app import App

AUTO = "auto"
"""Setting that selects the theme that fits the terminal."""
LIGHT_GROUNDS = ("7", "15")
SHARES = {"text": 1.0, "text-muted": 0.8, "text-disabled": 0.8}
"""Share of the foreground colour when it is blended with the background, for text colours that a theme does not
define."""

DARK = Theme(
    name="dark",
    primary="#7aa2f7",
    secondary="#8fb3d9",
    accent="#c4a7f5",
    success="#87c98a",
    warning="#e5b567",
    error="#f28b82",
    foreground="#dcdfe4",
    background="#16181d",
    surface="#1c1f26",
    panel="#242833",
    dark=True,
    variables={
        "text": "#dcdfe4",
        "text-muted": "#a0a7b4",
        "text-disabled": "#a0a7b4",
        "text-primary": "#8fb2ff",
        "text-secondary": "#9cc0e7",
        "text-accent": "#ccb3f7",
        "text-success": "#93d196",
        "text-warning": "#eabf78",
        "text-error": "#f79a92",
        "border": "#7aa2f7",
        "border-blurred": "#4a5163",
        "added": "#1b3524",
        "removed": "#45242a",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-background": "#2b3a5c",
        "block-cursor-blurred-background": "#292f3d",
        "block-cursor-blurred-foreground": "#dcdfe4",
        "block-hover-background": "#2a2f3b",
        "footer-key-foreground": "#8fb2ff",
        "input-selection-background": "#3b5280",
        "screen-selection-background": "#3b5280",
        "scrollbar": "#4a5163",
        "scrollbar-background": "#1c1f26",
    },
)

LIGHT = Theme(
    name="light",
    primary="#2457b8",
    secondary="#2f6690",
    accent="#6f3fb4",
    success="#1f6f35",
    warning="#825200",
    error="#b3261e",
    foreground="#1f232b",
    background="#fbfbfa",
    surface="#f3f4f4",
    panel="#e8eaed",
    dark=False,
    variables={
        "text": "#1f232b",
        "text-muted": "#525a66",
        "text-disabled": "#525a66",
        "text-primary": "#1f4fab",
        "text-secondary": "#285a80",
        "text-accent": "#6637a8",
        "text-success": "#17602c",
        "text-warning": "#744800",
        "text-error": "#a3201a",
        "border": "#2457b8",
        "border-blurred": "#b6bcc6",
        "added": "#d9f2de",
        "removed": "#fbdfdc",
        "block-cursor-foreground": "#1f232b",
        "block-cursor-background": "#cfdcf7",
        "block-cursor-blurred-background": "#d3d9e4",
        "block-cursor-blurred-foreground": "#1f232b",
        "block-hover-background": "#dde1e7",
        "footer-key-foreground": "#1f4fab",
        "input-selection-background": "#bcd0f5",
        "screen-selection-background": "#bcd0f5",
        "scrollbar": "#aab2be",
        "scrollbar-background": "#f3f4f4",
    },
)

ANSI = Theme(
    name="ansi",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    accent="ansi_magenta",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        # Muted colours are unreadable in half of the palettes with sixteen colours.
        "text-muted": "ansi_default",
        "text-disabled": "ansi_default",
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "border": "ansi_blue",
        "border-blurred": "ansi_bright_black",
        "added": "ansi_default",
        "removed": "ansi_default",
        # Textual does not show `reverse` in lists; with NO_COLOR the underline remains.
        "block-cursor-foreground": "ansi_bright_white",
        "block-cursor-background": "ansi_blue",
        "block-cursor-text-style": "bold underline",
        "block-cursor-blurred-text-style": "bold",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_blue",
        "input-selection-foreground": "ansi_bright_white",
        "screen-selection-background": "ansi_blue",
        "screen-selection-foreground": "ansi_bright_white",
    },
)
THEMES = (DARK, LIGHT, ANSI)


def register(app: App[Any], name: str = AUTO) -> None:
    """Register the themes and use the named one, or the one that fits the terminal if no theme has this name."""
    for theme in THEMES:
        app.register_theme(theme)
    app.theme = name if name in app.available_themes and not app.no_color else default_theme(app)


def fixed_text_colours(variables: dict[str, str]) -> dict[str, str]:
    """Return a theme's variables with a fixed value for each text colour.

    Textual's themes compute text colours from the background, but widgets that draw lines themselves do not know it.
    """
    left = {name: share for name, share in SHARES.items() if variables[name].startswith("auto")}
    if not left:
        return variables
    ground, ink = Color.parse(variables["background"]), Color.parse(variables["foreground"])
    return variables | {name: ground.blend(ink, share).hex for name, share in left.items()}


def line_filters(app: App[Any], filters: Sequence[LineFilter]) -> list[LineFilter]:
    """Return an app's line filters. With NO_COLOR all colours are removed; Textual would use greys."""
    return [*filters, NoColor()] if app.no_color else list(filters)


def default_theme(app: App[Any]) -> str:
    """Return the default theme of a terminal.

    It is `ansi` with sixteen colours or fewer, `light` if COLORFGBG reports a light background, else `dark`.
    """
    if app.no_color or app.console.color_system in (None, "standard"):
        return ANSI.name
    ground = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT.name if ground in LIGHT_GROUNDS else DARK.name


def names(app: App[Any]) -> list[str]:
    """Return the available themes, swe-agent's own first."""
    return [*OWN_THEMES, *sorted(set(app.available_themes).difference(OWN_THEMES))]


def choose_theme(app: App[Any], name: str) -> str:
    """Switch to another theme and return a message; without a name, list the themes."""
    known = names(app)
    listed = f"Themes: {', '.join(known)}."
    if not name:
        return f"The theme is {app.theme}. {listed} `/theme NAME` chooses another."
    if name not in known:
        return f"There is no theme {name!r}. {listed}"
    app.theme = default_theme(app) if name == AUTO else name
    from agent.config.user_config import change

    try:
        change("session.theme", name)
    except SweAgentError as error:
        return f"The theme is {app.theme} for this session only: {error.message} {error.fix}".strip()
    return f"The theme is {app.theme}."
