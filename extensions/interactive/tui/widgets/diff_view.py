"""A scrollable diff, which colours and draws only the visible lines, so diffs may be large."""

from __future__ import annotations

from bisect import bisect_right
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style

from extensions.interactive.tui.rendering.diff_rows import FileDiff, Pair, Row, pair_rows
from extensions.interactive.tui.rendering.diff_text import (
    CUT,
    LONGEST,
    TAB,
    display_text,
    file_notes,
    highlight_rows,
    line_counts,
)
from extensions.interactive.tui.rendering.plain_text import visible_line
from extensions.interactive.tui.widgets.side_panel import LETTERS

CHUNK = 200
"""Number of rows that are coloured together."""
BESIDE = 104
"""Minimum width of the widget, in columns, for showing old and new side by side; together with the list of files, this
takes a screen of 140 columns."""
WIDEST = 2
"""Number of columns of the widest character."""
NARROW = 60
"""Minimum width in columns for two line numbers per line; on narrower screens a line has only one."""
SIGNS = {"added": "+", "removed": "-"}
GROUNDS = {"added": "on $added", "removed": "on $removed"}
NUMBERS = {"added": "$text-success", "removed": "$text-error"}


class DiffView(ScrollView, can_focus=True):
    """Shows the files of a diff one below the other. `beside` is True to show old and new side by side, False to show
    them in one column, and None to let the width decide. Long lines are wrapped if `wraps`, otherwise cut.
    """

    ALLOW_SELECT = True
    DEFAULT_CSS = """
    DiffView {
        background: $background; color: $text; overflow-y: scroll;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
        Binding("g", "scroll_home", show=False),
        Binding("G", "scroll_end", show=False),
        Binding("space", "page_down", show=False),
        Binding("b", "page_up", show=False),
    ]

    def __init__(self, files: list[FileDiff]) -> None:
        super().__init__()
        self.files = files
        self.beside: bool | None = None
        self.wraps = True
        self.found = ""
        """The text of the last search, whose matches are highlighted."""
        self._rows: list[Pair] = []
        self._parts: list[int] = []
        """For each line on the screen, which part of a wrapped row it shows."""
        self._starts: list[int] = []
        self._side_by_side = False
        self._last = -1
        self._target_file: int | None = None
        self._code: LRUCache[tuple[int, int], dict[int, Content]] = LRUCache(64)
        numbers = (max(file.rows[-1].old, file.rows[-1].new) for file in files if file.rows)
        self._digits = max((len(str(number)) for number in numbers), default=3)
        longest = max((len(row.text) for file in files for row in file.rows), default=0)
        self._longest = min(LONGEST + CUT, longest + TAB)

    def on_mount(self) -> None:
        self._lay_out(self._side_by_side)

    def on_resize(self) -> None:
        two = self._columns >= BESIDE if self.beside is None else self.beside
        if two != self._side_by_side or self.wraps:
            self._lay_out(two)
        else:
            self._fit()

    @property
    def two(self) -> bool:
        """Whether old and new are shown side by side."""
        return self._side_by_side

    def show_beside(self, two: bool) -> None:
        self.beside = two
        self._lay_out(two)

    def show_wrapped(self, wraps: bool) -> None:
        self.wraps = wraps
        self.scroll_to(x=0, animate=False)
        self._lay_out(self._side_by_side)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._code.clear()

    def action_scroll_home(self) -> None:
        self.scroll_home(animate=False)

    def action_scroll_end(self) -> None:
        """Go to the end without animation."""
        self.scroll_end(animate=False)

    # Layout and positions

    @property
    def _columns(self) -> int:
        """The number of columns beside the scrollbar."""
        return self.scrollable_content_region.width

    def _room(self) -> int:
        """Return the number of columns for the text of a line."""
        width = self._columns
        numbers = self._digits * (1 if self._side_by_side or width < NARROW else 2) + 4
        return (width // 2 if self._side_by_side else width) - numbers

    def _fit(self) -> None:
        """Set the size of the content, with the longest line as its width."""
        hidden = 0 if self.wraps else self._longest - self._room()
        self.virtual_size = Size(self._columns + hidden if hidden > 0 else 1, len(self._rows))

    def _lay_out(self, two: bool) -> None:
        """Lay out the rows again and keep the scroll position."""
        at = self.place()
        self._side_by_side = two
        self._rows, self._starts, self._parts = [], [], []
        for number, file in enumerate(self.files):
            if number:
                self._rows.append(_same_on_both_sides(Row("note", "")))
            self._starts.append(len(self._rows))
            self._rows.append(_same_on_both_sides(Row("file", file.path)))
            self._rows += [_same_on_both_sides(Row("note", note)) for note in file_notes(file)]
            for pair in pair_rows(file.rows) if two else map(_same_on_both_sides, file.rows):
                self._rows += [pair] * self._height(pair)
        for n, row in enumerate(self._rows):
            self._parts.append(self._parts[-1] + 1 if n and row is self._rows[n - 1] else 0)
        self._fit()
        self.go_to(*at)
        self.refresh()

    def _height(self, pair: Pair) -> int:
        """Return the number of lines of a row."""
        room = self._room()
        if not self.wraps or room < WIDEST:
            return 1
        return max(len(line_starts(row, room)) for row in (pair.left, pair.right) if row)

    def place(self) -> tuple[int, int]:
        """Return the file at the top of the screen, and the number of its first visible row."""
        if not self._starts or not self.scroll_y:
            return 0, 0
        top = min(round(self.scroll_y), len(self._rows) - 1)
        file = self.file_at(top)
        rows = (pair.right or pair.left for pair in self._rows[top : top + 2])
        return file, next((row.n for row in rows if row and row.kind not in ("file", "note")), 0)

    def file_at(self, y: int) -> int:
        return max(0, bisect_right(self._starts, y) - 1)

    @property
    def current(self) -> int:
        """The current file: the one last scrolled to if it is still visible, otherwise the one at the top."""
        top = round(self.scroll_target_y)
        if self._target_file is not None and top <= self._starts[self._target_file] < top + self.size.height:
            return self._target_file
        return self.file_at(top)

    def go_to(self, file: int, n: int = 0) -> None:
        """Scroll to a file, or to one of its rows."""
        if not self._starts:
            return
        y = self._starts[file]
        self._target_file = None if n else file
        if n:
            end = self._starts[file + 1] if file + 1 < len(self._starts) else len(self._rows)
            y = next((at for at in range(y, end) if _number(self._rows[at]) >= n), y)
        self.scroll_to(y=y, animate=False)

    def find(self, words: str, back: bool = False) -> bool:
        """Go to the next line that contains the text, after the last match or the top of the screen; return whether
        there is one."""
        again, self.found = words == self.found, words
        self.refresh()
        wanted, count = words.casefold(), len(self._rows)
        if not wanted or not count:
            return False
        top = round(self.scroll_target_y)
        first = self._last if again and top <= self._last < top + self.size.height else top - (not back)
        step = -1 if back else 1
        for ahead in range(1, count + 1):
            y = (first + step * ahead) % count
            if any(row and wanted in row.text.casefold() for row in self._rows[y]):
                self._last = y
                if not top <= y < top + self.size.height:
                    self.scroll_to(y=max(0, y - self.size.height // 3), animate=False)
                return True
        return False

    def match_position(self) -> tuple[int, int]:
        """Return the file and the row of the last match."""
        return self.file_at(self._last), max(0, _number(self._rows[self._last]))

    @property
    def coloured(self) -> int:
        """Number of rows in the cache of coloured rows."""
        return sum(len(self._code[key]) for key in self._code.keys())  # noqa: SIM118 - no mapping

    # Drawing

    def render_line(self, y: int) -> Strip:
        at, width = round(self.scroll_y) + y, self._columns
        if at >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        pair = self._rows[at]
        row = pair.right or pair.left
        assert row is not None
        file = self.file_at(at)
        if row.kind in ("file", "note", "hunk"):
            return self._strip(self._heading(file, row), row, width, 0, at)
        if not self._side_by_side:
            return self._side(file, row, width, at, part=self._parts[at], both=width >= NARROW)
        half = width // 2
        part = self._parts[at]
        left = self._side(file, pair.left, half - 1, None, part, new=False)
        between = Strip.blank(1, self._style("").rich_style)
        return Strip.join([left, between, self._side(file, pair.right, width - half, at, part)])

    def _heading(self, number: int, row: Row) -> Content:
        if row.kind == "hunk":
            return Content.styled(visible_line(row.text), "$text-secondary")
        if row.kind == "note":
            return Content.styled(f"  {visible_line(row.text)}", "italic $text-muted")
        file = self.files[number]
        if not file.path:  # text before a diff, such as a commit message
            return Content.styled("Message", "bold")
        return Content.assemble(
            (f"{file.letter} ", f"bold {LETTERS.get(file.letter, '')}"),
            (visible_line(file.path), "bold"),
            ("  " + line_counts(file), "$text-muted"),
        )

    def _side(
        self,
        file: int,
        row: Row | None,
        width: int,
        at: int | None,
        part: int = 0,
        new: bool = True,
        both: bool = False,
    ) -> Strip:
        """Render a line of one side, or of both: numbers, sign, and as much text as fits. Of a wrapped row, it is the
        line `part`."""
        if row is None:
            return Strip.blank(width, self._style("on $surface").rich_style)
        style = NUMBERS.get(row.kind, "$text-muted")
        shown = (row.old, row.new) if both else (row.new or row.old,) if new else (row.old,)
        numbers = " ".join(f"{'' if part else number or '':>{self._digits}}" for number in shown)
        gutter = Content.styled(f"{numbers} {' ' if part else SIGNS.get(row.kind, ' ')} ", style)
        edge = self._strip(gutter, row, gutter.cell_length)
        content, room = self._text(file, row), width - edge.cell_length
        scrolled = round(self.scroll_x)
        if self.wraps:
            starts = [*line_starts(row, max(WIDEST, self._room())), Start(len(content.plain), content.cell_length)]
            part = min(part, len(starts) - 1)
            scrolled, end = starts[part].cell, starts[min(part + 1, len(starts) - 1)].cell
            width, room = width, min(room, end - scrolled)
        is_cut = not self.wraps and content.cell_length > scrolled + room
        text = self._strip(content, row, room - is_cut, scrolled, at)
        if is_cut:
            text = Strip.join([text, self._strip(Content.styled("…", "$text-muted"), row, 1)])
        return Strip.join([edge, text]).extend_cell_length(width, self._style(GROUNDS.get(row.kind, "")).rich_style)

    def _text(self, file: int, row: Row) -> Content:
        code = self._coloured(file, row)
        if self.found:
            plain, wanted, at = code.plain.casefold(), self.found.casefold(), -1
            while (at := plain.find(wanted, at + 1)) >= 0:
                code = code.stylize("reverse", at, at + len(wanted))
        return code

    def _coloured(self, file: int, row: Row) -> Content:
        key = (file, row.n // CHUNK)
        if key not in self._code:
            start = key[1] * CHUNK
            self._code[key] = highlight_rows(self.files[file].rows[start : start + CHUNK], self.files[file].path)
        return self._code[key][row.n]

    def _strip(self, content: Content, row: Row, width: int, scrolled: int = 0, at: int | None = None) -> Strip:
        """Render content in `width` columns. If the line number `at` is given, the content can be selected with the
        mouse."""
        base = self._style(GROUNDS.get(row.kind, ""))
        selection = self.text_selection
        moved = scrolled if self.wraps else 0
        if at is not None and selection is not None and (span := selection.get_span(at)) is not None:
            start, end = span[0] + moved, span[1] + moved if span[1] >= 0 else -1
            selected = self._style("$screen-selection-foreground on $screen-selection-background")
            content = content.stylize(selected, start, len(content) if end < 0 else end)
        pieces = content.render(base, end="", parse_style=self.app.stylesheet.parse_style)
        strip = Strip([Segment(text, (base + style).rich_style) for text, style in pieces])
        strip = strip.crop_extend(scrolled, scrolled + width, base.rich_style)
        return strip if at is None else strip.apply_offsets(scrolled - moved, at)

    def _style(self, words: str) -> Style:
        return self.visual_style + self.app.stylesheet.parse_style(words) if words else self.visual_style

    # Copying

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text without numbers and signs."""
        first = selection.start.y if selection.start else 0
        last = selection.end.y if selection.end else len(self._rows) - 1
        last = min(last, len(self._rows) - 1)
        text = ""
        for y in range(first, last + 1):
            begin = selection.start.x if selection.start and y == first else 0
            end = selection.end.x if selection.end and y == last else None
            is_continued = y < last and self._parts[y + 1] > 0
            text += self._plain(y)[begin:end] + "\n" * (y < last and not is_continued)
        return text, "\n"

    def _plain(self, y: int) -> str:
        row = self._rows[y].right or self._rows[y].left
        if row is None:
            return ""
        if row.kind in ("file", "note", "hunk"):
            return self._heading(self.file_at(y), row).plain
        text, part = display_text(row), self._parts[y]
        if not self.wraps:
            return text
        starts = [*line_starts(row, max(WIDEST, self._room())), Start(len(text), 0)]
        return text[starts[min(part, len(starts) - 1)].character : starts[min(part + 1, len(starts) - 1)].character]

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()


def _same_on_both_sides(row: Row) -> Pair:
    return Pair(row, row)


class Start(NamedTuple):
    """Where a line of a wrapped row starts in its text."""

    character: int
    cell: int


def line_starts(row: Row, room: int) -> list[Start]:
    """Return the start of each line of a row that is wrapped at `room` columns."""
    starts = [Start(0, 0)]
    if row.kind not in ("added", "removed", "same"):
        return starts
    if row.text.isascii() and len(row.text) + row.text.count("\t") * TAB <= room:
        return starts
    cells = 0
    for number, character in enumerate(display_text(row)):
        width = cell_len(character)
        if cells + width - starts[-1].cell > room:
            starts.append(Start(number, cells))
        cells += width
    return starts


def _number(pair: Pair) -> int:
    row = pair.right or pair.left
    return row.n if row and row.kind not in ("file", "note") else -1
