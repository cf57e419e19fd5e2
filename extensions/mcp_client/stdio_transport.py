"""A server that is a program: JSON-RPC in lines on its stdin and stdout.

The program runs on this machine, as the user. Nothing that it writes is read without a limit, and nothing is read
between two requests, so that a program that floods its output blocks.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from aci.observation.untrusted_text import one_line
from agent.config.hook_table import WORKING_DIRECTORY
from extensions.mcp_client.messages import (
    MOST_BYTES,
    MOST_MESSAGES,
    TICK,
    Interrupted,
    Message,
    ServerFailed,
    ServerTimeout,
    check_interrupt,
    decode,
    encode,
)

PASSED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ")
"""Variables that each program gets: none holds a key. They are those of the SDKs, with locale and time zone."""
CHUNK = 1 << 16
SHOWN = 200
"""Maximum number of characters of the program's own output in a message."""
CLOSE_TIME = 1.0
"""Seconds that a program has to end after its stdin is closed."""
PATIENCE = 1.0
"""Seconds to wait for the exit code of a program that has closed its stdout."""
SEND_TIME = 2.0
"""Seconds in which a program must read a message that has no answer."""


def server_environment(names: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server: a few variables, and those that its table names. Raises ServerFailed for a
    name that is not set."""
    if missing := [name for name in names if name not in environment]:
        raise ServerFailed(f"needs the environment variable {missing[0]}, which is not set")
    return {name: environment[name] for name in (*PASSED, *names) if name in environment}


class StdioTransport:
    """The pipes of a server program."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the program. Raises ServerFailed if it cannot be executed."""
        folders = environment.get("PATH", os.defpath).split(os.pathsep)
        program = shutil.which(command[0], path=os.pathsep.join(each for each in folders if each.startswith("/")))
        if program is None:
            raise ServerFailed(f"cannot be started: there is no program {command[0]}, or it is not executable")
        try:
            self._process = subprocess.Popen(
                [program, *command[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=WORKING_DIRECTORY,
                env=dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            raise ServerFailed(f"cannot be started: {error.strerror}") from None
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._in, self._out, self._err = (pipe.fileno() for pipe in pipes if pipe is not None)
        for pipe in (self._in, self._out, self._err):
            os.set_blocking(pipe, False)
        self._unsent = self._line = self._stderr_tail = self._invalid_line = b""
        self._unread: deque[bytes] = deque()
        """Lines that were received and not yielded yet."""
        self._open = {self._out, self._err}

    def exchange(self, sent: Message, seconds: float, interrupted: Interrupted) -> Iterator[Message]:
        """Send a request and yield what the program answers; see `Transport`."""
        self._unsent += encode(sent)
        end, received, count = time.monotonic() + seconds, 0, 0
        while True:
            check_interrupt(interrupted)
            if time.monotonic() > end:
                raise ServerTimeout(f"did not answer within {seconds:g} s{self._last_output()}")
            data = b"" if self._unread else self._pump()
            received += len(data)
            *lines, self._line = (self._line + data).split(b"\n") if data else (self._line,)
            self._unread += lines
            if received > MOST_BYTES or len(self._line) > MOST_BYTES:
                raise ServerFailed(f"sent more than {MOST_BYTES >> 20} MB for one request")
            while self._unread:
                line = self._unread.popleft()
                count += 1
                if count > MOST_MESSAGES:
                    raise ServerFailed(f"sent more than {MOST_MESSAGES} lines for one request")
                if (message := decode(line)) is not None:
                    yield message
                elif line.strip():
                    self._invalid_line = line[:SHOWN]
            if not data and self._out not in self._open:
                raise ServerFailed(f"ended{self._exit_description()}{self._last_output()}")

    def send(self, message: Message, interrupted: Interrupted) -> None:
        """Send a message that has no answer; see `Transport`."""
        self._unsent += encode(message)
        end = time.monotonic() + SEND_TIME
        self._write_some()
        while self._unsent:
            check_interrupt(interrupted)
            if time.monotonic() > end:
                raise ServerFailed("does not read what it is sent")
            self._write_some()

    def close(self) -> None:
        """Close the program's stdin, and kill its process group if it does not end soon."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_TIME)
        with suppress(ProcessLookupError, PermissionError):  # also what it started and left running
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _pump(self) -> bytes:
        """Write what the program takes, and return what it has printed, waiting for a tick."""
        writing = [self._in] if self._unsent else []
        readable, writable, _ = select.select(list(self._open), writing, [], TICK)
        if writable:
            self._write_some()
        if self._err in readable and (data := self._read(self._err)):
            self._stderr_tail = (self._stderr_tail + data)[-CHUNK:]
        return self._read(self._out) if self._out in readable else b""

    def _read(self, pipe: int) -> bytes:
        try:
            data = os.read(pipe, CHUNK)
        except BlockingIOError:
            return b""
        if not data:
            self._open.discard(pipe)
        return data

    def _write_some(self) -> None:
        if not select.select([], [self._in], [], TICK)[1]:
            return
        try:
            self._unsent = self._unsent[os.write(self._in, self._unsent[:CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsent = b""  # the end of its output says more than a broken pipe

    def _exit_description(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(PATIENCE)
            return f" with signal {-code}" if code < 0 else f" with exit code {code}"
        return ""

    def _last_output(self) -> str:
        """Return what may explain a failure: the last line on stderr, or a line on stdout that is no message."""
        lines = [one_line(line.decode("utf-8", "replace")) for line in self._stderr_tail.split(b"\n")]
        if last := next((line for line in reversed(lines) if line), ""):
            return f"; it printed: {last[:SHOWN]}"
        if self._invalid_line:
            return f"; it printed what is no message: {one_line(self._invalid_line.decode('utf-8', 'replace'))}"
        return ""
