"""The harness's own shell in a workspace, which moves files, takes snapshots and ends processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer

from aci.runtime.process_channel import ProgramStarter
from aci.runtime.shell_session import Shell
from aci.runtime.workspace import CommandResult
from trajectories.errors import WorkspaceError

QUICK = 60.0
"""Maximum number of seconds for a command that does little work. Commands whose work has a known size get additional
time; see `snapshots.SnapshotStore`."""

LONG = 300.0
"""Maximum number of seconds for a command whose work depends on files that the agent wrote: enough for 10 GB at 33
MB/s, or for 300,000 files at a millisecond each."""

_SLOW = 10.0  # seconds
_BLOCK = 30_000
_PRINTF = {0: b"\\0000", 0x5C: b"\\\\"}


class CommandTimeout(WorkspaceError):
    """A program that the harness started took too long and was ended; the shell can be used again."""


class ControlShell:
    """A POSIX shell with an environment that no command of the agent can change. Setting `cancel` ends the command that
    runs in it.

    If the host is not `shared` with other processes of this machine, slow commands get a SIGCONT; see `_awake`.
    """

    def __init__(self, start: ProgramStarter, cwd: str, cancel: Event | None = None, shared: bool = True) -> None:
        self._start, self._shared = start, shared
        self._shell = Shell(start, cwd=cwd, cancel=cancel, program="sh")
        self._shell.begin()

    def run(
        self,
        command: str | bytes,
        cap: int = 16_000_000,
        patience: float = QUICK,
        cancellable: bool = True,
        data: bytes = b"",
        program: str = "sh",
    ) -> CommandResult:
        """Run `command` with `data` as its stdin (see `Shell.run`) and return its result, whatever its exit status.

        `program` is the program that does the work, for the error message. Raises WorkspaceError if the shell is gone,
        CommandTimeout if the command does not end within `patience` seconds, and Cancelled if `cancel` is set and
        `cancellable` is true.
        """
        with self._awake():
            ran = self._shell.run(command, patience, cap, cancellable, data)
        if ran.timed_out:
            raise self._no_answer(program, patience)
        return ran

    def ask(self, command: str | bytes, what: str, patience: float = QUICK, program: str = "sh") -> bytes:
        """Return the output of `command` (see `run`). Raises WorkspaceError, with the action `what` in its message, if
        the command fails."""
        ran = self.run(command, patience=patience, program=program)
        if ran.code:
            raise WorkspaceError(
                f"The workspace could not {what}: {ran.text.strip()[-500:] or f'exit status {ran.code}'}.",
                "Check that its disk is not full; `swe-agent resume` continues in a new workspace.",
            )
        return ran.output

    def put(self, path: bytes, data: bytes, patience: float = QUICK, cancellable: bool = True) -> CommandResult:
        """Write `data` to a file without starting a process; `path` is already quoted for the shell. The file keeps its
        mode.

        The time limit is `patience` seconds plus one second for each megabyte.
        """
        total = patience + len(data) / 1e6
        until = time.monotonic() + total
        ran = self._print(data[:_BLOCK], b"> " + path, patience, cancellable)
        for start in range(_BLOCK, len(data), _BLOCK):
            if ran.code:
                break
            left = max(0.0, until - time.monotonic())
            try:
                ran = self._print(data[start : start + _BLOCK], b">> " + path, min(patience, left), cancellable)
            except CommandTimeout:
                raise self._no_answer("sh", total if left < patience else patience) from None
        return ran

    def pour(self, path: bytes, data: bytes, patience: float = QUICK) -> CommandResult:
        """Write `data` to a file, which keeps its mode; `path` is already quoted for the shell.

        This starts a process, and is much faster than `put` for large data.
        """
        ran = self.run(b": >> " + path, patience=patience)  # a failure here does not end the shell
        return (
            ran
            if ran.code
            else self.run(b"head -c %d > %b" % (len(data), path), patience=patience, data=data, program="head")
        )

    def close(self) -> None:
        self._shell.close()

    @contextmanager
    def _awake(self) -> Iterator[None]:
        """Send SIGCONT if a command in a container is slow, since a command of the agent may have stopped it."""
        timer = Timer(_SLOW, self._wake)
        timer.daemon = True
        if not self._shared:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _wake(self) -> None:
        with suppress(WorkspaceError):
            channel = self._start(["sh", "-c", "kill -CONT -1"])
            channel.code(_SLOW)
            channel.close(group=True)

    def _no_answer(self, program: str, seconds: float) -> CommandTimeout:
        place, another = ("this machine", "") if self._shared else ("the image", ", or name another with --image")
        return CommandTimeout(
            f"`{program}` of {place} did not end within {seconds:.0f} s.",
            f"Check that it works there{another}; `swe-agent resume` continues in a new workspace.",
        )

    def _print(self, data: bytes, where: bytes, patience: float, cancellable: bool) -> CommandResult:
        return self.run(print_command(data) + b" " + where, patience=patience, cancellable=cancellable)


def print_command(data: bytes) -> bytes:
    """Return the shell command that prints `data` without starting a process."""
    text = data.replace(b"\\", _PRINTF[0x5C]).replace(b"\0", _PRINTF[0]).replace(b"'", b"'\\''")
    return b"\\command printf '%b' '" + text + b"'"
