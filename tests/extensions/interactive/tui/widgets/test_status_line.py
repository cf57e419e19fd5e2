"""The status line: what fits, and which parts are dropped first."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from extensions.interactive.session.session_status import Status
from extensions.interactive.tui import theme
from extensions.interactive.tui.widgets.status_line import StatusLine, clock, line
from tests.extensions.interactive.tui.session_states import run_app, status
from trajectories.records import Spent


def spent(dollars: float | None) -> Spent:
    return Spent(dollars, 1_200_000, 0, 34_567, 3)


def test_wide_line_shows_all_parts() -> None:
    text = line(status(queued=("one", "two")), 200).plain
    assert text == (
        "● ready · build · model-4-large · context 34% · $0.12 of $2.00 · 2 queued · 3:20 · main · docker · "
        "1a2b3c4d5e + 3 changes"
    )


@pytest.mark.parametrize("width", range(12, 121))
def test_line_fits_width_and_keeps_important_parts(width: int) -> None:
    text = line(status(state="asking", queued=("one",)), width)
    assert text.cell_length <= width
    assert "asks you" in text.plain
    if width >= 40:
        assert "build" in text.plain
        assert "$0.12 of $2.00" in text.plain


def test_wider_line_shows_more_parts() -> None:
    part_counts = [len(line(status(), width).plain.split(" · ")) for width in (40, 60, 100, 160)]
    assert part_counts == sorted(part_counts)
    assert part_counts[0] < part_counts[-1]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"spent": None}, "$0.00 of $2.00"),
        ({"spent": None, "budget": None}, "$0.00"),
        ({"spent": Spent(0.08, 0, 0, 0, 2, held_dollars=0.04)}, "$0.04 of $2.00 ·"),
        ({"spent": spent(None)}, "1.2M tokens"),
        ({"strategy": "templates"}, "build: templates"),
        ({"state": "paused"}, "‖ paused"),
        ({"branch": "feature/\x1b[31mred\u202e and a name that is much too long"}, "feature/red and a name that…"),
    ],
)
def test_line_shows_value(changes: dict[str, object], text: str) -> None:
    assert text in line(status(**changes), 200).plain


def test_line_without_model_shows_none() -> None:
    assert line(status(model="", context=None), 200).plain.startswith("● ready · build · $0.12 of $2.00")


@pytest.mark.parametrize(
    ("changes", "piece", "style"),
    [
        ({"spent": spent(1.59)}, "$1.59 of $2.00", ""),
        ({"spent": spent(1.6)}, "$1.60 of $2.00", "$text-warning"),
        ({"spent": spent(2.0)}, "$2.00 of $2.00", "bold $text-error"),
        ({"context": 0.81}, "context 81%", "$text-warning"),
        ({"state": "asking"}, "? asks you", "bold $text-warning"),
    ],
)
def test_parts_that_need_attention_are_coloured(changes: dict[str, object], piece: str, style: str) -> None:
    text = line(status(**changes), 200)
    at = text.plain.index(piece)
    assert [span.style for span in text.spans if span.start == at and span.style] == ([style] if style else [])


@pytest.mark.parametrize(("seconds", "expected"), [(0, "0:00"), (59.9, "0:59"), (727, "12:07"), (3727, "1:02:07")])
def test_clock_formats_seconds(seconds: float, expected: str) -> None:
    assert clock(seconds) == expected


class StatusApp(App[None]):
    def compose(self) -> ComposeResult:
        yield StatusLine()

    def on_mount(self) -> None:
        theme.register(self, "dark")


@pytest.mark.parametrize(
    ("state", "motion", "moves"), [("working", "full", True), ("working", "none", False), ("idle", "full", False)]
)
def test_mark_is_animated_only_while_working(state: str, motion: str, moves: bool) -> None:
    app = StatusApp()
    app.animation_level = motion  # type: ignore[assignment]

    async def interact(pilot: Pilot[None]) -> bool:
        status_line = pilot.app.query_one(StatusLine)
        status_line.show(status(state=state))
        return status_line.moves

    assert run_app(app, interact) is moves


def test_animation_stops_when_work_is_done() -> None:
    async def interact(pilot: Pilot[None]) -> tuple[bool, bool]:
        status_line = pilot.app.query_one(StatusLine)
        status_line.show(status(state="working"))
        before = status_line.moves
        status_line.show(status(state="idle"))
        return before, status_line.moves

    assert run_app(StatusApp(), interact) == (True, False)


def test_line_without_status_is_empty() -> None:
    async def interact(pilot: Pilot[None]) -> Status | None:
        return pilot.app.query_one(StatusLine).status

    assert run_app(StatusApp(), interact) is None


def test_line_reports_files_edited_by_user():
    assert "you changed 2 files" in line(status(edited=("a.py", "b.py")), 200).plain
    assert "you changed 1 file " in line(status(edited=("a.py",)), 200).plain
    assert "you changed" not in line(status(), 200).plain


def test_line_says_that_changes_are_written_in_place() -> None:
    assert "build, in place · " in line(status(in_place=True), 200).plain
    assert "in place" not in line(status(mode="plan", strategy="plan", in_place=True), 200).plain
