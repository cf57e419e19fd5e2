"""Pictures of the README and the documentation: present, small, referenced, and drawn from what the pages say."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PICTURES = DOCS / "pictures"
SNAPSHOTS = ROOT / "tests" / "extensions" / "interactive" / "tui" / "__snapshots__" / "test_screen_snapshots"
LARGEST = {".svg": 200_000, ".png": 150_000}
"""Maximum size of a picture in bytes."""


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "pictures"))
    for name in ("bars", "terminal"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_referenced_pictures_exist_and_all_are_referenced() -> None:
    found = set()
    for page in (ROOT / "README.md", *DOCS.glob("*.md")):
        for name in re.findall(r"""(?:!\[[^]]*\]\(|(?:src|srcset)=")([^)"\s]+\.(?:svg|png))""", page.read_text()):
            picture = (page.parent / name).resolve()
            assert picture.is_file(), f"{page.name} shows {name}, which does not exist"
            found.add(picture)
    assert found >= set(PICTURES.iterdir())
    assert {picture.name for picture in found if picture.stat().st_size > LARGEST[picture.suffix]} == set()


def test_bars_have_the_figures_of_the_benchmarks_page() -> None:
    from bars import draw_bars

    groups = json.loads((ROOT / "benchmarks" / "peers.json").read_text())
    page = (DOCS / "benchmarks.md").read_text()
    figures = {bar["shown"] for group in groups for bar in group["bars"]}
    assert {figure for figure in figures if not re.search(rf"(?<![\d.]){re.escape(figure)}(?!\d)", page)} == set()
    assert {group["command"] for group in groups if group.get("command", "") not in page} == set()
    assert (PICTURES / "peers.svg").read_text() == draw_bars(groups), "run scripts/pictures peers"


def test_comparison_in_readme_is_that_of_the_page_with_its_sources() -> None:
    table = re.search(r"<!-- comparison -->\n(.*?)<!-- end -->", (DOCS / "comparison.md").read_text(), re.DOTALL)
    assert table
    assert table[1] in (ROOT / "README.md").read_text()


def test_session_shows_a_current_screen() -> None:
    for scheme, suffix in (("light", "-light"), ("dark", "")):
        snapshot = SNAPSHOTS / f"test_screen_matches_snapshot[working-100x30{suffix}].svg"
        expected = re.sub(r"@font-face \{.*?\}\s*", "", snapshot.read_text(), flags=re.DOTALL)
        assert (PICTURES / f"session-{scheme}.svg").read_text() == expected, "run scripts/pictures session"


def test_animation_shows_the_redrawn_screens_of_a_terminal() -> None:
    from terminal import LINE, Recording, animation, frames

    events = [
        (0.0, "$ fix\r\n\x1b[32mwork\x1b[0m 1\r\n"),
        (0.5, "\x1b["),
        (1.0, "1A\x1b[2Kok <1\r\n"),
        (1.5, "wide word"),
    ]
    shown = frames(Recording(6, events), 3)
    screens = [["".join(text for text, _ in row) for row in screen] for _, screen in shown]
    assert screens == [["$ fix"], ["$ fix", "work 1"], ["$ fix", "ok <1"], ["ok <1", "wide w", "ord"]]
    picture = animation(shown, 6, "fix", "A fix")
    assert len(ElementTree.fromstring(picture).findall(".//{*}use")) == 8
    assert f"translateY({-9 * LINE}px)" in picture
