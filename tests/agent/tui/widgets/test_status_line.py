"""The status line: what fits, and what goes first."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from agent.session.session_status import Status
from agent.tui import theme
from agent.tui.widgets.status_line import StatusLine, clock, line
from tests.agent.tui.session_states import running, status
from trajectories.records import Spent


def spent(dollars: float | None) -> Spent:
    return Spent(dollars, 1_200_000, 0, 34_567, 3)


def test_all_of_it() -> None:
    told = line(status(queued=("one", "two")), 200).plain
    assert told == (
        "● ready · build · model-4-large · context 34% · $0.12 of $2.00 · 2 queued · 3:20 · main · docker · "
        "1a2b3c4d5e + 3 changes"
    )


@pytest.mark.parametrize("width", range(12, 121))
def test_it_fits_and_what_matters_stays(width: int) -> None:
    told = line(status(state="asking", queued=("one",)), width)
    assert told.cell_length <= width
    assert "asks you" in told.plain
    if width >= 40:
        assert "build" in told.plain
        assert "$0.12 of $2.00" in told.plain


def test_wide_line_says_more() -> None:
    seen = [len(line(status(), width).plain.split(" · ")) for width in (40, 60, 100, 160)]
    assert seen == sorted(seen)
    assert seen[0] < seen[-1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spent": None}, "$0.00 of $2.00"),
        ({"spent": None, "budget": None}, "$0.00"),
        ({"spent": Spent(0.08, 0, 0, 0, 2, held_dollars=0.04)}, "$0.04 of $2.00 · +$0.04 held"),
        ({"spent": spent(None)}, "1.2M tokens"),
        ({"strategy": "templates"}, "build: templates"),
        ({"state": "paused"}, "‖ paused"),
        ({"branch": "feature/\x1b[31mred\u202e and a name that is much too long"}, "feature/red and a name that…"),
    ],
)
def test_what_is_told(changes: dict[str, object], words: str) -> None:
    assert words in line(status(**changes), 200).plain


def test_without_model_none_is_told() -> None:
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
def test_what_needs_user_has_colour(changes: dict[str, object], piece: str, style: str) -> None:
    told = line(status(**changes), 200)
    at = told.plain.index(piece)
    assert [span.style for span in told.spans if span.start == at and span.style] == ([style] if style else [])


@pytest.mark.parametrize(("seconds", "told"), [(0, "0:00"), (59.9, "0:59"), (727, "12:07"), (3727, "1:02:07")])
def test_clock(seconds: float, told: str) -> None:
    assert clock(seconds) == told


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield StatusLine()

    def on_mount(self) -> None:
        theme.register(self, "dark")


@pytest.mark.parametrize(
    ("state", "motion", "moves"), [("working", "full", True), ("working", "none", False), ("idle", "full", False)]
)
def test_mark_moves_while_it_works(state: str, motion: str, moves: bool) -> None:
    app = Shown()
    app.animation_level = motion  # type: ignore[assignment]

    async def look(pilot: Pilot[None]) -> bool:
        shown = pilot.app.query_one(StatusLine)
        shown.show(status(state=state))
        return shown.moves

    assert running(app, look) is moves


def test_it_stops_moving_when_work_is_done() -> None:
    async def look(pilot: Pilot[None]) -> tuple[bool, bool]:
        shown = pilot.app.query_one(StatusLine)
        shown.show(status(state="working"))
        before = shown.moves
        shown.show(status(state="idle"))
        return before, shown.moves

    assert running(Shown(), look) == (True, False)


def test_before_anything_is_known_it_is_empty() -> None:
    async def look(pilot: Pilot[None]) -> Status | None:
        return pilot.app.query_one(StatusLine).status

    assert running(Shown(), look) is None


def test_what_user_changed_meanwhile_is_told():
    assert "you changed 2 files" in line(status(edited=("a.py", "b.py")), 200).plain
    assert "you changed 1 file " in line(status(edited=("a.py",)), 200).plain
    assert "you changed" not in line(status(), 200).plain
