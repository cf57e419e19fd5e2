"""A running command in a workspace that exchanges lines with the harness."""

from __future__ import annotations

from contextlib import suppress

from aci.runtime.process_channel import ChannelOutput, ProgramStarter
from aci.runtime.session_processes import SessionProcesses
from trajectories.errors import WorkspaceError

MAX_LINE_BYTES = 32_000_000
"""The maximum length of a line in bytes."""
_BASH_OR_SH = 'if command -v bash >/dev/null 2>&1; then exec bash -c "$1"; else exec sh -c "$1"; fi'


class LineProcess:
    """A running shell command (in bash, or in sh if bash is missing), started through `start`. `processes` finds the
    processes that the command starts.

    Its stderr is part of its output. Raises WorkspaceError if it cannot be started.
    """

    def __init__(self, start: ProgramStarter, command: str, processes: SessionProcesses) -> None:
        self._channel = start(["sh", "-c", _BASH_OR_SH, "sh", command])
        self._stream = ChannelOutput(self._channel)
        self._processes = processes
        self._parts: list[bytes] = []
        self._length = 0
        self._open = True

    def send(self, line: bytes) -> None:
        """Send `line`, which must not include the newline. Input that the command does not read at once is sent during
        `receive`."""
        self.send_bytes(line + b"\n")

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as `send` does, without a newline."""
        self._stream.send(data)

    def receive(self, seconds: float) -> list[bytes] | None:
        """Wait at most `seconds` for complete lines and return them, or None once the command has ended."""
        data = self.receive_bytes(seconds)
        if not data:
            return None if data is None else []
        lines = self._lines(data)
        if self._length > MAX_LINE_BYTES:
            raise WorkspaceError("A command in the workspace sent an endless line.", "Check what the tests print.")
        return lines

    def receive_bytes(self, seconds: float) -> bytes | None:
        """Wait at most `seconds` for output and return it, or None once the command has ended."""
        if not self._stream.wait(seconds):
            return None if self._channel.ended() else b""
        data = self._channel.receive()
        return None if data == b"" else data or b""

    def _lines(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes. The unfinished line is kept in parts, since it may be long."""
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
        """End the command and all processes that it started. May be called twice."""
        if self._open:
            self._open = False
            self._channel.close(group=True)
            with suppress(WorkspaceError):  # the host may be gone, and the processes with it
                self._processes.end_all()
