"""The two ends of a program that runs in a workspace: its stdin, and its output in the order it was said."""

from __future__ import annotations

import fcntl
import os
import select
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

    def inlet(self) -> int:
        """What to poll until more is taken."""
        ...

    def offer(self, data: memoryview) -> int:
        """How many bytes of `data` were written to the program's stdin without waiting: all, in vain, once it has
        ended."""
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


class Talk:
    """Speaking and listening to a channel that may take less at once than there is to say."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._unsent = memoryview(b"")
        self._heard = select.poll()
        self._heard.register(channel, select.POLLIN)

    def send(self, data: bytes) -> None:
        """Send `data`; what is not taken at once goes during `wait`, so nobody who does not listen keeps us waiting."""
        self._unsent = memoryview(bytes(self._unsent) + data if self._unsent else data)
        self._go_on()

    def wait(self, seconds: float) -> bool:
        """Wait for output, or until something more is sent; whether there is output, or its end."""
        if not self._unsent:
            return bool(self._heard.poll(seconds * 1000))
        outlet, inlet = self._channel.fileno(), self._channel.inlet()
        both = select.poll()
        both.register(inlet, select.POLLOUT)
        both.register(outlet, select.POLLIN | (select.POLLOUT if outlet == inlet else 0))
        found = dict(both.poll(seconds * 1000))
        self._go_on()
        return bool(found.get(outlet, 0) & ~select.POLLOUT)

    def _go_on(self) -> None:
        self._unsent = self._unsent[self._channel.offer(self._unsent) :]


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
        os.set_blocking(self.inlet(), False)
        if _SET_PIPE_SIZE:
            with suppress(OSError):  # a user may have used up what all pipes may hold
                fcntl.fcntl(self.fileno(), _SET_PIPE_SIZE, BLOCK)

    def fileno(self) -> int:
        assert self._process.stdout
        return self._process.stdout.fileno()

    def inlet(self) -> int:
        assert self._process.stdin
        return self._process.stdin.fileno()

    def offer(self, data: memoryview) -> int:
        try:
            return os.write(self.inlet(), data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return len(data)

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
