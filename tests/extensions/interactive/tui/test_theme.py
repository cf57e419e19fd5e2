"""Themes: every text colour is readable on every background it is used on."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import BUILTIN_THEMES, Theme
from textual.widgets import Static

from agent.config.session_preferences import OWN_THEMES
from extensions.interactive.tui import theme
from extensions.interactive.tui.rendering.code_theme import Colours, highlight_code
from extensions.interactive.tui.theme import AUTO, DARK, LIGHT, THEMES

TEXTS = ("text", "text-muted", "text-disabled")
NAMED = tuple(f"text-{name}" for name in ("primary", "secondary", "accent", "success", "warning", "error"))
CURSORS = ("block-cursor-background", "block-cursor-blurred-background")
BACKGROUNDS = ("background", "surface", "panel", "added", "removed", *CURSORS)
CONTROL_PAIRS = [
    ("block-cursor-foreground", "block-cursor-background"),
    ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
    ("text", "block-hover-background"),
    ("input-selection-foreground", "input-selection-background"),
    ("text", "screen-selection-background"),
    ("input-cursor-foreground", "input-cursor-background"),
]
PAIRS = [*product(TEXTS + NAMED, BACKGROUNDS), *CONTROL_PAIRS]
MINIMUM = 4.5


def luminance(color: Color) -> float:
    """As WCAG 2.2 defines it."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: Color, other: Color) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colours(shown_theme: Theme) -> dict[str, str]:
    return {**shown_theme.to_color_system().generate(), **shown_theme.variables}


@pytest.mark.parametrize("checked_theme", [DARK, LIGHT], ids=lambda checked_theme: checked_theme.name)
@pytest.mark.parametrize(("text", "background"), PAIRS, ids=" on ".join)
def test_text_has_enough_contrast(checked_theme: Theme, text: str, background: str) -> None:
    palette = colours(checked_theme)
    assert contrast(Color.parse(palette[text]), Color.parse(palette[background])) >= MINIMUM


@pytest.mark.parametrize("checked_theme", BUILTIN_THEMES.values(), ids=lambda checked_theme: checked_theme.name)
def test_textual_themes_have_readable_text(checked_theme: Theme) -> None:
    palette = theme.fixed_text_colours(colours(checked_theme))
    if checked_theme.ansi:
        assert palette == colours(checked_theme)
    else:
        assert contrast(Color.parse(palette["text"]), Color.parse(palette["background"])) >= 4
        assert contrast(Color.parse(palette["text-muted"]), Color.parse(palette["background"])) >= 2.8


def test_contrast_agrees_with_wcag() -> None:
    assert contrast(Color.parse("#000000"), Color.parse("#ffffff")) == pytest.approx(21)
    assert contrast(Color.parse("#777777"), Color.parse("#ffffff")) == pytest.approx(4.48, abs=0.01)


def test_code_uses_only_checked_colours() -> None:
    used = {word[1:] for style in Colours.STYLES.values() for word in style.split() if word.startswith("$")}
    assert used <= set(TEXTS + NAMED)


TERMINAL = "#c5c8c6"
"""The text colour that a screenshot uses for the terminal's default."""


class ThemedApp(App[None]):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.theme_name = name

    def compose(self) -> ComposeResult:
        yield Static("x = 'y'", id="code")

    def get_line_filters(self) -> Sequence[LineFilter]:
        return theme.line_filters(self, super().get_line_filters())

    def on_mount(self) -> None:
        theme.register(self, self.theme_name)
        self.query_one("#code", Static).update(highlight_code("def f(): # why\n    return 'y' + 1", "a.py"))


def query_app(app: App[None], query: Callable[[App[None]], Any]) -> Any:
    """Run the app and return the result of `query`."""

    async def run_app() -> Any:
        async with app.run_test() as pilot:
            await pilot.pause()
            return query(app)

    return asyncio.run(run_app())


@pytest.mark.parametrize(
    ("colour_system", "background", "expected"),
    [
        ("truecolor", "", "dark"),
        ("truecolor", "15;0", "dark"),
        ("truecolor", "0;15", "light"),
        ("standard", "0;15", "ansi"),
        ("256", "", "dark"),
    ],
)
def test_auto_theme_depends_on_terminal(
    monkeypatch: pytest.MonkeyPatch, colour_system: str, background: str, expected: str
) -> None:
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", colour_system)
    monkeypatch.setenv("COLORFGBG", background)
    assert query_app(ThemedApp("auto"), lambda app: app.theme) == expected


@pytest.mark.parametrize("name", ["dark", "light", "ansi"])
def test_code_is_highlighted_in_each_theme(name: str) -> None:
    def styles(app: App[None]) -> set[str]:
        strip = app.query_one("#code").render_line(0)
        return {
            (str(segment.style.color), segment.style.italic)
            for segment in strip
            if segment.style and segment.text.strip()
        }

    assert len(query_app(ThemedApp(name), styles)) == 4, "keyword, function, comment and the rest"


def test_no_color_removes_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screenshot = query_app(ThemedApp("dark"), lambda app: app.export_screenshot())
    colours = set(re.findall(r"-r\d+ \{ fill: (#[0-9a-f]{6})", screenshot))
    assert colours == {TERMINAL}, "only the terminal's default colour"


def test_chosen_theme_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(config))
    result = query_app(ThemedApp("dark"), lambda app: (theme.choose_theme(app, "light"), app.theme))
    assert result == ("The theme is light.", "light")
    assert tomllib.loads(config.read_text("utf-8")) == {"session": {"theme": "light"}}


def test_themes_are_listed_without_known_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    result = query_app(
        ThemedApp("dark"), lambda app: (theme.choose_theme(app, ""), theme.choose_theme(app, "pink"), app.theme)
    )
    assert result[0].startswith("The theme is dark. Themes: auto, dark, light, ansi,")
    assert result[1].startswith("There is no theme 'pink'. Themes: auto,")
    assert result[2] == "dark"
    assert not (tmp_path / "config.toml").exists()


def test_own_themes_are_those_that_the_settings_accept() -> None:
    assert (AUTO, *(each.name for each in THEMES)) == OWN_THEMES
