"""Which hunks of a diff are to be taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from aci.view import clean
from agent.tui.coloured import coloured

_FILE = re.compile(r"^(?:\+\+\+ b/|--- a/|rename to )(.+?)\t?$", re.MULTILINE)
_HEADER = re.compile(r"^diff --git a/.+ b/(.+)$", re.MULTILINE)
_AT = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+).*?@@ ?(.*)$", re.MULTILINE)


class HunksScreen(ModalScreen[tuple[int, ...] | None]):
    """Ends with the numbers of the hunks that are taken, None where the user goes back. All are, to begin with."""

    DEFAULT_CSS = """
    HunksScreen {
        align: center bottom;
        #picker { width: 100%; height: 100%; border: round $warning; background: $surface; padding: 0 1; }
        #heading { text-style: bold; color: $text-warning; }
        #keys { color: $text-muted; dock: bottom; }
        OptionList { height: auto; max-height: 40%; border: none; padding: 0; background: $surface; }
        #hunk { height: 1fr; border-top: solid $border-blurred; scrollbar-size-vertical: 1; }
        &.-shown OptionList { display: none; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "flip", "take or leave", priority=True),
        Binding("enter", "show", "show", priority=True),
        Binding("a", "all(True)", "all"),
        Binding("n", "all(False)", "none"),
        Binding("y", "take", "apply the chosen"),
        Binding("escape", "back", "back"),
        Binding("j", "scroll(1)", "down"),
        Binding("k", "scroll(-1)", "up"),
        Binding("pageup", "scroll(-10)", "up"),
        Binding("pagedown", "scroll(10)", "down"),
    ]

    def __init__(self, parts: Sequence[str], title: str) -> None:
        super().__init__()
        self._parts = parts
        self._title = title
        self._taken = [True] * len(parts)

    def compose(self) -> ComposeResult:
        with Vertical(id="picker"):
            yield Static(id="heading", markup=False)
            yield OptionList(*self._options(), compact=True)
            with VerticalScroll(id="hunk", can_focus=False):
                yield Static()
            yield Static("space take/leave, a all, n none, enter show, j/k scroll, y apply, esc back", id="keys")

    def on_mount(self) -> None:
        self._list = self.query_one(OptionList)
        self._list.highlighted = 1
        self._tell()

    def _options(self) -> list[Option]:
        options, before = [], None
        for number, part in enumerate(self._parts):
            if (path := _path(part) or before or "") != before:
                options.append(Option(Content.styled(path, "bold"), disabled=True))
                before = path
            options.append(Option(self._line(number), id=str(number)))
        return options

    def _line(self, number: int) -> Content:
        return Content(f"{'[x]' if self._taken[number] else '[ ]'} {_summary(self._parts[number])}")

    @property
    def _number(self) -> int | None:
        option = self._list.highlighted_option
        return int(option.id) if option is not None and option.id is not None else None

    def _tell(self) -> None:
        self.query_one("#heading", Static).update(
            f"{clean(self._title)}: {sum(self._taken)} of {len(self._parts)} hunks are taken"
        )

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        if (number := self._number) is not None:
            self.query_one("#hunk Static", Static).update(coloured(self._parts[number]))
            self.query_one("#hunk").scroll_home(animate=False)

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
        self._tell()

    def action_show(self) -> None:
        """The whole screen for the hunk, and back."""
        self.toggle_class("-shown")

    def action_scroll(self, lines: int) -> None:
        self.query_one("#hunk").scroll_relative(y=lines, animate=False)

    def action_take(self) -> None:
        if any(self._taken):
            self.dismiss(tuple(number for number, taken in enumerate(self._taken) if taken))
        else:
            self.query_one("#heading", Static).update("No hunk is taken: space takes one, esc goes back")

    def action_back(self) -> None:
        if self.has_class("-shown"):
            self.remove_class("-shown")
        else:
            self.dismiss(None)


def _path(part: str) -> str:
    """The file that a hunk is of, "" where it does not say."""
    found = [match[1] for match in _FILE.finditer(part.partition("\n@@")[0])] or _HEADER.findall(part)
    return clean(found[-1]) if found else ""


def _summary(part: str) -> str:
    """Where a hunk is and how many lines it adds and takes."""
    body = part[match.start() :] if (match := re.search("^@@ ", part, re.MULTILINE)) else ""
    lines = body.split("\n")
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    at = _AT.search(body)
    where = f"line {at[1]} {at[2]}".strip() if at else next(iter(clean(part).split("\n")[1:2]), "the whole file")
    return clean(f"{where}  +{added} -{removed}")
