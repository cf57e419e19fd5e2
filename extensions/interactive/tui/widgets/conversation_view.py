"""The conversation widget, which draws only the visible lines.

The scroll position is a line within a block, not a distance from the top, because heights are estimates until a block
is drawn. As a result, the text that the user reads does not move when content is added or the width changes.
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

from extensions.interactive.tui.rendering.line_renderer import NAMES, PLAIN, LineRenderer, blank, can_unicode
from extensions.interactive.tui.rendering.redraw_pace import Pace
from extensions.interactive.tui.widgets.conversation_items import Item, UserMessage
from extensions.interactive.tui.widgets.empty_conversation import hint_lines
from extensions.interactive.tui.widgets.line_cache import LineCache
from extensions.interactive.tui.widgets.streaming_item import LiveItem, Secrets, no_secrets

WALKING = ("up", "down", "enter", "home", "end")
"""Keys that move between steps; all other keys go to the prompt."""
WHEEL = 3
"""Number of lines to scroll per step of the mouse wheel."""
EIGHTHS = 8
"""Subdivisions of a line in the drawing of a scrollbar."""
FAR = 1 << 20
"""A number larger than the line count of any block, used to encode block and line as one number for Textual's
selection."""


class Conversation(ScrollView, can_focus=True):
    """Shows finished items, which `add` appends, and the `live` item. Keeps the end visible unless the user scrolls."""

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
        self.live = LiveItem(secrets)
        self._line_cache = LineCache()
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

    # Content

    def add(self, *items: Item) -> None:
        """Append finished items."""
        self._hide_live()
        for item in items:
            self._line_cache.add(item, self._all_open)
        self.changed()

    def clear(self) -> None:
        self._line_cache = LineCache()
        self._live_shown, self._top, self._following, self.cursor = False, (0, 0), True, None
        self.changed()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the height of the live item, for inline mode (see `extensions/interactive/tui/inline_mode.py`)."""
        self._line_cache.use(self.pen())
        return sum(len(self._line_cache.lines(number)) for number in range(len(self._line_cache)))

    def changed(self) -> None:
        """Redraw soon, because the live item may have changed."""
        self._hide_live()
        if self.live:
            self._line_cache.add(self.live)
            self._live_shown = True
        self._page = None
        if self.app.is_headless:  # a headless app has no key presses to wait for
            self._redraw()
        else:
            self._pace.wanted()

    @property
    def items(self) -> list[Item]:
        return self._line_cache.items

    @property
    def following(self) -> bool:
        return self._following

    def typed(self) -> None:
        """Delay redraws, because a key was pressed."""
        self._pace.typed()

    def _hide_live(self) -> None:
        if self._live_shown:
            self._line_cache.pop()
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

    def pen(self) -> LineRenderer:
        width = max(10, self.scrollable_content_region.width - 1)
        if self._colours is None:
            self._ground = self.rich_style
            style = self.get_component_rich_style
            self._colours = {name: style(f"conversation--{name}", partial=True) for name in NAMES}
        return LineRenderer(width, self._colours, self._ascii)

    def _filled(self) -> list[tuple[int, int, Strip]]:
        """Return the visible lines, each with the number of its block and its index in the block."""
        cache, height = self._line_cache, self.scrollable_content_region.height
        cache.use(self.pen())
        block, line = self._top
        block = min(block, len(cache) - 1)
        page: list[tuple[int, int, Strip]] = []
        while not self._following and 0 <= block < len(cache) and len(page) < height:
            strips = cache.lines(block)
            page += [(block, at, strips[at]) for at in range(min(line, max(0, len(strips) - 1)), len(strips))]
            block, line = block + 1, 0
        if len(page) < height:  # the end is visible
            page, block = [], len(cache) - 1
            while block >= 0 and len(page) < height:
                page = [(block, at, strip) for at, strip in enumerate(cache.lines(block))] + page
                block -= 1
            page = page[-height:] if height else []
            self._following = True
        page = page[:height]
        self._top = page[0][:2] if page else (0, 0)
        return page

    def render_line(self, y: int) -> Strip:
        if self._page is None:
            self._pace.redraw_started()
            self._page = self._filled()
            self._hints = [] if self._page or self.has_class("-inline") else hint_lines(self._line_cache.pen)
            self.call_next(self._update_scrollbar)
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
        if self.has_focus and self.cursor is not None and self._line_cache.item_of(block) == self.cursor:
            style = self.get_component_rich_style("conversation--cursor", partial=True)
            return Strip([Segment("|" if self._ascii else "▌", style)])
        return blank(1)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text without trailing blanks."""
        first, last = selection.start or Offset(0, 0), selection.end
        begin, end = first.y // FAR, last.y // FAR if last else len(self._line_cache) - 1
        found = []
        for block in range(begin, min(end + 1, len(self._line_cache))):
            for at, strip in enumerate(self._line_cache.lines(block)):
                place = block * FAR + at
                if first.y <= place and (last is None or place <= last.y):
                    text = f" {strip.text}"
                    text = text[: last.x] if last and place == last.y else text
                    found.append((text[first.x :] if place == first.y else text).rstrip())
        return "\n".join(found), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    # Scrolling

    def _update_scrollbar(self) -> None:
        """Update the scrollbar from the known heights, if its appearance would change."""
        self._pace.redraw_ended()
        heights, seen = self._line_cache.heights, max(1, self.scrollable_content_region.height)
        at = heights.start(min(self._top[0], max(0, len(heights) - 1))) + self._top[1] if len(heights) else 0
        scale = seen * EIGHTHS / max(seen, heights.total)
        thumb = (self.size.width, seen, round(at * scale), round((at + seen) * scale), self._following)
        if thumb == self._thumb:
            return
        was_following = not self._thumb or bool(self._thumb[-1])
        self._thumb = thumb
        if self._following != was_following:
            self.post_message(self.FollowingChanged(self._following))
        self.virtual_size = Size(self.scrollable_content_region.width, heights.total)
        self.set_reactive(ScrollView.scroll_y, float(at))
        self.set_reactive(ScrollView.scroll_target_y, float(at))
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = at

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow a change of the scroll position, such as a dragged scrollbar."""
        if round(old_value) != round(new_value):
            self._top = self._line_cache.heights.at(round(new_value))
            self._following = new_value >= self.max_scroll_y
            self._redraw()

    def scroll_lines(self, lines: int) -> None:
        """Scroll by a number of drawn lines; a positive number scrolls down."""
        cache = self._line_cache
        if not len(cache):
            return
        block, line = self._top
        line += lines
        while line < 0 and block > 0:
            block -= 1
            line += len(cache.lines(block))
        while block < len(cache) - 1 and line >= (height := len(cache.lines(block))):
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

    # Items that can be opened

    def action_move(self, by: int) -> None:
        """Go to the next or previous item that can be opened; moving down from the last one returns the focus to the
        prompt."""
        items = self._line_cache.items
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
        """Open or close an item: the one at the cursor if the conversation has the focus, else the last visible one, or
        the newest one of the current turn."""
        if self.cursor is None or self.screen.focused is not self:
            self.cursor = self._last_visible_item()
        if self.cursor is not None:
            self._toggle(self.cursor)

    def _toggle(self, number: int) -> None:
        self._line_cache.open(number, not self._line_cache.is_open(number))
        self._show_item(number)

    def _last_visible_item(self) -> int | None:
        """Return the last visible item that can be opened, or else the newest one of the current turn."""
        items = self._line_cache.items
        page = self._page or self._filled()
        visible = {self._line_cache.item_of(block) for block, _, strip in page if strip.text.strip()}
        turn = max((number for number, item in enumerate(items) if isinstance(item, UserMessage)), default=0)
        for candidates in (sorted(visible, reverse=True), range(len(items) - 1, turn - 1, -1)):
            for number in candidates:
                if items[number].opens:
                    return number
        return None

    def open_all(self) -> None:
        """Open or close all items."""
        at = self._line_cache.item_of(min(self._top[0], len(self._line_cache) - 1)) if len(self._line_cache) else 0
        self._all_open = not self._all_open
        self._line_cache.open_all(self._all_open)
        if len(self._line_cache):
            self._top = (self._line_cache.span(at)[0], 0)
        self._redraw()

    def _show_item(self, number: int) -> None:
        """Scroll to an item, or to its start if it does not fit on the screen; keep following the end if the item fits
        above it."""
        begin, end = self._line_cache.span(number)
        height = self.scrollable_content_region.height
        if self._following and self._fits_above_end(begin, height):
            self._redraw()
            return
        seen = {block for block, _, _ in self._page or ()}
        if not {begin, end - 1} <= seen:
            self._top, self._following = (begin, 0), False
            lines = 0
            for block in range(begin, end):
                lines += len(self._line_cache.lines(block))
                if lines >= height:
                    break
            if lines < height // 2:
                self.scroll_lines(-(height // 3))
        self._redraw()

    def _fits_above_end(self, block: int, height: int) -> bool:
        """Return whether the lines from a block to the end fit on the screen."""
        lines = 0
        for number in range(block, len(self._line_cache)):
            lines += len(self._line_cache.lines(number))
            if lines > height:
                return False
        return True

    def on_click(self, event: events.Click) -> None:
        """Open or close the item that was clicked."""
        if self._page and 0 <= event.y < len(self._page) and not self.text_selection:
            number = self._line_cache.item_of(self._page[event.y][0])
            if self._line_cache.items[number].opens:
                self.cursor = number
                self._toggle(number)

    class FollowingChanged(Message):
        """Posted when the view starts or stops following the end, because the user scrolled."""

        def __init__(self, following: bool) -> None:
            super().__init__()
            self.following = following

    class Left(Message):
        """Posted when the focus should return to the prompt."""
