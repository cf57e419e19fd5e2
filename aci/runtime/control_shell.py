"""Our own shell in a workspace, beside the sessions of the agent: it moves files, takes snapshots, ends processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer

from aci.channel import Start
from aci.shell import Shell
from aci.workspace import Ran
from trajectories.errors import WorkspaceError

QUICK = 60.0
"""Seconds for a command of ours whose work is small, or known and allowed for: see `Store`."""

LONG = 300.0
"""Seconds for a command whose work depends on files that the agent wrote, whose size is unknown: 10 GB of files at
33 MB/s, or 300,000 of them at a millisecond each."""

_SLOW = 10.0  # seconds
_BLOCK = 30_000
_PRINTF = {0: b"\\0000", 0x5C: b"\\\\"}


class NoAnswer(WorkspaceError):
    """A program that a command of ours started took too long and was ended; the shell answers again."""


class Service:
    """A POSIX shell with an environment that no command of the agent can change. `cancel` ends what runs in it.

    Where the place is not `shared` with others of this machine, what takes long is woken: see `_awake`.
    """

    def __init__(self, start: Start, cwd: str, cancel: Event | None = None, shared: bool = True) -> None:
        self._start, self._shared = start, shared
        self._shell = Shell(start, cwd=cwd, cancel=cancel, program="sh")
        self._shell.begin()

    def run(
        self,
        command: str | bytes,
        cap: int = 16_000_000,
        patience: float = QUICK,
        heed: bool = True,
        data: bytes = b"",
        program: str = "sh",
    ) -> Ran:
        """Run `command`, with `data` as its stdin (see `Shell.run`); any exit status is an answer.

        Raises WorkspaceError when the shell is gone, NoAnswer when the command, in which `program` does the work, does
        not end within `patience` seconds, and Cancelled unless told not to `heed` that.
        """
        with self._awake():
            ran = self._shell.run(command, patience, cap, heed, data)
        if ran.timed_out:
            raise self._no_answer(program, patience)
        return ran

    def ask(self, command: str | bytes, what: str, patience: float = QUICK, program: str = "sh") -> bytes:
        """The output of `command` (see `run`). Raises WorkspaceError that says `what` failed, when it did."""
        ran = self.run(command, patience=patience, program=program)
        if ran.code:
            raise WorkspaceError(
                f"The workspace could not {what}: {ran.text.strip()[-500:] or f'exit status {ran.code}'}.",
                "See that its disk is not full; `swe-agent resume` goes on in a new workspace.",
            )
        return ran.output

    def put(self, path: bytes, data: bytes, patience: float = QUICK, heed: bool = True) -> Ran:
        """Write `data` to the file whose quoted name is `path`, keeping its mode, with no process started.

        All of it has `patience` seconds, and a second for each of its megabytes.
        """
        total = patience + len(data) / 1e6
        until = time.monotonic() + total
        ran = self._print(data[:_BLOCK], b"> " + path, patience, heed)
        for start in range(_BLOCK, len(data), _BLOCK):
            if ran.code:
                break
            left = max(0.0, until - time.monotonic())
            try:
                ran = self._print(data[start : start + _BLOCK], b">> " + path, min(patience, left), heed)
            except NoAnswer:
                raise self._no_answer("sh", total if left < patience else patience) from None
        return ran

    def pour(self, path: bytes, data: bytes, patience: float = QUICK) -> Ran:
        """Write `data` to the file whose quoted name is `path`, keeping its mode: much faster than `put` where it is
        much, with a process."""
        ran = self.run(b": >> " + path, patience=patience)  # a file that cannot be opened costs no shell
        return (
            ran
            if ran.code
            else self.run(b"head -c %d > %b" % (len(data), path), patience=patience, data=data, program="head")
        )

    def close(self) -> None:
        self._shell.close()

    @contextmanager
    def _awake(self) -> Iterator[None]:
        """In a container: what takes long may have been stopped by a command of the agent, and is told to go on."""
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

    def _no_answer(self, program: str, seconds: float) -> NoAnswer:
        place, another = ("this machine", "") if self._shared else ("the image", ", or name another with --image")
        return NoAnswer(
            f"`{program}` of {place} did not end within {seconds:.0f} s.",
            f"See that it works there{another}; `swe-agent resume` goes on in a new workspace.",
        )

    def _print(self, data: bytes, where: bytes, patience: float, heed: bool) -> Ran:
        return self.run(printing(data) + b" " + where, patience=patience, heed=heed)


def printing(data: bytes) -> bytes:
    """The shell command that prints `data`, with no process started."""
    text = data.replace(b"\\", _PRINTF[0x5C]).replace(b"\0", _PRINTF[0]).replace(b"'", b"'\\''")
    return b"\\command printf '%b' '" + text + b"'"
