"""Bounded buffer for output of any length."""

from __future__ import annotations


class HeadTailBuffer:
    """A buffer that keeps the head and the tail of a stream, `cap` bytes in total."""

    def __init__(self, cap: int) -> None:
        self.last = max(cap // 2, 1)
        self.first = cap - self.last
        self.head, self.tail, self.cut = bytearray(), bytearray(), 0

    def add(self, data: bytes) -> None:
        room = self.first - len(self.head)
        self.head += data[:room]
        self.tail += data[room:]
        if len(self.tail) > 2 * self.last:
            self._trim()

    def _trim(self) -> None:
        over = max(len(self.tail) - self.last, 0)
        self.cut += over
        del self.tail[:over]

    def bytes(self) -> bytes:
        self._trim()
        return bytes(self.head + self.tail)
