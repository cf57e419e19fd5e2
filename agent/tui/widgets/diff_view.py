"""A scrollable diff, which colours and draws only the visible lines, so diffs may be large."""

from __future__ import annotations

from bisect import bisect_right
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Offset, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style

from agent.tui.rendering.diff_rows import FileDiff, Pair, Row, pair_rows
from agent.tui.rendering.diff_text import CUT, LONGEST, TAB, display_text, file_notes, highlight_rows, line_counts
from agent.tui.rendering.plain_text import visible_line
from agent.tui.widgets.side_panel import LETTERS

CHUNK = 200
"""Number of rows that are coloured together."""
BESIDE = 104
"""Minimum width of the widget, in columns, for showing old and new side by side; together with the list of files, this
takes a screen of 140 columns."""
NARROW = 60
"""Minimum width in columns for two line numbers per line; on narrower screens a line has only one."""
SIGNS = {"added": "+", "removed": "-"}
GROUNDS = {"added": "on $added", "removed": "on $removed"}
NUMBERS = {"added": "$text-success", "removed": "$text-error"}


class DiffView(ScrollView, can_focus=True):
    """Shows the files of a diff one below the other. `beside` is True to show old and new side by side, False to show
    them in one column, and None to let the width decide."""

    ALLOW_SELECT = True
    DEFAULT_CSS = """
    DiffView { background: $background; color: $text; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
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
        self.found = ""
        """The text of the last search, whose matches are highlighted."""
        self._rows: list[Pair] = []
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
        two = self.size.width >= BESIDE if self.beside is None else self.beside
        if two != self._side_by_side:
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

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._code.clear()

    def action_scroll_home(self) -> None:
        self.scroll_home(animate=False)

    def action_scroll_end(self) -> None:
        """Go to the end without animation."""
        self.scroll_end(animate=False)

    # Layout and positions

    def _fit(self) -> None:
        """Set the size of the content, with the longest line as its width."""
        width = self.size.width
        room = width // 2 if self._side_by_side else width
        numbers = self._digits * (1 if self._side_by_side or width < NARROW else 2) + 4
        hidden = numbers + self._longest - room
        self.virtual_size = Size(width + hidden if hidden > 0 else 1, len(self._rows))

    def _lay_out(self, two: bool) -> None:
        """Lay out the rows again and keep the scroll position."""
        at = self.place()
        self._side_by_side = two
        self._rows, self._starts = [], []
        for number, file in enumerate(self.files):
            if number:
                self._rows.append(_same_on_both_sides(Row("note", "")))
            self._starts.append(len(self._rows))
            self._rows.append(_same_on_both_sides(Row("file", file.path)))
            self._rows += [_same_on_both_sides(Row("note", note)) for note in file_notes(file)]
            self._rows += pair_rows(file.rows) if two else map(_same_on_both_sides, file.rows)
        self._fit()
        self.go_to(*at)
        self.refresh()

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
        at, width = round(self.scroll_y) + y, self.size.width
        if at >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        pair = self._rows[at]
        row = pair.right or pair.left
        assert row is not None
        file = self.file_at(at)
        if row.kind in ("file", "note", "hunk"):
            return self._strip(self._heading(file, row), row, width, 0, at)
        if not self._side_by_side:
            return self._side(file, row, width, at, both=width >= NARROW)
        half = width // 2
        left = self._side(file, pair.left, half - 1, None, new=False)
        between = Strip.blank(1, self._style("").rich_style)
        return Strip.join([left, between, self._side(file, pair.right, width - half, at)])

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
        self, file: int, row: Row | None, width: int, at: int | None, new: bool = True, both: bool = False
    ) -> Strip:
        """Render a line of one side, or of both: numbers, sign, and as much text as fits."""
        if row is None:
            return Strip.blank(width, self._style("on $surface").rich_style)
        style = NUMBERS.get(row.kind, "$text-muted")
        shown = (row.old, row.new) if both else (row.new or row.old,) if new else (row.old,)
        numbers = " ".join(f"{number or '':>{self._digits}}" for number in shown)
        gutter = Content.styled(f"{numbers} {SIGNS.get(row.kind, ' ')} ", style)
        edge = self._strip(gutter, row, gutter.cell_length)
        text = self._strip(self._text(file, row), row, width - edge.cell_length, round(self.scroll_x), at)
        return Strip.join([edge, text])

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
        if at is not None and selection is not None and (span := selection.get_span(at)) is not None:
            start, end = span
            selected = self._style("$screen-selection-foreground on $screen-selection-background")
            content = content.stylize(selected, start, len(content) if end < 0 else end)
        pieces = content.render(base, end="", parse_style=self.app.stylesheet.parse_style)
        strip = Strip([Segment(text, (base + style).rich_style) for text, style in pieces])
        strip = strip.crop_extend(scrolled, scrolled + width, base.rich_style)
        return strip if at is None else strip.apply_offsets(scrolled, at)

    def _style(self, words: str) -> Style:
        return self.visual_style + self.app.stylesheet.parse_style(words) if words else self.visual_style

    # Copying

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text without numbers and signs."""
        first = selection.start.y if selection.start else 0
        last = selection.end.y if selection.end else len(self._rows) - 1
        lines = [self._plain(y) for y in range(first, min(last + 1, len(self._rows)))]
        moved = Selection(
            selection.start and Offset(selection.start.x, 0), selection.end and Offset(selection.end.x, last - first)
        )
        return moved.extract("\n".join(lines)), "\n"

    def _plain(self, y: int) -> str:
        row = self._rows[y].right or self._rows[y].left
        if row is None:
            return ""
        return self._heading(self.file_at(y), row).plain if row.kind in ("file", "note", "hunk") else display_text(row)

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()


def _same_on_both_sides(row: Row) -> Pair:
    return Pair(row, row)


def _number(pair: Pair) -> int:
    row = pair.right or pair.left
    return row.n if row and row.kind not in ("file", "note") else -1
