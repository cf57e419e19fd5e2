"""The blocks of a conversation in a row, with the lines of those that were drawn lately."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from agent.tui.heights import Heights
from agent.tui.pen import Pen

if TYPE_CHECKING:
    from textual.strip import Strip

    from agent.tui.blocks import Block, Item

KEPT = 6000
"""Lines that are kept drawn: more than any screen, and little memory."""


class Shelf:
    """Items by their number, each with its blocks; lines by the number of a block."""

    def __init__(self) -> None:
        self.pen = Pen(80)
        self.heights = Heights()
        self.items: list[Item] = []
        self._opened: set[int] = set()
        self._blocks: list[Block] = []
        self._owner: list[int] = []
        self._first: list[int] = []
        """Of each item, the number of its first block."""
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
        """Take the last item away."""
        number = len(self.items) - 1
        self._put(number, self._first[number], len(self._blocks), [])
        self.items.pop()
        self._first.pop()
        self._opened.discard(number)

    def open(self, number: int, opened: bool) -> None:
        """Show all of an item, or its one line again."""
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
        """The blocks of an item: from, to."""
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

    def use(self, pen: Pen) -> None:
        """Draw with another pen from now on."""
        if pen == self.pen:
            return
        self.pen = pen
        self._drawn.clear()
        self._lines = 0
        self.heights.splice(0, len(self._blocks), [block.guess(pen.width) for block in self._blocks])

    def lines(self, number: int) -> list[Strip]:
        """A block as it is drawn; from here on its height is known."""
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
