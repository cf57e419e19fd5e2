"""The diff screen: files, lines and search."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from aci.observation.untrusted_text import one_line
from extensions.interactive.session.session_status import ChangedFile
from extensions.interactive.tui.rendering.diff_rows import FileDiff, parse_diff
from extensions.interactive.tui.widgets.diff_view import DiffView
from extensions.interactive.tui.widgets.side_panel import file_line

WIDE = 100
"""Minimum width in columns for the list of files at the side."""
LIST = 34
KEYS = (("n", "next"), ("p", "previous"), ("/", "search"), ("s", "side by side"), ("w", "wrap"), ("q", "close"))


class DiffScreen(ModalScreen[None]):
    """Shows a unified diff, starting at the file `path` if the diff contains it. Pressing q or esc closes the
    screen."""

    DEFAULT_CSS = """
    DiffScreen { background: $background; }
    DiffScreen .bar { height: 1; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis; }
    DiffScreen #files, DiffScreen #files:focus {
        width: 34; height: 1fr; border: none; padding: 0 1; background: $surface; scrollbar-size-vertical: 1;
    }
    DiffScreen #files > .option-list--option { padding: 0; }
    DiffScreen Input, DiffScreen Input:focus { height: 1; border: none; padding: 0 1; background: $panel; }
    DiffScreen .hidden { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape", "close", "Close"),
        Binding("n", "file(1)", "Next file"),
        Binding("p", "file(-1)", "Previous file"),
        Binding("slash", "search", "Search"),
        Binding("s", "beside", "Side by side"),
        Binding("w", "wrap", "Wrap"),
        Binding("down", "match(1)", show=False),
        Binding("up", "match(-1)", show=False),
    ]

    def __init__(self, diff: str, title: str = "Diff", path: str = "") -> None:
        super().__init__()
        self.heading = one_line(title) or "Diff"
        self.files = parse_diff(diff)
        self._first = next((n for n, file in enumerate(self.files) if file.path == path), 0)

    def compose(self) -> ComposeResult:
        yield Static(classes="bar", id="title", markup=False)
        with Horizontal():
            options = [Option(file_line(_changed(file), LIST - 4), id=str(n)) for n, file in enumerate(self.files)]
            yield OptionList(*options, id="files", markup=False)
            yield DiffView(self.files)
        yield Input(placeholder="search", id="words", classes="hidden")
        yield Static(classes="bar", id="keys", markup=False)

    def on_mount(self) -> None:
        self.view = self.query_one(DiffView)
        self.watch(self.view, "scroll_y", self._update_bars, init=False)
        self.view.focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.view.go_to(self._first)
        self._update_bars()

    def on_resize(self) -> None:
        self.query_one("#files").set_class(self.size.width < WIDE or len(self.files) < 2, "hidden")
        self._update_bars()

    def _update_bars(self, _: float = 0.0) -> None:
        """Update the title with the position, and the last line with the keys."""
        count, current = len(self.files), self.view.current
        where = f"{current + 1} of {count}" if count > 1 else "" if count else "no changes"
        name = one_line(self.files[current].path) if count else ""
        title_parts = (where, name if self.size.width >= WIDE else "", self.heading)
        self.query_one("#title", Static).update(
            Content.styled(" · ".join(part for part in title_parts if part), "bold")
        )
        keys = [Content.assemble((key, "bold $text-primary"), f" {what}") for key, what in KEYS if self._can(key)]
        self.query_one("#keys", Static).update(Content("  ").join(keys))
        if count:
            self.query_one("#files", OptionList).highlighted = current

    def _can(self, key: str) -> bool:
        return len(self.files) > 1 if key in "np" else self.size.width >= WIDE if key == "s" else True

    def action_close(self) -> None:
        words = self.query_one("#words", Input)
        if words.has_focus:
            words.add_class("hidden")
            self.view.focus()
        else:
            self.dismiss(None)

    def action_file(self, ahead: int) -> None:
        if self.files:
            self.view.go_to(max(0, min(len(self.files) - 1, self.view.current + ahead)))
            self._update_bars()

    def action_beside(self) -> None:
        self.view.show_beside(not self.view.two)

    def action_wrap(self) -> None:
        self.view.show_wrapped(not self.view.wraps)

    def action_search(self) -> None:
        words = self.query_one("#words", Input)
        words.remove_class("hidden")
        words.focus()

    @on(Input.Submitted)
    def _search(self, event: Input.Submitted) -> None:
        self._find(event.value)

    def action_match(self, ahead: int) -> None:
        """Go to the next or previous match; also called for keys that the search field forwards."""
        self._find(self.query_one("#words", Input).value, back=ahead < 0)

    def _find(self, words: str, back: bool = False) -> None:
        found = self.view.find(words, back)
        if words and not found:
            self.query_one("#title", Static).update(Content.styled(f"{words!r} not found", "bold $text-warning"))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.view.go_to(event.option_index)
        self.view.focus()


def _changed(file: FileDiff) -> ChangedFile:
    return ChangedFile(file.letter, file.path, None if file.binary else file.added, file.removed)
