"""The screen that lists runs to resume."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from agent.runs.resumable_runs import read_preview
from extensions.interactive.tui import theme
from extensions.interactive.tui.run_preview import age
from extensions.interactive.tui.runs_screen import RunsScreen
from tests.extensions.interactive.tui.session_states import run_app
from trajectories.journal import Journal
from trajectories.records import Base, Exit, Hold, Issue, Note, Reply, Run, Settle, Turn, Usage

NOW = 1_700_000_000.0
HERE = "/work/shop"


def write_run(
    runs: Path, name: str, title: str, hours: float, repository: str = HERE, exit_kind: str = "unproven"
) -> Path:
    """Write a run of two turns that was last used so many hours ago."""
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
    if exit_kind:
        journal.append(Exit(exit_kind, 6), Note("main", "done", "apply"))
    journal.close()
    set_age(directory, hours)
    return directory


def set_age(directory: Path, hours: float) -> None:
    os.utime(directory / "journal.jsonl", (NOW - hours * 3600,) * 2)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_run(tmp_path, "r1", "VAT is [wrong]", 1)
    write_run(tmp_path, "r2", "Totals are rounded", 30, exit_kind="")
    write_run(tmp_path, "r3", "Elsewhere", 2, "/work/other")
    (tmp_path / "r4").mkdir()
    (tmp_path / "r4" / "journal.jsonl").write_text("nonsense\n")
    set_age(tmp_path / "r4", 3)
    broken = write_run(tmp_path, "r5", "Half lost", 400) / "journal.jsonl"
    broken.write_bytes(broken.read_bytes().replace(b'"type":"turn"', b'"type":"torn"', 1))
    set_age(tmp_path / "r5", 400)
    (tmp_path / "no-run").mkdir()
    return tmp_path


class RunsApp(App[None]):
    def __init__(self, runs: Path, repository: str = HERE) -> None:
        super().__init__()
        self.runs_screen = RunsScreen(runs, repository, NOW)
        self.chosen: list[Path | None] = []

    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.push_screen(self.runs_screen, self.chosen.append)

    @property
    def rows(self) -> list[str]:
        options = self.runs_screen.query_one(OptionList)
        return [str(options.get_option_at_index(at).prompt) for at in range(options.option_count)]

    def text(self, selector: str) -> str:
        return str(self.runs_screen.query_one(selector, Static).content)


def app_after_keys(app: RunsApp, *keys: str, size: tuple[int, int] = (100, 30)) -> Any:
    """The app after its list was loaded, these keys pressed and the preview loaded."""

    async def interact(pilot: Pilot[Any]) -> RunsApp:
        for key in ("", *keys):
            if key:
                await pilot.press(*(key[1:] if key.startswith("'") else [key]))
            for _ in range(2):  # first the list, then the preview
                await app.workers.wait_for_complete()
                await pilot.pause()
        app.content = (app.rows, app.text("#preview Static"), app.text("#heading")) if not app.chosen else ([], "", "")
        return app

    app.content = ([], "", "")
    return run_app(app, interact, size)


@pytest.mark.slow
def test_runs_of_repository_are_listed_by_last_use(runs: Path) -> None:
    rows, _, heading = app_after_keys(RunsApp(runs)).content
    assert rows == [
        "  1h   VAT is [wrong]",
        "  3h damaged: r4",
        "  1d … Totals are rounded",
        " 16d   Half lost",
    ]
    assert heading == "4 runs of this repository"


@pytest.mark.slow
def test_tab_toggles_runs_of_all_repositories(runs: Path) -> None:
    assert "  2h   Elsewhere" in app_after_keys(RunsApp(runs), "tab").content[0]
    assert "  2h   Elsewhere" not in app_after_keys(RunsApp(runs), "tab", "tab").content[0]
    assert "  2h   Elsewhere" in app_after_keys(RunsApp(runs, "")).content[0]


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
def test_keys_choose_run(runs: Path, keys: list[str], chosen: list[str]) -> None:
    assert app_after_keys(RunsApp(runs), *keys).chosen == [runs / name for name in chosen]


@pytest.mark.slow
def test_escape_chooses_no_run(runs: Path) -> None:
    assert app_after_keys(RunsApp(runs), "escape").chosen == [None]


@pytest.mark.slow
def test_preview_shows_result_of_run(runs: Path) -> None:
    assert app_after_keys(RunsApp(runs)).content[1].split("\n") == [
        "Unproven: there is a patch, but the proof is not complete.",
        "2 turns · 0 steps · $0.2500 100 in 20 out",
        "",
        "VAT is [wrong]",
        "",
        "[b]More[/b]",
        "",
        "Last request",
        "And g",
        "",
        "Last reply",
        "Done [so far].",
    ]
    assert app_after_keys(RunsApp(runs), "down", "down").content[1].startswith("Not finished.")


@pytest.mark.slow
def test_preview_detects_damage_later_in_journal(runs: Path) -> None:
    rows, preview, _ = app_after_keys(RunsApp(runs), "end", "down", "down", "down").content
    assert rows[3] == " 16d damaged: r5"
    assert "is damaged" in preview


@pytest.mark.slow
def test_list_without_runs_is_empty(tmp_path: Path) -> None:
    app = app_after_keys(RunsApp(tmp_path / "none"), "down", "enter", "'x")
    assert app.content == ([], "", "0 runs of this repository")
    assert app.chosen == []


def test_list_and_preview_fit_small_screen(runs: Path) -> None:
    app = RunsApp(runs)

    async def interact(pilot: Pilot[Any]) -> list[int]:
        await app.workers.wait_for_complete()
        await pilot.pause()
        regions = [app.runs_screen.query_one(each).region for each in (OptionList, "#preview")]
        assert regions[0].bottom <= regions[1].y
        return [region.height for region in regions]

    assert run_app(app, interact, (40, 20)) == [4, 11]


def test_read_preview_reads_last_turn_and_costs(runs: Path) -> None:
    preview = read_preview(runs / "r2")
    assert (preview.turns, preview.request, preview.words, preview.exit) == (2, "And g", "Done [so far].", None)
    assert preview.spent.dollars == 0.25


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "now"), (59, "now"), (61, "1m"), (7199, "1h"), (86_400, "1d"), (400 * 86_400, "1y"), (-5, "now")],
)
def test_age_has_one_unit(seconds: float, expected: str) -> None:
    assert age(seconds) == expected
