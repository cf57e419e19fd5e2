"""Forwarding bytes between two sockets until both have ended."""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress

_CHUNK = 65536
_AFTER = 5.0  # seconds one side may stay open after the other has ended: npm leaves hundreds of connections open


class OneWayPipe:
    """One direction, from `source` to `sink`. `held` is sent first; at most `left` bytes are read (None: no limit)."""

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
        """Write buffered bytes, or read available ones. Raises OSError."""
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
        """Stop forwarding because one end is gone."""
        self._held, self._read_all, self.over = b"", True, True


def receive(source: socket.socket, until: float) -> bytes:
    """Return the next data from `source`, which must arrive before the time `until` (of `time.monotonic`); empty if
    `source` has ended.

    Raises OSError, and TimeoutError if nothing arrives.
    """
    source.settimeout(max(0.001, until - time.monotonic()))
    return source.recv(_CHUNK)


def forward_bytes(up: OneWayPipe, down: OneWayPipe, idle: float, both: bool) -> None:
    """Forward until `down` has ended (with `both`, until `up` has ended too), or until nothing arrives for `idle`
    seconds.

    If the sink of `up` has closed, data that it sent before is still forwarded `down`. Raises OSError if the sink of
    `down` has closed.
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
