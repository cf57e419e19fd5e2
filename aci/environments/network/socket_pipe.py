"""Carries bytes between two sockets until both have said all they have to say."""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress

_CHUNK = 65536
_AFTER = 5.0  # seconds in which the one side may end once the other has: npm leaves hundreds of connections as they are


class Way:
    """From `source` to `sink`, of `held` first; at most `left` bytes are read, None for all that come."""

    def __init__(self, source: socket.socket, sink: socket.socket, held: bytes = b"", left: int | None = None) -> None:
        self.source, self.sink = source, sink
        self._held, self._left = held, left
        self._read_all = left == 0
        self.over = self._read_all and not held

    def interests(self) -> list[tuple[socket.socket, int]]:
        if self._held:
            return [(self.sink, select.POLLOUT)]
        return [] if self._read_all else [(self.source, select.POLLIN)]

    def step(self) -> None:
        """Write what is held, or read what can be had. Raises OSError."""
        with suppress(BlockingIOError):
            if self._held:
                self._held = self._held[self.sink.send(self._held) :]
            elif not self._read_all:
                self._read()
        if self._read_all and not self._held and not self.over:
            self.over = True
            if self._left is None:
                self.sink.shutdown(socket.SHUT_WR)

    def _read(self) -> None:
        self._held = self.source.recv(_CHUNK if self._left is None else min(_CHUNK, self._left))
        if self._left is not None:
            self._left -= len(self._held)
        self._read_all = not self._held or self._left == 0

    def cease(self) -> None:
        """Carry no more: an end is gone."""
        self._held, self._read_all, self.over = b"", True, True


def receive(source: socket.socket, until: float) -> bytes:
    """What comes from `source` before the time `until` (of `time.monotonic`), empty at its end. Raises OSError, and
    TimeoutError when nothing came."""
    source.settimeout(max(0.001, until - time.monotonic()))
    return source.recv(_CHUNK)


def pump(up: Way, down: Way, idle: float, both: bool) -> None:
    """Carry until `down` has ended, and `up` too if it is to be `both`; or until nothing came for `idle` seconds.

    Who is at the end of `up` may have said something before going away: that still goes `down`. Raises OSError when
    there is nobody to hear it.
    """
    up.source.setblocking(False)
    down.source.setblocking(False)
    while not down.over or (both and not up.over):
        poll = select.poll()
        wanted: dict[int, int] = {}
        for sock, event in up.interests() + down.interests():
            wanted[sock.fileno()] = wanted.get(sock.fileno(), 0) | event
        for fd, events in wanted.items():
            poll.register(fd, events)
        if not poll.poll((min(idle, _AFTER) if down.over else idle) * 1000):
            return
        try:
            up.step()
        except OSError:
            up.cease()
        down.step()
