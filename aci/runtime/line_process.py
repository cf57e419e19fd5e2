"""A command in a workspace that lines are exchanged with, for as long as it runs."""

from __future__ import annotations

from contextlib import suppress

from aci.channel import Start, Talk
from aci.processes import Processes
from trajectories.errors import WorkspaceError

LONGEST = 32_000_000
"""Bytes of a line; who says more without an end of line is not listened to."""
_BASH_OR_SH = 'if command -v bash >/dev/null 2>&1; then exec bash -c "$1"; else exec sh -c "$1"; fi'


class Conversation:
    """`command` (bash, or sh where there is none), started by `start`. What it starts is found by `processes`.

    Its stderr is part of its output. Raises WorkspaceError where it cannot be started.
    """

    def __init__(self, start: Start, command: str, processes: Processes) -> None:
        self._channel = start(["sh", "-c", _BASH_OR_SH, "sh", command])
        self._talk = Talk(self._channel)
        self._processes = processes
        self._parts: list[bytes] = []
        self._length = 0
        self._open = True

    def send(self, line: bytes) -> None:
        """Say a line (without its end). What the command does not take at once goes while we listen."""
        self._talk.send(line + b"\n")

    def receive(self, seconds: float) -> list[bytes] | None:
        """The whole lines that came within so many seconds, as soon as there are some; None once it has ended."""
        if not self._talk.wait(seconds):
            return None if self._channel.ended() else []
        data = self._channel.receive()
        if data == b"":
            return None
        lines = self._lines(data or b"")
        if self._length > LONGEST:
            raise WorkspaceError("A command in the workspace sent a line without end.", "See what the tests print.")
        return lines

    def _lines(self, data: bytes) -> list[bytes]:
        """The lines that end in `data`; what has no end yet is kept in parts, since a line may be long."""
        first, *more = data.split(b"\n")
        self._parts.append(first)
        self._length += len(first)
        if not more:
            return []
        lines = [b"".join(self._parts), *more]
        self._parts = [lines.pop()]
        self._length = len(self._parts[0])
        return lines

    def close(self) -> None:
        """End the command and all that it started. May be called twice."""
        if self._open:
            self._open = False
            self._channel.close(group=True)
            with suppress(WorkspaceError):  # the place may be gone, and the processes with it
                self._processes.end_all()
