"""The side panel: plan, files, proof, queue."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from extensions.interactive.session.session_status import Status
from extensions.interactive.tui import theme
from extensions.interactive.tui.widgets.side_panel import Panel, file_line, plan, proof, queue
from tests.extensions.interactive.tui.session_states import FILES, run_app, status
from trajectories.facts import Fact
from trajectories.verdict import Verdict


class PanelApp(App[None]):
    def __init__(self, status: Status) -> None:
        super().__init__()
        self.status = status
        self.chosen: list[str] = []

    def compose(self) -> ComposeResult:
        yield Panel()

    def on_mount(self) -> None:
        theme.register(self, "dark")
        self.query_one(Panel).show(self.status)

    def on_panel_file_chosen(self, message: Panel.FileChosen) -> None:
        self.chosen.append(message.path)


def test_plan_marks_finished_and_current_phases() -> None:
    phases = ("localize", "reproduce")
    assert plan(status(phases=phases, state="working")).plain == "✓ localize\n▸ reproduce"
    assert plan(status(phases=phases)).plain == "✓ localize\n✓ reproduce"
    assert not plan(status())


def test_change_is_shown_as_verified_only_with_proof() -> None:
    assert not proof(status()), "there is nothing to prove"
    assert proof(status(files=FILES)).plain == "unproven: /prove"
    regression = Verdict("unproven", no_loss=True)
    assert proof(status(files=FILES, verdict=regression)).plain == (
        "· fails without the patch\n· passes with it\n· fails again\n✓ no test broken\nunproven: /prove"
    )
    failing = Verdict("unproven", no_loss=True, facts=(Fact("new_failures", "…", {"tests": ("test_x",)}),))
    assert proof(status(files=FILES, verdict=failing)).plain.endswith(
        "✓ no test broken\n✗ no new test fails\nunproven: /prove"
    )
    whole = Verdict("verified", red=True, green=True, red_again=True, no_loss=True)
    assert proof(status(files=FILES, verdict=whole)).plain.endswith("✓ no test broken\nverified")
    failed = Verdict("unproven", red=True, green=False)
    assert proof(status(files=FILES, verdict=failed)).plain.startswith(
        "✓ fails without the patch\n✗ passes with it\n· fails again"
    )


def test_queued_prompts_have_one_line_each() -> None:
    assert queue(status(queued=("do\nthis", "[b]that"))).plain == "1 do this\n2 [b]that"


def test_long_path_is_shortened_at_start() -> None:
    lines = [file_line(file, 30).plain for file in FILES]
    assert lines == [
        "M …r/long/path/money.py +12 -3",
        "A …sts/test_[b]money.py +30 -0",
        "D logo.png              binary",
    ]


def test_choosing_file_posts_message() -> None:
    async def interact(pilot: Pilot[None]) -> list[str]:
        files = pilot.app.query_one("#files", OptionList)
        files.focus()
        await pilot.press("down", "enter")
        await pilot.click(files, offset=(2, 2))
        return pilot.app.chosen  # type: ignore[attr-defined, no-any-return]

    chosen = run_app(PanelApp(status(files=FILES)), interact, (100, 30))
    assert [chosen[0], chosen[-1]] == [FILES[0].path, FILES[2].path]


def test_sections_without_content_are_not_shown() -> None:
    async def interact(pilot: Pilot[None]) -> list[str]:
        return [str(part.content) for part in pilot.app.query(Static) if part.display]

    content = run_app(PanelApp(status()), interact, (100, 30))
    assert content == ["Changed", "nothing yet", "ctrl-b hides this · f1 help"]


def test_highlighted_file_stays_highlighted_when_files_are_added() -> None:
    async def interact(pilot: Pilot[None]) -> int | None:
        panel, files = pilot.app.query_one(Panel), pilot.app.query_one("#files", OptionList)
        files.highlighted = 1
        panel.show(status(files=FILES))
        return files.highlighted

    assert run_app(PanelApp(status(files=FILES[:2])), interact) == 1
