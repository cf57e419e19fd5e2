"""A persistent POSIX shell over pipes, which keeps its directory, environment and background jobs between commands.

Each command is stored in a variable and run by `eval` with an empty stdin; the shell then prints a frame, delimited by
random marks, with the command's number, exit status, directory and exported variables. Commands inherit neither the
pipe that the shell reads from nor the one that it prints frames to, so they cannot consume its input or forge a frame
by accident. A wrapper process reports when the shell ends, since a background job may keep the pipe open after that.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from threading import Event, Lock
from typing import Literal, Protocol

from aci.observation.output_text import HeadTailBuffer
from aci.runtime.process_channel import Channel, ChannelOutput, ProgramStarter
from aci.runtime.workspace import CommandResult, OnOutput
from trajectories.errors import Cancelled, WorkspaceError

MAX_OUTPUT_BYTES = 16_000_000
"""Maximum number of bytes of a command's output that are kept, half from its head and half from its tail."""

TIMED_OUT = 124
_BIG = 40_000  # with its frame, such a command still fits into an empty pipe; bash reads larger ones byte by byte
_FRAME = 4_000_000  # maximum bytes of a frame, mostly exported variables; with 2 MB of these, no program can start
_TOO_MANY = b"[The exported variables take more than 4 MB: the shell was ended, and their last values were restored.]\n"
_REPORT_INTERVAL = 0.25  # minimum number of seconds between two reports of a command's output
REPORTED_BYTES = 4096
_TICK = 0.2  # maximum number of seconds before a cancellation is noticed
_READ_TIMEOUT = b'"${TMOUT:+t1000000}"'  # used only if the agent has set TMOUT, since bash reads byte by byte with -t
_START = 60.0
_LAST_WORDS, _BRIEFLY = 1.0, 0.1
_WRAPPER = """\
exec 2>/dev/null
read -r first second
if [ "$1" = bash ] && command -v bash >/dev/null 2>&1; then bash; else sh; fi
printf '%s%sbye %s%s%s' "$first" "$second" "$?" "$second" "$first"
"""  # the marks are sent through stdin, since commands can read the arguments
_PRINT_PID = b"\\command printf '%s %s' $$ \"${BASH_VERSION-}\""


def shell_arguments(program: str) -> list[str]:
    """Return the arguments that start a shell, bash or sh, in its wrapper."""
    return ["sh", "-c", _WRAPPER, "sh", program]


class ShellHelper(Protocol):
    """Operations that a shell cannot perform itself while a command runs in it."""

    def alive(self, pid: int) -> bool:
        """Return whether the shell's process exists."""
        ...

    def end(self, pid: int, seconds: float) -> None:
        """End the shell `pid` and the processes that it started in the last `seconds`."""
        ...

    def deliver(self, data: bytes) -> str:
        """Write `data` to a file that the shell can read, and return its path."""
        ...


@dataclass(frozen=True, slots=True)
class _Frame:
    kind: Literal["end", "bye", "gone", "late", "cancelled", "idle", "ready"]
    code: int = 0
    cwd: str = ""
    exports: bytes = b""


