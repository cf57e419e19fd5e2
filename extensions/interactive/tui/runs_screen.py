"""The screen for choosing a run to resume: a list and a preview."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from aci.observation.untrusted_text import one_line
from agent.runs.resumable_runs import ResumableRun, read_preview, runs_in
from extensions.interactive.tui.run_preview import age, preview_text
from trajectories.errors import SweAgentError

WIDE = 90
"""Minimum width in columns for showing the list and the preview side by side."""
KEYS = "enter opens · tab {other} · esc"


class RunsScreen(ModalScreen[Path | None]):
    """Returns the folder of the chosen run, or None.

    `runs` is the folder of all runs. Initially only the runs of `repository`, given by its root folder, are listed; ""
    lists all. `now` is the current time in seconds since the epoch, for showing how old a run is.
    """

    DEFAULT_CSS = """
    RunsScreen {
        #runs { width: 100%; height: 100%; border: round $primary; background: $surface; padding: 0 1; }
        #heading { text-style: bold; color: $text-primary; height: 1; }
        Input, Input:focus { height: 1; border: none; padding: 0; background: $panel; }
        #both { layout: vertical; height: 1fr; }
        OptionList, OptionList:focus {
            height: auto; max-height: 50%; border: none; padding: 0; background: $surface; scrollbar-size-vertical: 1;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        OptionList > .option-list--option-highlighted {
            color: $block-cursor-foreground; background: $block-cursor-background; text-style: $block-cursor-text-style;
        }
        #preview { height: 1fr; border-top: solid $border-blurred; scrollbar-size-vertical: 1; }
        &.-wide #both { layout: horizontal; }
        &.-wide OptionList { width: 45%; height: 1fr; max-height: 100%; }
        &.-wide #preview { border-top: none; border-left: solid $border-blurred; padding-left: 1; }
        #keys { color: $text-muted; height: 1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "choose", priority=True),
        Binding("tab", "others", "other repositories", priority=True),
        Binding("escape", "dismiss(None)", "back"),
        Binding("up", "move(-1)", "up", priority=True),
        Binding("down", "move(1)", "down", priority=True),
        Binding("pageup", "scroll(-5)", "up"),
        Binding("pagedown", "scroll(5)", "down"),
    ]
    AUTO_FOCUS = "Input"

    def __init__(self, runs: Path, repository: str = "", now: float | None = None) -> None:
        super().__init__()
        self._folder = runs
        self._repository = repository
        self._now = time.time() if now is None else now
        self._runs: list[ResumableRun] = []
        self._all = not repository
        self._damaged: set[str] = set()

    def compose(self) -> ComposeResult:
        with Vertical(id="runs"):
            yield Static("Reading the runs", id="heading", markup=False)
            yield Input(placeholder="type to filter", compact=True)
            with Container(id="both"):
                yield OptionList(compact=True)
                with VerticalScroll(id="preview", can_focus=False):
                    yield Static(markup=False)
            yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        self._list = self.query_one(OptionList)
        self._list.can_focus = False
        self._read()

    def on_resize(self) -> None:
        self.set_class(self.size.width >= WIDE, "-wide")

    @work(thread=True)
    def _read(self) -> None:
        runs = runs_in(self._folder)
        self.app.call_from_thread(self._set_runs, runs)

    def _set_runs(self, runs: list[ResumableRun]) -> None:
        self._runs = runs
        self._show()

    @on(Input.Changed)
    def _show(self) -> None:
        """List the runs that match the filter, and keep the chosen one if possible."""
        words = self.query_one(Input).value.casefold().split()
        before = self._chosen
        shown = [run for run in self._runs if self._all or run.damaged or run.repository == self._repository]
        shown = [run for run in shown if all(word in f"{run.title} {run.name}".casefold() for word in words)]
        self._list.clear_options()
        self._list.add_options(Option(self._line(run), id=run.name) for run in shown)
        if shown:
            self._list.highlighted = next((at for at, run in enumerate(shown) if before and run.name == before.name), 0)
        else:
            self.query_one("#preview Static", Static).update("")
        where = "in all repositories" if self._all else "of this repository"
        self.query_one("#heading", Static).update(f"{len(shown)} run{'s' * (len(shown) != 1)} {where}")
        other = "this repository" if self._all else "all"
        self.query_one("#keys", Static).update(KEYS.format(other=other) if self._repository else "enter opens · esc")

    def _line(self, run: ResumableRun) -> Content:
        when = f"{age(self._now - run.at):>4} "
        if run.damaged or run.name in self._damaged:
            return Content.assemble((when, "$text-muted"), (f"damaged: {run.name}", "$text-error"))
        mark = "  " if run.ended else "… "
        return Content.assemble((when, "$text-muted"), (mark, "$text-warning"), one_line(run.title) or run.name)

    @property
    def _chosen(self) -> ResumableRun | None:
        option = self._list.highlighted_option
        return next((run for run in self._runs if option is not None and run.name == option.id), None)

    def action_move(self, by: int) -> None:
        if self._list.option_count:
            self._list.highlighted = max(0, min(self._list.option_count - 1, (self._list.highlighted or 0) + by))

    def action_scroll(self, lines: int) -> None:
        self.query_one("#preview").scroll_relative(y=lines, animate=False)

    def action_others(self) -> None:
        if self._repository:
            self._all = not self._all
            self._show()

    @on(OptionList.OptionSelected)
    def action_choose(self) -> None:
        run = self._chosen
        if run is not None and not run.damaged and run.name not in self._damaged:
            self.dismiss(self._folder / run.name)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        if (run := self._chosen) is not None:
            self._preview(run)

    @work(thread=True, exclusive=True, group="preview")
    def _preview(self, run: ResumableRun) -> None:
        """Read a run and show its preview, unless another run was chosen meanwhile."""
        worker = get_current_worker()
        try:
            text, broken = preview_text(read_preview(self._folder / run.name)), False
        except SweAgentError as error:
            text, broken = Content(f"{error.message}\n{error.fix}"), True
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show_preview, run, text, broken)

    def _show_preview(self, run: ResumableRun, text: Content, broken: bool) -> None:
        if broken:
            self._damaged.add(run.name)
            self._list.replace_option_prompt(run.name, self._line(run))
        preview = self.query_one("#preview Static", Static)
        preview.update(text)
        self.query_one("#preview").scroll_home(animate=False)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
