"""The list of runs to go on with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from agent.session.resumable_runs import read_preview as look_at
from agent.tui import theme
from agent.tui.run_preview import age
from agent.tui.runs_screen import RunsScreen
from tests.agent.tui.session_states import running
from trajectories.journal import Journal
from trajectories.records import Base, Exit, Hold, Issue, Note, Reply, Run, Settle, Turn, Usage

NOW = 1_700_000_000.0
HERE = "/work/shop"


def write(runs: Path, name: str, title: str, hours: float, repository: str = HERE, ended: str = "unproven") -> Path:
    """A run of two turns that was last written to so many hours ago."""
    directory = runs / name
    journal = Journal(directory)
    journal.append(
        Run(name, Issue(title, "[b]More\x1b[2J[/b]"), repository, Base("c", "t")),
        Turn(title, "build"),
        Hold("main", 0, 0, "m", 0.5, 100),
        Settle("main?0.0", Usage(100, 20), 0.25, "usage"),
        Reply("Done [so far].", branch="main", ask=0),
        Exit("answered", 0),
        Turn("And g", "build"),
    )
    if ended:
        journal.append(Exit(ended, 6), Note("main", "done", "apply"))
    journal.close()
    _age(directory, hours)
    return directory


def _age(directory: Path, hours: float) -> None:
    os.utime(directory / "journal.jsonl", (NOW - hours * 3600,) * 2)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write(tmp_path, "r1", "VAT is [wrong]", 1)
    write(tmp_path, "r2", "Totals are rounded", 30, ended="")
    write(tmp_path, "r3", "Elsewhere", 2, "/work/other")
    (tmp_path / "r4").mkdir()
    (tmp_path / "r4" / "journal.jsonl").write_text("nonsense\n")
    _age(tmp_path / "r4", 3)
    broken = write(tmp_path, "r5", "Half lost", 400) / "journal.jsonl"
    broken.write_bytes(broken.read_bytes().replace(b'"type":"turn"', b'"type":"torn"', 1))
    _age(tmp_path / "r5", 400)
    (tmp_path / "no-run").mkdir()
    return tmp_path


class Choosing(App[None]):
    def __init__(self, runs: Path, repository: str = HERE) -> None:
        super().__init__()
        self.shown = RunsScreen(runs, repository, NOW)
        self.chosen: list[Path | None] = []

    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.push_screen(self.shown, self.chosen.append)

    @property
    def rows(self) -> list[str]:
        offered = self.shown.query_one(OptionList)
        return [str(offered.get_option_at_index(at).prompt) for at in range(offered.option_count)]

    def text(self, where: str) -> str:
        return str(self.shown.query_one(where, Static).content)


def after(app: Choosing, *keys: str, size: tuple[int, int] = (100, 30)) -> Any:
    """The app when its list was read, these keys pressed, and the preview read."""

    async def look(pilot: Pilot[Any]) -> Choosing:
        for key in ("", *keys):
            if key:
                await pilot.press(*(key[1:] if key.startswith("'") else [key]))
            for _ in range(2):  # the list, then what is chosen in it
                await app.workers.wait_for_complete()
                await pilot.pause()
        app.seen = (app.rows, app.text("#preview Static"), app.text("#heading")) if not app.chosen else ([], "", "")
        return app

    app.seen = ([], "", "")
    return running(app, look, size)


def test_this_repositorys_are_listed_last_used_first(runs: Path) -> None:
    rows, _, heading = after(Choosing(runs)).seen
    assert rows == [
        "  1h   VAT is [wrong]",
        "  3h damaged: r4",
        "  1d … Totals are rounded",
        " 16d   Half lost",
    ]
    assert heading == "4 runs of this repository"


@pytest.mark.slow
def test_tab_lists_all_repositories_and_back(runs: Path) -> None:
    assert "  2h   Elsewhere" in after(Choosing(runs), "tab").seen[0]
    assert "  2h   Elsewhere" not in after(Choosing(runs), "tab", "tab").seen[0]
    assert "  2h   Elsewhere" in after(Choosing(runs, "")).seen[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (["enter"], ["r1"]),
        (["down", "down", "enter"], ["r2"]),
        (["down", "enter"], []),
        (["down", "up", "up", "enter"], ["r1"]),
        (["down", "down", "down", "enter"], []),
        (["'total", "enter"], ["r2"]),
        (["'rounded", "space", "'tot", "enter"], ["r2"]),
        (["'nothing", "enter"], []),
        (["tab", "down", "enter"], ["r3"]),
        (["down", "down", "tab", "enter"], ["r2"]),
    ],
)
def test_keys(runs: Path, keys: list[str], chosen: list[str]) -> None:
    assert after(Choosing(runs), *keys).chosen == [runs / name for name in chosen]


def test_esc_chooses_none(runs: Path) -> None:
    assert after(Choosing(runs), "escape").chosen == [None]


@pytest.mark.slow
def test_preview_tells_what_run_came_to(runs: Path) -> None:
    assert after(Choosing(runs)).seen[1].split("\n") == [
        "A patch, not verified.",
        "2 turns · 0 steps · $0.2500 100 in 20 out",
        "",
        "VAT is [wrong]",
        "",
        "[b]More[/b]",
        "",
        "Last request",
        "And g",
        "",
        "Last words",
        "Done [so far].",
    ]
    assert after(Choosing(runs), "down", "down").seen[1].startswith("Not finished.")


@pytest.mark.slow
def test_run_that_is_damaged_further_on_is_found_out_by_its_preview(runs: Path) -> None:
    rows, preview, _ = after(Choosing(runs), "end", "down", "down", "down").seen
    assert rows[3] == " 16d damaged: r5"
    assert "is damaged" in preview


@pytest.mark.slow
def test_no_runs_at_all(tmp_path: Path) -> None:
    app = after(Choosing(tmp_path / "none"), "down", "enter", "'x")
    assert app.seen == ([], "", "0 runs of this repository")
    assert app.chosen == []


def test_list_and_preview_have_room_on_small_screen(runs: Path) -> None:
    app = Choosing(runs)

    async def look(pilot: Pilot[Any]) -> list[int]:
        await app.workers.wait_for_complete()
        await pilot.pause()
        regions = [app.shown.query_one(each).region for each in (OptionList, "#preview")]
        assert regions[0].bottom <= regions[1].y
        return [region.height for region in regions]

    assert running(app, look, (40, 20)) == [4, 11]


def test_what_run_came_to_is_read_whole(runs: Path) -> None:
    seen = look_at(runs / "r2")
    assert (seen.turns, seen.request, seen.words, seen.exit) == (2, "And g", "Done [so far].", None)
    assert seen.spent.dollars == 0.25


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "now"), (59, "now"), (61, "1m"), (7199, "1h"), (86_400, "1d"), (400 * 86_400, "1y"), (-5, "now")],
)
def test_ages(seconds: float, told: str) -> None:
    assert age(seconds) == told