class Shell:
    """A shell in the directory `cwd`, started through `start`. Setting `cancel` ends the running command and raises
    Cancelled."""

    def __init__(
        self,
        start: ProgramStarter,
        *,
        cwd: str,
        cancel: Event | None = None,
        helper: ShellHelper | None = None,
        program: Literal["bash", "sh"] = "bash",
    ) -> None:
        self.cwd = self._first = cwd
        self._exports = b""
        self._starter, self._program = start, program
        self._cancel, self._helper = cancel or Event(), helper
        self._channel: Channel | None = None
        self._lock = Lock()
        self._pid = self._number = 0
        self._blocks = False
        self._pending = b""
        self._on_output: OnOutput | None = None
        self.begun = False
        """Whether the last command was sent to the shell. If not, it is safe to run it again."""

    def run(
        self,
        command: str | bytes,
        timeout: float = 120.0,
        cap: int = MAX_OUTPUT_BYTES,
        cancellable: bool = True,
        data: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> CommandResult:
        """Run `command` for at most `timeout` seconds and keep `cap` bytes of its output.

        While it runs, `on_output` gets the last bytes of its output, each time that there are more. `data` is the
        command's stdin, which the command must read completely. If a command with `data` fails, the shell ends too.

        Raises Cancelled if `cancel` is set and `cancellable` is true, and WorkspaceError if the shell has died and
        cannot be started again.
        """
        body = command.encode("utf-8", "replace") if isinstance(command, str) else command
        with self._lock, nullcontext() if cancellable else self._ignore_cancel():
            if b"\0" in body:
                return CommandResult(b"sh: a command cannot hold a NUL byte\n", 2, 0.0, self.cwd)
            if self._cancel.is_set():
                raise _cancelled()
            began = time.monotonic()
            output = HeadTailBuffer(cap)
            self.begun = False
            restarted = self._ready(output)
            body = self._deliver(body)
            self.begun = True
            self._on_output = on_output
            frame = self._ask(body, output, began + timeout, data)
            self._on_output = None
            seconds = time.monotonic() - began
            if frame.kind == "end":
                return CommandResult(output.bytes(), frame.code, seconds, self.cwd, output.cut, restarted=restarted)
            code = self._finish(frame, output, seconds)
            if frame.kind == "cancelled":
                raise _cancelled()
            self._start()
            late = frame.kind == "late"
            return CommandResult(output.bytes(), code, seconds, self.cwd, output.cut, timed_out=late, restarted=True)

    def begin(self) -> None:
        """Start the shell without waiting for it; the first command waits."""
        with self._lock:
            if self._channel is None:
                self._spawn()

    def close(self) -> None:
        """End the shell. The owner must end its background jobs. May be called twice."""
        channel, self._channel = self._channel, None
        if channel:
            channel.close(group=self._helper is None)  # with a helper, the group includes background jobs

    def _ready(self, output: HeadTailBuffer) -> bool:
        """Make sure that the shell runs. Return whether it had died since the last command and was replaced."""
        if self._channel is None:
            self._spawn()
        if not self._pid:
            self._restore_state()
            return False
        if self._read(output, time.monotonic(), idle=True).kind in ("bye", "gone"):
            self._start()
            return True
        return False

    def _start(self) -> None:
        self._spawn()
        self._restore_state()

    def _spawn(self) -> None:
        self.close()
        self._marks = secrets.token_hex(8), secrets.token_hex(8)
        self._pid, self._pending, self._blocks = 0, b"", False
        self._channel = self._starter(shell_arguments(self._program))
        self._stream = ChannelOutput(self._channel)
        self._send(" ".join(self._marks).encode() + b"\nexec 8>&1 9</dev/null >/dev/null 2>&1\n")

    def _restore_state(self) -> None:
        """Restore the last exported variables and directory, and get the shell's pid."""
        places = b" || ".join(b"\\command cd -- " + quote(place) for place in (self.cwd, self._first, "/"))
        output = HeadTailBuffer(MAX_OUTPUT_BYTES)
        deadline = time.monotonic() + _START
        if self._exports:
            self._ask(self._deliver(self._exports), output, deadline)
        output = HeadTailBuffer(MAX_OUTPUT_BYTES)
        frame = self._ask(b"{ " + places + b"; } 2>/dev/null; " + _PRINT_PID, output, deadline)
        self._keep_rest(output)
        pid, _, version = output.bytes().partition(b" ")
        if frame.kind == "cancelled":
            self.close()
            raise _cancelled()
        if frame.kind != "end" or not pid.isdigit():
            self.close()
            message = output.bytes().decode("utf-8", "replace").strip()[-300:]
            raise WorkspaceError(
                f"The workspace's shell ended and could not be started again{': ' + message if message else '.'}",
                "`swe-agent resume` continues in a new workspace.",
            )
        self._pid, self._blocks = int(pid), supports_block_read(version)

    def _deliver(self, body: bytes) -> bytes:
        """Return the command, or, if it is large, a command that reads it from a file."""
        return b". " + quote(self._helper.deliver(body)) if len(body) > _BIG and self._helper else body

    def _ask(self, body: bytes, output: HeadTailBuffer, deadline: float, data: bytes = b"") -> _Frame:
        self._number += 1
        first, second = (mark.encode() for mark in self._marks)
        end = (
            b"__swe_code=$?; \\unset -f command; "
            b"\\command printf '%%s%%send %d %%s ' %b %b \"$__swe_code\" >&8; "
            b"\\command pwd -P >&8 || :; \\command printf '\\0%%s\\0' \"${PWD-}\" >&8; \\command export -p >&8; "
            b"\\command printf '%%s%%s' %b %b >&8; \\command set +e\n" % (self._number, first, second, second, first)
        )
        assignment = b"__swe_command=%b\n" % quote(body)
        if data:
            if (frame := self._feed(assignment, data, end, output, deadline)).kind != "ready":
                return frame
        else:
            self._send_command(assignment + b'\\command eval "$__swe_command" <&9 >&8 2>&1 8>&- 9<&-\n' + end)
        frame = self._read(output, deadline)
        if frame.kind == "end":
            self.cwd, self._exports = frame.cwd, frame.exports
        return frame

    def _feed(self, assignment: bytes, data: bytes, end: bytes, output: HeadTailBuffer, deadline: float) -> _Frame:
        """Start the command on the shell's own stdin and send `data` there once the shell itself has stopped reading.

        Nothing is sent after the data, since some programs read more than they use. If the command fails, the shell
        exits, because it would otherwise run the unread rest of the data as commands.
        """
        first, second = (mark.encode() for mark in self._marks)
        self._send(
            b"%b\\command printf '%%s%%sready %d%%s%%s' %b %b %b %b >&8; "
            b'\\command eval "$__swe_command" >&8 2>&1 8>&- 9<&- || \\command exit 1; %b'
            % (assignment, self._number, first, second, second, first, end)
        )
        frame = self._read(output, deadline)
        if frame.kind == "ready":
            self._send(data)
        return frame

    def _send_command(self, text: bytes) -> None:
        """Send `text` for the shell to run. Bash reads commands byte by byte but can read a variable's value in one
        block, so the text is sent as a variable if possible."""
        if self._blocks and text.isascii():  # `read -N` counts characters, not bytes
            text = b"\\unset __swe_text; " + text  # it contains the marks, which the command must not see
            start = b'\\command read -r%b -N %d __swe_text;\\command eval "$__swe_text"\n' % (_READ_TIMEOUT, len(text))
            text = start + text
        self._send(text)

    def _send(self, data: bytes) -> None:
        self._stream.send(data)  # the next read detects a dead shell

    def _read(self, output: HeadTailBuffer, deadline: float, idle: bool = False) -> _Frame:
        """Read until the current command's frame arrives or the shell ends; if `idle`, read only the available
        output."""
        assert self._channel
        last_check = last_report = time.monotonic()
        reported = 0
        while True:
            if frame := self._take_frame(output):
                return frame
            now = time.monotonic()
            if self._on_output and now - last_report >= _REPORT_INTERVAL:
                last_report, size = now, output.size + len(self._pending)
                if size > reported:
                    reported = size
                    self._on_output(output.last_bytes(REPORTED_BYTES) + self._without_mark())
            if not idle and self._cancel.is_set():
                return _Frame("cancelled")
            if not idle and now >= deadline:
                return _Frame("late")
            wait = 0.0 if idle else min(_TICK, deadline - now)
            if self._stream.wait(wait):
                if self._receive():
                    continue
                return self._last_frame(output)
            if self._channel.ended():
                return self._last_frame(output)
            if idle:
                return _Frame("idle")
            if self._helper and self._pid and now - last_check > 1.0:
                last_check = now
                if not self._helper.alive(self._pid):
                    return self._last_frame(output)

    def _receive(self) -> bool:
        """Read the available bytes from the pipe; return false at its end."""
        assert self._channel
        data = self._channel.receive()
        self._pending += data or b""
        return data != b""

    def _take_frame(self, output: HeadTailBuffer) -> _Frame | None:
        """Move command output from the pending bytes to `output`, and return the next frame if it is complete."""
        opening, closing = "".join(self._marks).encode(), "".join(reversed(self._marks)).encode()
        at = self._pending.find(opening)
        if at < 0:
            certain = max(len(self._pending) - len(opening) + 1, 0)
            output.add(self._pending[:certain])
            self._pending = self._pending[certain:]
            return None
        end = self._pending.find(closing, at)
        if end < 0 and len(self._pending) - at > _FRAME:
            output.add(self._pending[:at] + _TOO_MANY)
            self._pending = b""
            return _Frame("gone", 1)
        if end < 0:
            return None
        inside = self._pending[at + len(opening) : end]
        output.add(self._pending[:at])
        self._pending = self._pending[end + len(closing) :]
        if bye := re.fullmatch(rb"bye (\d+)", inside):
            return _Frame("bye", int(bye[1]))
        if inside == b"ready %d" % self._number:
            return _Frame("ready")
        found = re.fullmatch(rb"end (\d+) (\d+) ([^\0]*)\0([^\0]*)\0(.*)", inside, re.DOTALL)
        if not found or int(found[1]) != self._number:
            return self._take_frame(output)
        return _Frame("end", int(found[2]), os.fsdecode(found[3].removesuffix(b"\n") or found[4]), found[5])

    def _without_mark(self) -> bytes:
        """Return the pending bytes without the beginning of a mark at their end."""
        opening = "".join(self._marks).encode()
        size = next(size for size in range(len(opening), -1, -1) if self._pending.endswith(opening[:size]))
        return self._pending[: len(self._pending) - size]

    def _keep_rest(self, output: HeadTailBuffer) -> None:
        """Add the remaining bytes to `output`; an incomplete frame is dropped."""
        output.add(self._pending.partition("".join(self._marks).encode())[0])
        self._pending = b""

    def _last_frame(self, output: HeadTailBuffer) -> _Frame:
        """Return the last frame of a shell that has ended, or a frame with its exit status if its wrapper sent none."""
        assert self._channel
        deadline = time.monotonic() + _LAST_WORDS  # background jobs may still write output
        while time.monotonic() < deadline and self._stream.wait(_BRIEFLY) and self._receive():
            if frame := self._take_frame(output):
                return frame
        code = self._channel.code(_LAST_WORDS)
        return _Frame("gone", 128 + signal.SIGKILL if code is None else code)

    @contextmanager
    def _ignore_cancel(self) -> Iterator[None]:
        """Ignore the cancel event inside the `with` block."""
        self._cancel, cancel = Event(), self._cancel
        try:
            yield
        finally:
            self._cancel = cancel

    def _finish(self, frame: _Frame, output: HeadTailBuffer, seconds: float) -> int:
        """End the command, collect its last output and return its exit status."""
        if frame.kind in ("late", "cancelled") and self._helper:
            self._helper.end(self._pid, seconds)
            with self._ignore_cancel():
                self._read(output, time.monotonic() + _LAST_WORDS)
        self._keep_rest(output)
        self.close()
        return TIMED_OUT if frame.kind == "late" else frame.code


def supports_block_read(version: bytes) -> bool:
    """Return whether a shell with this BASH_VERSION (empty if not bash) has `read -N`; the bash of macOS does not."""
    found = re.match(rb"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= (4, 1)


def _cancelled() -> Cancelled:
    return Cancelled("Interrupted while a command was running.", "`swe-agent resume` continues from here.")


def quote(text: str | bytes) -> bytes:
    """Quote `text` as one word of a POSIX shell."""
    data = os.fsencode(text) if isinstance(text, str) else text
    return b"'" + data.replace(b"'", b"'\\''") + b"'"
