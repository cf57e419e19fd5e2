"""The screen for choosing hunks of a diff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from extensions.interactive.tui.rendering.diff_rows import FileDiff, parse_diff
from extensions.interactive.tui.rendering.plain_text import visible_line
from extensions.interactive.tui.widgets.diff_view import DiffView

KEYS = "space toggles, a all, n none, y accepts, enter larger, j/k scroll, esc back"


class HunksScreen(ModalScreen[tuple[int, ...] | None]):
    """Returns the indexes of the chosen hunks, or None if the user goes back. Initially all hunks are chosen.

    Each of `parts` is the diff of one hunk.
    """

    DEFAULT_CSS = """
    HunksScreen {
        #picker { width: 100%; height: 100%; border: round $warning; background: $surface; padding: 0 1; }
        #heading { text-style: bold; color: $text-warning; }
        #keys { color: $text-muted; }
        OptionList, OptionList:focus { height: auto; max-height: 40%; border: none; padding: 0; background: $surface; }
        DiffView { height: 1fr; border-top: solid $border-blurred; background: $surface; }
        &.-larger OptionList { display: none; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "flip", "toggle", priority=True),
        Binding("enter", "larger", "larger", priority=True),
        Binding("a", "all(True)", "all"),
        Binding("n", "all(False)", "none"),
        Binding("y", "take", "accept the chosen"),
        Binding("escape", "back", "back"),
        Binding("j", "scroll(1)", "down"),
        Binding("k", "scroll(-1)", "up"),
    ]
    AUTO_FOCUS = "OptionList"

    def __init__(self, parts: Sequence[str], title: str) -> None:
        super().__init__()
        self._title = visible_line(title)
        self._parts = [(parse_diff(part) or [FileDiff("")])[0] for part in parts]
        self._taken = [True] * len(parts)

    def compose(self) -> ComposeResult:
        with Vertical(id="picker"):
            yield Static(id="heading", markup=False)
            yield OptionList(*self._options(), compact=True)
            yield DiffView([])
            yield Static(KEYS, id="keys", markup=False)

    def on_mount(self) -> None:
        self._list = self.query_one(OptionList)
        self._list.highlighted = 1
        self._update_heading()

    def _options(self) -> list[Option]:
        options, before = [], None
        for number, part in enumerate(self._parts):
            if part.path != before:
                options.append(Option(Content.styled(visible_line(part.path) or "?", "bold"), disabled=True))
                before = part.path
            options.append(Option(self._line(number), id=str(number)))
        return options

    def _line(self, number: int) -> Content:
        part = self._parts[number]
        at = next((row.text for row in part.rows if row.kind == "hunk"), ", ".join(part.notes))
        mark = "[x]" if self._taken[number] else "[ ]"
        return Content(f"{mark} +{part.added} -{part.removed}  {visible_line(at)}")

    @property
    def _number(self) -> int | None:
        option = self._list.highlighted_option
        return int(option.id) if option is not None and option.id is not None else None

    def _update_heading(self) -> None:
        self._set_heading(f"{self._title} {sum(self._taken)} of {len(self._parts)} hunks chosen.")

    def _set_heading(self, words: str) -> None:
        self.query_one("#heading", Static).update(words)

    @on(OptionList.OptionHighlighted)
    async def _highlighted(self) -> None:
        if (number := self._number) is not None:
            await self.query_one(DiffView).remove()
            await self.query_one("#picker").mount(DiffView([self._parts[number]]), before="#keys")

    @on(OptionList.OptionSelected)
    def action_flip(self) -> None:
        if (number := self._number) is not None:
            self._set(number, not self._taken[number])

    def action_all(self, taken: bool) -> None:
        for number in range(len(self._parts)):
            self._set(number, taken)

    def _set(self, number: int, taken: bool) -> None:
        self._taken[number] = taken
        self._list.replace_option_prompt(str(number), self._line(number))
        self._update_heading()

    def action_larger(self) -> None:
        """Show the hunk full-screen, or return to the normal size."""
        self.toggle_class("-larger")

    def action_scroll(self, lines: int) -> None:
        self.query_one(DiffView).scroll_relative(y=lines, animate=False)

    def action_take(self) -> None:
        if any(self._taken):
            self.dismiss(tuple(number for number, taken in enumerate(self._taken) if taken))
        else:
            self._set_heading("No hunk is chosen: space chooses one, esc goes back.")

    def action_back(self) -> None:
        if self.has_class("-larger"):
            self.remove_class("-larger")
        else:
            self.dismiss(None)
