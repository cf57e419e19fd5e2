"""The two ends of a program that runs in a workspace: its stdin, and its output in the order it was said."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from trajectories.errors import WorkspaceError

BLOCK = 1 << 18
"""Bytes read at once."""

_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux only


class Channel(Protocol):
    """A program's stdin and output. Its own end shows as the end of the output once nothing else holds that."""

    def fileno(self) -> int:
        """What to poll for output."""
        ...

    def send(self, data: bytes) -> None:
        """Write `data` to the program's stdin; of no effect once it has ended."""
        ...

    def receive(self) -> bytes | None:
        """The output that is there; None when there is none now, empty at its end."""
        ...

    def ended(self) -> bool:
        """Whether the program is known to have ended, though others may still hold its output."""
        ...

    def code(self, seconds: float) -> int | None:
        """The exit status after at most `seconds`; 128 and its number for a signal, None where nobody knows."""
        ...

    def close(self, group: bool) -> None:
        """Let go of the program, and end it where it runs on this machine: with its whole `group`, or alone."""
        ...


Start = Callable[[Sequence[str]], Channel]
"""Starts a program by its words. Raises WorkspaceError."""


def here(env: Mapping[str, str] | None = None) -> Start:
    """Programs on this machine, with `env` as their whole environment (None: this process's)."""
    return lambda words: Child(words, env)


class Child:
    """A child process of ours."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str] | None) -> None:
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            raise WorkspaceError(f"A shell could not be started: {error}.", "Run `swe-agent doctor`.") from error
        os.set_blocking(self.fileno(), False)
        if _SET_PIPE_SIZE:
            with suppress(OSError):  # a user may have used up what all pipes may hold
                fcntl.fcntl(self.fileno(), _SET_PIPE_SIZE, BLOCK)

    def fileno(self) -> int:
        assert self._process.stdout
        return self._process.stdout.fileno()

    def send(self, data: bytes) -> None:
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def receive(self) -> bytes | None:
        try:
            return os.read(self.fileno(), BLOCK)
        except BlockingIOError:
            return None

    def ended(self) -> bool:
        return self._process.poll() is not None

    def code(self, seconds: float) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(seconds)
            return code if code >= 0 else 128 - code
        return None

    def close(self, group: bool) -> None:
        assert self._process.stdin
        assert self._process.stdout
        with suppress(OSError):
            self._process.stdin.close()
        if group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()
