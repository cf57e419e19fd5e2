"""Themes: every text can be read on every ground that it stands on."""

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

from agent.tui import theme
from agent.tui.rendering.code_theme import Colours, highlight_code
from agent.tui.theme import DARK, LIGHT

TEXTS = ("text", "text-muted", "text-disabled")
NAMED = tuple(f"text-{name}" for name in ("primary", "secondary", "accent", "success", "warning", "error"))
CURSORS = ("block-cursor-background", "block-cursor-blurred-background")
GROUNDS = ("background", "surface", "panel", "added", "removed", *CURSORS)
ON_GROUNDS = [
    ("block-cursor-foreground", "block-cursor-background"),
    ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
    ("text", "block-hover-background"),
    ("input-selection-foreground", "input-selection-background"),
    ("text", "screen-selection-background"),
    ("input-cursor-foreground", "input-cursor-background"),
]
PAIRS = [*product(TEXTS + NAMED, GROUNDS), *ON_GROUNDS]
LEAST = 4.5


def luminance(color: Color) -> float:
    """As WCAG 2.2 defines it."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: Color, other: Color) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colours(of: Theme) -> dict[str, str]:
    return {**of.to_color_system().generate(), **of.variables}


@pytest.mark.parametrize("shown", [DARK, LIGHT], ids=lambda shown: shown.name)
@pytest.mark.parametrize(("text", "ground"), PAIRS, ids=" on ".join)
def test_text_can_be_read(shown: Theme, text: str, ground: str) -> None:
    found = colours(shown)
    assert contrast(Color.parse(found[text]), Color.parse(found[ground])) >= LEAST


@pytest.mark.parametrize("shown", BUILTIN_THEMES.values(), ids=lambda shown: shown.name)
def test_no_theme_of_textual_hides_its_text(shown: Theme) -> None:
    found = theme.fixed_text_colours(colours(shown))
    if shown.ansi:
        assert found == colours(shown)
    else:
        assert contrast(Color.parse(found["text"]), Color.parse(found["background"])) >= 4
        assert contrast(Color.parse(found["text-muted"]), Color.parse(found["background"])) >= 2.8


def test_contrast_is_that_of_standard() -> None:
    assert contrast(Color.parse("#000000"), Color.parse("#ffffff")) == pytest.approx(21)
    assert contrast(Color.parse("#777777"), Color.parse("#ffffff")) == pytest.approx(4.48, abs=0.01)


def test_code_is_coloured_with_these_colours_alone() -> None:
    used = {word[1:] for style in Colours.STYLES.values() for word in style.split() if word.startswith("$")}
    assert used <= set(TEXTS + NAMED)


TERMINAL = "#c5c8c6"
"""What a screenshot takes for a terminal's own colour of text."""


class Themed(App[None]):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.wanted = name

    def compose(self) -> ComposeResult:
        yield Static("x = 'y'", id="code")

    def get_line_filters(self) -> Sequence[LineFilter]:
        return theme.line_filters(self, super().get_line_filters())

    def on_mount(self) -> None:
        theme.register(self, self.wanted)
        self.query_one("#code", Static).update(highlight_code("def f(): # why\n    return 'y' + 1", "a.py"))


def run(app: App[None], look: Callable[[App[None]], Any]) -> Any:
    """What is seen of an app once it stands."""

    async def running() -> Any:
        async with app.run_test() as pilot:
            await pilot.pause()
            return look(app)

    return asyncio.run(running())


@pytest.mark.parametrize(
    ("colour", "ground", "shown"),
    [
        ("truecolor", "", "dark"),
        ("truecolor", "15;0", "dark"),
        ("truecolor", "0;15", "light"),
        ("standard", "0;15", "ansi"),
        ("256", "", "dark"),
    ],
)
def test_theme_fits_terminal(monkeypatch: pytest.MonkeyPatch, colour: str, ground: str, shown: str) -> None:
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", colour)
    monkeypatch.setenv("COLORFGBG", ground)
    assert run(Themed("auto"), lambda app: app.theme) == shown


@pytest.mark.parametrize("name", ["dark", "light", "ansi"])
def test_code_has_colours_in_each_theme(name: str) -> None:
    def seen(app: App[None]) -> set[str]:
        strip = app.query_one("#code").render_line(0)
        return {
            (str(segment.style.color), segment.style.italic)
            for segment in strip
            if segment.style and segment.text.strip()
        }

    assert len(run(Themed(name), seen)) == 4, "keyword, function, comment and the rest"


def test_without_colours_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shot = run(Themed("dark"), lambda app: app.export_screenshot())
    colours = set(re.findall(r"-r\d+ \{ fill: (#[0-9a-f]{6})", shot))
    assert colours == {TERMINAL}, "the terminal's own, and no other"


def test_chosen_theme_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(config))
    told = run(Themed("dark"), lambda app: (theme.choose_theme(app, "light"), app.theme))
    assert told == ("The theme is light.", "light")
    assert tomllib.loads(config.read_text("utf-8")) == {"session": {"theme": "light"}}


def test_themes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    told = run(Themed("dark"), lambda app: (theme.choose_theme(app, ""), theme.choose_theme(app, "pink"), app.theme))
    assert told[0].startswith("The theme is dark. Themes: auto, dark, light, ansi,")
    assert told[1].startswith("There is no theme 'pink'. Themes: auto,")
    assert told[2] == "dark"
    assert not (tmp_path / "config.toml").exists()
