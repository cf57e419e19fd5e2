"""What was said and done, in the order it happened: one widget that draws only the lines which are on the screen.

The place in the text is an item's line and no distance from the top, since heights are guesses until an item
is drawn: so neither growth nor a new width moves what is being read.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from agent.tui.beginning import hints
from agent.tui.blocks import Item
from agent.tui.pace import Pace
from agent.tui.pen import NAMES, PLAIN, Pen, blank, can_unicode
from agent.tui.shelf import Shelf
from agent.tui.streaming import Live, Secrets, no_secrets

WALKING = ("up", "down", "enter", "home", "end")
"""Keys that go from step to step; whatever else is typed meanwhile is the prompt's."""
WHEEL = 3
"""Lines."""
EIGHTHS = 8
"""Of a line, in which a scrollbar is drawn."""
FAR = 1 << 20
"""More lines than a block has: a place is one number for Textual's selection."""


class Conversation(ScrollView, can_focus=True):
    """`add` what is over, `live` is what goes on. Follows the end unless its reader went elsewhere."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"conversation--{name}" for name in (*NAMES, "cursor")}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Step before"),
        Binding("down", "move(1)", "Next step"),
        Binding("enter,ctrl+o", "open", "Open or close"),
        Binding("home", "home", "Beginning"),
        Binding("end", "end", "End"),
    ]
    cursor: reactive[int | None] = reactive(None, repaint=True)

    def __init__(self, secrets: Secrets = no_secrets, id: str | None = None) -> None:
        super().__init__(id=id)
        self.live = Live(secrets)
        self._shelf = Shelf()
        self._live_shown = False
        self._all_open = False
        self._top = (0, 0)
        self._following = True
        self._page: list[tuple[int, int, Strip]] | None = None
        self._hints: list[Strip] = []
        self._thumb: tuple[int, ...] = ()
        self._pace = Pace(self._redraw, self.set_timer)
        self._ground = PLAIN
        self._colours: dict[str, Style] | None = None
        self._ascii = not can_unicode()

    # What it is told

    def add(self, *items: Item) -> None:
        """More that is over."""
        self._hide_live()
        for item in items:
            self._shelf.add(item, self._all_open)
        self.changed()

    def clear(self) -> None:
        self._shelf = Shelf()
        self._live_shown, self._top, self._following, self.cursor = False, (0, 0), True, None
        self.changed()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As high as what goes on, where the rest stands above (see inline.py)."""
        self._shelf.use(self.pen())
        return sum(len(self._shelf.lines(number)) for number in range(len(self._shelf)))

    def changed(self) -> None:
        """What goes on has changed, too; drawn soon, however often this is called."""
        self._hide_live()
        if self.live:
            self._shelf.add(self.live)
            self._live_shown = True
        self._page = None
        if self.app.is_headless:  # there are no keys that could wait
            self._redraw()
        else:
            self._pace.wanted()

    @property
    def items(self) -> list[Item]:
        return self._shelf.items

    @property
    def following(self) -> bool:
        return self._following

    def typed(self) -> None:
        """A key came, which goes before whatever grows."""
        self._pace.typed()

    def _hide_live(self) -> None:
        if self._live_shown:
            self._shelf.pop()
            self._live_shown = False

    def _redraw(self) -> None:
        self._page = None
        self.refresh(layout=self.has_class("-inline"))

    # Drawing

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._colours = None
        self._redraw()

    def on_resize(self, event: events.Resize) -> None:
        self._redraw()

    def pen(self) -> Pen:
        width = max(10, self.scrollable_content_region.width - 1)
        if self._colours is None:
            self._ground = self.rich_style
            style = self.get_component_rich_style
            self._colours = {name: style(f"conversation--{name}", partial=True) for name in NAMES}
        return Pen(width, self._colours, self._ascii)

    def _filled(self) -> list[tuple[int, int, Strip]]:
        """The page: of each line its block, which line of that it is, and what is drawn."""
        shelf, height = self._shelf, self.scrollable_content_region.height
        shelf.use(self.pen())
        block, line = self._top
        block = min(block, len(shelf) - 1)
        page: list[tuple[int, int, Strip]] = []
        while not self._following and 0 <= block < len(shelf) and len(page) < height:
            strips = shelf.lines(block)
            page += [(block, at, strips[at]) for at in range(min(line, max(0, len(strips) - 1)), len(strips))]
            block, line = block + 1, 0
        if len(page) < height:  # the end is in sight
            page, block = [], len(shelf) - 1
            while block >= 0 and len(page) < height:
                page = [(block, at, strip) for at, strip in enumerate(shelf.lines(block))] + page
                block -= 1
            page = page[-height:] if height else []
            self._following = True
        page = page[:height]
        self._top = page[0][:2] if page else (0, 0)
        return page

    def render_line(self, y: int) -> Strip:
        if self._page is None:
            self._pace.begins()
            self._page = self._filled()
            self._hints = [] if self._page or self.has_class("-inline") else hints(self._shelf.pen)
            self.call_next(self._tell_scrollbar)
        width = self.scrollable_content_region.width
        if y >= len(self._page):
            if not self._page and y < len(self._hints):
                return self._hints[y].extend_cell_length(width).apply_style(self._ground)
            return Strip.blank(width, self._ground)
        block, line, strip = self._page[y]
        gutter = self._gutter(block)
        strip = Strip([*gutter, *strip]).extend_cell_length(width).crop(0, width).apply_style(self._ground)
        place = block * FAR + line
        if (selected := self.text_selection) is not None and (span := selected.get_span(place)) is not None:
            begin, end = span
            end = strip.cell_length if end == -1 else end
            style = self.screen.get_component_rich_style("screen--selection")
            before, within, after = strip.divide([begin, end, strip.cell_length])[:3]
            strip = Strip.join([before, within.apply_style(style), after])
        return strip.apply_offsets(0, place)

    def _gutter(self, block: int) -> Strip:
        if self.has_focus and self.cursor is not None and self._shelf.item_of(block) == self.cursor:
            style = self.get_component_rich_style("conversation--cursor", partial=True)
            return Strip([Segment("|" if self._ascii else "▌", style)])
        return blank(1)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text between two places; without the blanks at the ends of lines."""
        first, last = selection.start or Offset(0, 0), selection.end
        begin, end = first.y // FAR, last.y // FAR if last else len(self._shelf) - 1
        found = []
        for block in range(begin, min(end + 1, len(self._shelf))):
            for at, strip in enumerate(self._shelf.lines(block)):
                place = block * FAR + at
                if first.y <= place and (last is None or place <= last.y):
                    text = f" {strip.text}"
                    text = text[: last.x] if last and place == last.y else text
                    found.append((text[first.x :] if place == first.y else text).rstrip())
        return "\n".join(found), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    # Scrolling

    def _tell_scrollbar(self) -> None:
        """Where we are; by what is known of the heights. Nothing is painted anew where it would look the same."""
        self._pace.ended()
        heights, seen = self._shelf.heights, max(1, self.scrollable_content_region.height)
        at = heights.start(min(self._top[0], max(0, len(heights) - 1))) + self._top[1] if len(heights) else 0
        scale = seen * EIGHTHS / max(seen, heights.total)
        thumb = (self.size.width, seen, round(at * scale), round((at + seen) * scale), self._following)
        if thumb == self._thumb:
            return
        self._thumb = thumb
        self.virtual_size = Size(self.scrollable_content_region.width, heights.total)
        self.set_reactive(ScrollView.scroll_y, float(at))
        self.set_reactive(ScrollView.scroll_target_y, float(at))
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = at

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """The scrollbar was dragged, or somebody else scrolls us."""
        if round(old_value) != round(new_value):
            self._top = self._shelf.heights.at(round(new_value))
            self._following = new_value >= self.max_scroll_y
            self._redraw()

    def scroll_lines(self, lines: int) -> None:
        """Go down, or up, by so many lines as they are drawn."""
        shelf = self._shelf
        if not len(shelf):
            return
        block, line = self._top
        line += lines
        while line < 0 and block > 0:
            block -= 1
            line += len(shelf.lines(block))
        while block < len(shelf) - 1 and line >= (height := len(shelf.lines(block))):
            block, line = block + 1, line - height
        self._top, self._following = (block, max(0, line)), False
        self._redraw()

    def page(self, direction: int) -> None:
        self.scroll_lines(direction * max(1, self.scrollable_content_region.height - 2))

    def _on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        event.prevent_default()
        self.scroll_lines(WHEEL)

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        event.prevent_default()
        self.scroll_lines(-WHEEL)

    def action_home(self) -> None:
        self._top, self._following = (0, 0), False
        self._redraw()

    def action_end(self) -> None:
        self._following = True
        self._redraw()

    # Steps that open

    def action_move(self, by: int) -> None:
        """To the next step that opens, or the one before; down from the last gives the keys back to the prompt."""
        items = self._shelf.items
        at = len(items) if self.cursor is None else self.cursor
        at += by
        while 0 <= at < len(items) and not items[at].opens:
            at += by
        if 0 <= at < len(items):
            self.cursor = at
            self._show_item(at)
        elif by > 0:
            self.post_message(self.Left())

    def action_open(self) -> None:
        """The step at the cursor, the last one if there is none."""
        if self.cursor is None:
            self.cursor = next((n for n in reversed(range(len(self.items))) if self.items[n].opens), None)
        if self.cursor is not None:
            self._shelf.open(self.cursor, not self._shelf.is_open(self.cursor))
            self._show_item(self.cursor)

    def open_all(self) -> None:
        """Open every step, or close every one."""
        at = self._shelf.item_of(min(self._top[0], len(self._shelf) - 1)) if len(self._shelf) else 0
        self._all_open = not self._all_open
        self._shelf.open_all(self._all_open)
        if len(self._shelf):
            self._top = (self._shelf.span(at)[0], 0)
        self._redraw()

    def _show_item(self, number: int) -> None:
        """Bring an item into sight: its beginning, where it does not fit."""
        begin, end = self._shelf.span(number)
        height = self.scrollable_content_region.height
        seen = {block for block, _, _ in self._page or ()}
        if not {begin, end - 1} <= seen:
            self._top, self._following = (begin, 0), False
            lines = 0
            for block in range(begin, end):
                lines += len(self._shelf.lines(block))
                if lines >= height:
                    break
            if lines < height // 2:
                self.scroll_lines(-(height // 3))
        self._redraw()

    def on_click(self, event: events.Click) -> None:
        """A click on a step opens it."""
        if self._page and 0 <= event.y < len(self._page) and not self.text_selection:
            number = self._shelf.item_of(self._page[event.y][0])
            if self._shelf.items[number].opens:
                self.cursor = number
                self.action_open()

    class Left(Message):
        """The keys are the prompt's again."""
