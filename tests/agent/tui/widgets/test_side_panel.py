"""The side panel: plan, files, proof, queue."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from agent.session.session_status import Status
from agent.tui import theme
from agent.tui.widgets.side_panel import Panel, file_line, plan, proof, queue
from tests.agent.tui.session_states import FILES, running, status
from trajectories.records import Verdict


class Shown(App[None]):
    def __init__(self, shown: Status) -> None:
        super().__init__()
        self.shown = shown
        self.chosen: list[str] = []

    def compose(self) -> ComposeResult:
        yield Panel()

    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.query_one(Panel).show(self.shown)

    def on_panel_file_chosen(self, message: Panel.FileChosen) -> None:
        self.chosen.append(message.path)


def test_plan_says_where_it_is() -> None:
    phases = ("localize", "reproduce")
    assert plan(status(phases=phases, state="working")).plain == "✓ localize\n▸ reproduce"
    assert plan(status(phases=phases)).plain == "✓ localize\n✓ reproduce"
    assert not plan(status())


def test_nothing_is_called_verified_without_proof() -> None:
    assert not proof(status()), "there is nothing to prove"
    assert proof(status(files=FILES)).plain == "not verified: /prove"
    regression = Verdict("unproven", no_loss=True)
    assert proof(status(files=FILES, verdict=regression)).plain == (
        "· red without it\n· green with it\n· red again\n✓ no loss\nnot verified: /prove"
    )
    whole = Verdict("verified", red=True, green=True, red_again=True, no_loss=True)
    assert proof(status(files=FILES, verdict=whole)).plain.endswith("✓ no loss\nverified")
    failed = Verdict("unproven", red=True, green=False)
    assert proof(status(files=FILES, verdict=failed)).plain.startswith("✓ red without it\n✗ green with it\n· red again")


def test_what_waits_is_one_line_each() -> None:
    assert queue(status(queued=("do\nthis", "[b]that"))).plain == "1 do this\n2 [b]that"


def test_of_long_path_end_is_shown() -> None:
    lines = [file_line(file, 30).plain for file in FILES]
    assert lines == [
        "M …r/long/path/money.py +12 -3",
        "A …sts/test_[b]money.py +30 -0",
        "D logo.png              binary",
    ]


def test_chosen_file_is_told() -> None:
    async def look(pilot: Pilot[None]) -> list[str]:
        files = pilot.app.query_one("#files", OptionList)
        files.focus()
        await pilot.press("down", "enter")
        await pilot.click(files, offset=(2, 2))
        return pilot.app.chosen  # type: ignore[attr-defined, no-any-return]

    chosen = running(Shown(status(files=FILES)), look, (100, 30))
    assert [chosen[0], chosen[-1]] == [FILES[0].path, FILES[2].path]


def test_sections_without_content_are_not_shown() -> None:
    async def look(pilot: Pilot[None]) -> list[str]:
        return [str(part.content) for part in pilot.app.query(Static) if part.display]

    shown = running(Shown(status()), look, (100, 30))
    assert shown == ["Changed", "nothing yet", "ctrl-b folds this · f1 help"]


def test_what_is_highlighted_stays_so_while_files_come() -> None:
    async def look(pilot: Pilot[None]) -> int | None:
        panel, files = pilot.app.query_one(Panel), pilot.app.query_one("#files", OptionList)
        files.highlighted = 1
        panel.show(status(files=FILES))
        return files.highlighted

    assert running(Shown(status(files=FILES[:2])), look) == 1
