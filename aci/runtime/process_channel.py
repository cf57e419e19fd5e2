"""The stdin and the output of a program in a workspace."""

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

BLOCK_BYTES = 1 << 18
"""Number of bytes to read at a time."""

_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux only


class Channel(Protocol):
    """A program's stdin and output. The output ends when the program and all other processes that hold it open have
    ended."""

    def fileno(self) -> int:
        """Return the file descriptor to poll for output."""
        ...

    def inlet(self) -> int:
        """Return the file descriptor to poll until the program accepts more input."""
        ...

    def offer(self, data: memoryview) -> int:
        """Write to the program's stdin without waiting and return the number of bytes written.

        Once the program has ended, all of `data` is dropped and counts as written.
        """
        ...

    def receive(self) -> bytes | None:
        """Return the available output, None if there is none yet, or empty bytes at its end."""
        ...

    def ended(self) -> bool:
        """Return whether the program is known to have ended; other processes may still hold its output open."""
        ...

    def code(self, seconds: float) -> int | None:
        """Wait at most `seconds` and return the exit status: 128 + N for signal N, None if it is unknown."""
        ...

    def close(self, group: bool) -> None:
        """Close the channel. A program on this machine is killed, along with its whole process group if `group` is
        true."""
        ...


class ChannelOutput:
    """A channel with a buffer for the input that the program has not accepted yet."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._unsent = memoryview(b"")
        self._output_poll = select.poll()
        self._output_poll.register(channel, select.POLLIN)

    def send(self, data: bytes) -> None:
        """Send `data` without blocking. Data that is not accepted at once is sent during `wait`."""
        self._unsent = memoryview(bytes(self._unsent) + data if self._unsent else data)
        self._offer_unsent()

    def wait(self, seconds: float) -> bool:
        """Wait for output, or until more input is accepted. Return whether there is output to read or the output has
        ended."""
        if not self._unsent:
            return bool(self._output_poll.poll(seconds * 1000))
        outlet, inlet = self._channel.fileno(), self._channel.inlet()
        both = select.poll()
        both.register(inlet, select.POLLOUT)
        both.register(outlet, select.POLLIN | (select.POLLOUT if outlet == inlet else 0))
        found = dict(both.poll(seconds * 1000))
        self._offer_unsent()
        return bool(found.get(outlet, 0) & ~select.POLLOUT)

    def _offer_unsent(self) -> None:
        self._unsent = self._unsent[self._channel.offer(self._unsent) :]


ProgramStarter = Callable[[Sequence[str]], Channel]
"""A function that starts a program from its argument list. Raises WorkspaceError."""


def local_starter(env: Mapping[str, str] | None = None) -> ProgramStarter:
    """Return a function that starts programs on this machine with the environment `env`, which defaults to that of this
    process."""
    return lambda words: ChildChannel(words, env)


class ChildChannel:
    """A child process of this one."""

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
            with suppress(OSError):  # the limit on the total size of the user's pipes may be reached
                fcntl.fcntl(self.fileno(), _SET_PIPE_SIZE, BLOCK_BYTES)

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
            return os.read(self.fileno(), BLOCK_BYTES)
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
