"""The stdin and the output of a program in a workspace."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from trajectories.errors import WorkspaceError
from trajectories.plugins import extension_module

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


class RunningProgram(Protocol):
    """A program that was started; `subprocess.Popen` has most of its methods."""

    def poll(self) -> int | None:
        """Return the exit status, -N after signal N, or None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        ...

    def kill(self) -> None: ...

    def kill_group(self) -> None:
        """Kill its whole process group."""
        ...


TerminalStarter = Callable[[Sequence[str]], tuple[int, RunningProgram]]
"""A function that starts a program on its own terminal and returns the terminal's master end and the program."""


def terminal_programs() -> Any:
    """Return the module that opens terminals: the class `PtySession` and the function `open_terminal`.

    Raises UsageError if its extension is not installed."""
    return extension_module("aci.runtime.terminal_programs", "The tool `session`", "terminal_programs")


class ChildProcess(subprocess.Popen[bytes]):
    """A child process of this one that leads a process group."""

    def kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


class PipeChannel:
    """The pipes of a running program."""

    def __init__(self, stdin: int, stdout: int, program: RunningProgram) -> None:
        self._stdin, self._stdout, self._program = stdin, stdout, program
        for end in (stdin, stdout):
            os.set_blocking(end, False)
        if _SET_PIPE_SIZE:
            with suppress(OSError):  # the limit on the total size of the user's pipes may be reached
                fcntl.fcntl(stdout, _SET_PIPE_SIZE, BLOCK_BYTES)

    def fileno(self) -> int:
        return self._stdout

    def inlet(self) -> int:
        return self._stdin

    def offer(self, data: memoryview) -> int:
        try:
            return os.write(self._stdin, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return len(data)

    def receive(self) -> bytes | None:
        try:
            return os.read(self._stdout, BLOCK_BYTES)
        except BlockingIOError:
            return None

    def ended(self) -> bool:
        return self._program.poll() is not None

    def code(self, seconds: float) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            code = self._program.wait(seconds)
            return code if code >= 0 else 128 - code
        return None

    def close(self, group: bool) -> None:
        if self._stdin < 0:
            return
        os.close(self._stdin)
        if group:
            self._program.kill_group()
        else:
            self._program.kill()
        self._program.wait()
        os.close(self._stdout)
        self._stdin = self._stdout = -1


class ChildChannel(PipeChannel):
    """The pipes of a child process of this one. Raises WorkspaceError if it cannot be started."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str] | None) -> None:
        try:
            process = ChildProcess(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            raise WorkspaceError(f"A shell could not be started: {error}.", "Run `swe-agent doctor`.") from error
        with process.stdin as stdin, process.stdout as stdout:  # type: ignore[union-attr]
            super().__init__(os.dup(stdin.fileno()), os.dup(stdout.fileno()), process)
