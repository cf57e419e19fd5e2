"""The blocks of a conversation, with a cache of recently drawn lines."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from extensions.interactive.tui.rendering.line_renderer import LineRenderer
from extensions.interactive.tui.widgets.block_heights import Heights

if TYPE_CHECKING:
    from textual.strip import Strip

    from extensions.interactive.tui.widgets.conversation_items import Block, Item

KEPT = 6000
"""Maximum number of lines in the cache; more than any screen shows."""


class LineCache:
    """Caches the blocks of each item, and the drawn lines of each block."""

    def __init__(self) -> None:
        self.pen = LineRenderer(80)
        self.heights = Heights()
        self.items: list[Item] = []
        self._opened: set[int] = set()
        self._blocks: list[Block] = []
        self._owner: list[int] = []
        self._first: list[int] = []
        """The index of each item's first block."""
        self._drawn: OrderedDict[Block, list[Strip]] = OrderedDict()
        self._lines = 0

    def __len__(self) -> int:
        return len(self._blocks)

    def add(self, item: Item, opened: bool = False) -> None:
        number = len(self.items)
        self.items.append(item)
        self._first.append(len(self._blocks))
        if opened and item.opens:
            self._opened.add(number)
        self._put(number, len(self._blocks), len(self._blocks), item.blocks(number in self._opened, whole=False))

    def pop(self) -> None:
        """Remove the last item."""
        number = len(self.items) - 1
        self._put(number, self._first[number], len(self._blocks), [])
        self.items.pop()
        self._first.pop()
        self._opened.discard(number)

    def open(self, number: int, opened: bool) -> None:
        """Open or close an item."""
        if opened == (number in self._opened) or not self.items[number].opens:
            return
        (self._opened.add if opened else self._opened.discard)(number)
        begin, end = self.span(number)
        blocks = self.items[number].blocks(opened)
        grown = len(blocks) - (end - begin)
        self._put(number, begin, end, blocks)
        if grown:
            self._first[number + 1 :] = [first + grown for first in self._first[number + 1 :]]

    def open_all(self, opened: bool) -> None:
        items = self.items
        self.items, self._first, self._blocks, self._owner = [], [], [], []
        self._opened.clear()
        self.heights = Heights()
        for item in items:
            self.add(item, opened)

    def is_open(self, number: int) -> bool:
        return number in self._opened

    def span(self, number: int) -> tuple[int, int]:
        """Return the range of an item's blocks."""
        last = number + 1 == len(self.items)
        return self._first[number], len(self._blocks) if last else self._first[number + 1]

    def item_of(self, block: int) -> int:
        return self._owner[block]

    def _put(self, number: int, begin: int, end: int, blocks: list[Block]) -> None:
        for block in self._blocks[begin:end]:
            self._lines -= len(self._drawn.pop(block, ()))
        self._blocks[begin:end] = blocks
        self._owner[begin:end] = [number] * len(blocks)
        self.heights.splice(begin, end, [self._height(block) for block in blocks])

    def _height(self, block: Block) -> int:
        drawn = self._drawn.get(block)
        return block.guess(self.pen.width) if drawn is None else len(drawn)

    def use(self, pen: LineRenderer) -> None:
        """Use another renderer from now on."""
        if pen == self.pen:
            return
        self.pen = pen
        self._drawn.clear()
        self._lines = 0
        self.heights.splice(0, len(self._blocks), [block.guess(pen.width) for block in self._blocks])

    def lines(self, number: int) -> list[Strip]:
        """Return the lines of a block, and record its height."""
        block = self._blocks[number]
        drawn = self._drawn.get(block)
        if drawn is None:
            drawn = self._drawn[block] = block.draw(self.pen)
            self._lines += len(drawn)
            while self._lines > KEPT and len(self._drawn) > 1:
                self._lines -= len(self._drawn.popitem(last=False)[1])
        else:
            self._drawn.move_to_end(block)
        self.heights.set(number, len(drawn))
        return drawn
