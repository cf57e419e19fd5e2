"""One persistent POSIX shell over pipes: directory, environment and background jobs last from command to command.

A command is put into a variable and run by `eval` with an empty stdin; then the shell prints a frame between random
marks: the command's number, exit status, directory and exported variables. Commands have neither the pipe that
commands are read from nor the one that frames go to, so they cannot swallow or forge either by accident. Around the
shell stands a wrapper that reports the shell's own end, which a background job holding the pipe would hide.
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

from aci.channel import Channel, Start, Talk
from aci.kept import Kept
from aci.workspace import Ran
from trajectories.errors import Cancelled, WorkspaceError

CAP = 16_000_000
"""Bytes of output kept of one command, half from its head and half from its tail."""

TIMED_OUT = 124
_BIG = 40_000  # a framed command of this size still fits an empty pipe; bash reads a bigger one slowly, byte by byte
_FRAME = 4_000_000  # bytes of a frame, nearly all exported variables: with 2 MB of them no program can be started
_TOO_MANY = b"[The exported variables came to more than 4 MB: the shell was ended, and they are as before.]\n"
_TICK = 0.2  # how long a cancelled command may go on, in seconds
_NEVER = b'"${TMOUT:+t1000000}"'  # a TMOUT of the agent cuts no command short; with any, bash reads byte by byte
_START = 60.0
_LAST_WORDS, _BRIEFLY = 1.0, 0.1
_WRAPPER = """\
exec 2>/dev/null
read -r first second
if [ "$1" = bash ] && command -v bash >/dev/null 2>&1; then bash; else sh; fi
printf '%s%sbye %s%s%s' "$first" "$second" "$?" "$second" "$first"
"""  # the marks are not in its arguments, which commands can read
_WHO = b"\\command printf '%s %s' $$ \"${BASH_VERSION-}\""


def words(program: str) -> list[str]:
    """The words that start a shell, bash or sh, with the wrapper around it."""
    return ["sh", "-c", _WRAPPER, "sh", program]


class Helper(Protocol):
    """What a shell cannot do for itself while a command runs in it."""

    def alive(self, pid: int) -> bool:
        """Whether the shell's process is there."""
        ...

    def end(self, pid: int, seconds: float) -> None:
        """End the shell `pid`, and of what it started those that are younger than `seconds`."""
        ...

    def deliver(self, data: bytes) -> str:
        """Put `data` into a file where the shell finds it, and return its path."""
        ...


@dataclass(frozen=True, slots=True)
class _Frame:
    kind: Literal["end", "bye", "gone", "late", "cancelled", "idle", "ready"]
    code: int = 0
    cwd: str = ""
    exports: bytes = b""


class Shell:
    """A shell that `start` starts, in the directory `cwd`. `cancel` ends what runs and raises Cancelled."""

    def __init__(
        self,
        start: Start,
        *,
        cwd: str,
        cancel: Event | None = None,
        helper: Helper | None = None,
        program: Literal["bash", "sh"] = "bash",
    ) -> None:
        self.cwd = self._first = cwd
        self._exports = b""
        self._new, self._program = start, program
        self._cancel, self._helper = cancel or Event(), helper
        self._channel: Channel | None = None
        self._lock = Lock()
        self._pid = self._number = 0
        self._blocks = False
        self._pending = b""
        self.begun = False
        """Whether the last command was sent to the shell. If not, it can be run again."""

    def run(
        self, command: str | bytes, timeout: float = 120.0, cap: int = CAP, heed: bool = True, data: bytes = b""
    ) -> Ran:
        """Run `command`, for at most `timeout` seconds, keeping `cap` bytes of its output.

        `data` is its stdin, which it must read to the last byte: where it fails, the shell ends with it.

        Raises Cancelled, unless told not to `heed` that, and WorkspaceError when the shell has died and
        cannot be started again.
        """
        body = command.encode("utf-8", "replace") if isinstance(command, str) else command
        with self._lock, nullcontext() if heed else self._deaf():
            if b"\0" in body:
                return Ran(b"sh: a command cannot hold a NUL byte\n", 2, 0.0, self.cwd)
            if self._cancel.is_set():
                raise _cancelled()
            began = time.monotonic()
            kept = Kept(cap)
            self.begun = False
            restarted = self._ready(kept)
            body = self._deliver(body)
            self.begun = True
            frame = self._ask(body, kept, began + timeout, data)
            seconds = time.monotonic() - began
            if frame.kind == "end":
                return Ran(kept.bytes(), frame.code, seconds, self.cwd, kept.cut, restarted=restarted)
            code = self._finish(frame, kept, seconds)
            if frame.kind == "cancelled":
                raise _cancelled()
            self._start()
            late = frame.kind == "late"
            return Ran(kept.bytes(), code, seconds, self.cwd, kept.cut, timed_out=late, restarted=True)

    def begin(self) -> None:
        """Start the shell and do not wait until it answers; whoever asks first does that."""
        with self._lock:
            if self._channel is None:
                self._spawn()

    def close(self) -> None:
        """End the shell; what it started in the background is the owner's to end. May be called twice."""
        channel, self._channel = self._channel, None
        if channel:
            channel.close(group=self._helper is None)  # background jobs are in the group of one that has a helper

    def _ready(self, kept: Kept) -> bool:
        """Have a living shell; true if one that had died since the last command was replaced."""
        if self._channel is None:
            self._spawn()
        if not self._pid:
            self._settle_in()
            return False
        if self._read(kept, time.monotonic(), idle=True).kind in ("bye", "gone"):
            self._start()
            return True
        return False

    def _start(self) -> None:
        self._spawn()
        self._settle_in()

    def _spawn(self) -> None:
        self.close()
        self._marks = secrets.token_hex(8), secrets.token_hex(8)
        self._pid, self._pending, self._blocks = 0, b"", False
        self._channel = self._new(words(self._program))
        self._talk = Talk(self._channel)
        self._send(" ".join(self._marks).encode() + b"\nexec 8>&1 9</dev/null >/dev/null 2>&1\n")

    def _settle_in(self) -> None:
        """Take up the last exported variables and directory, and learn the shell's pid."""
        places = b" || ".join(b"\\command cd -- " + quote(place) for place in (self.cwd, self._first, "/"))
        kept = Kept(CAP)
        deadline = time.monotonic() + _START
        if self._exports:
            self._ask(self._deliver(self._exports), kept, deadline)
        kept = Kept(CAP)
        frame = self._ask(b"{ " + places + b"; } 2>/dev/null; " + _WHO, kept, deadline)
        self._keep_rest(kept)
        said, _, version = kept.bytes().partition(b" ")
        if frame.kind == "cancelled":
            self.close()
            raise _cancelled()
        if frame.kind != "end" or not said.isdigit():
            self.close()
            heard = kept.bytes().decode("utf-8", "replace").strip()[-300:]
            raise WorkspaceError(
                f"The workspace's shell ended and could not be started again{': ' + heard if heard else '.'}",
                "`swe-agent resume` goes on in a new workspace.",
            )
        self._pid, self._blocks = int(said), takes_blocks(version)

    def _deliver(self, body: bytes) -> bytes:
        """The command, or one that reads it from a file if it is big."""
        return b". " + quote(self._helper.deliver(body)) if len(body) > _BIG and self._helper else body

    def _ask(self, body: bytes, kept: Kept, deadline: float, data: bytes = b"") -> _Frame:
        self._number += 1
        first, second = (mark.encode() for mark in self._marks)
        end = (
            b"__swe_code=$?; \\unset -f command; "
            b"\\command printf '%%s%%send %d %%s ' %b %b \"$__swe_code\" >&8; "
            b"\\command pwd -P >&8 || :; \\command printf '\\0%%s\\0' \"${PWD-}\" >&8; \\command export -p >&8; "
            b"\\command printf '%%s%%s' %b %b >&8; \\command set +e\n" % (self._number, first, second, second, first)
        )
        begun = b"__swe_command=%b\n" % quote(body)
        if data:
            if (frame := self._feed(begun, data, end, kept, deadline)).kind != "ready":
                return frame
        else:
            self._say(begun + b'\\command eval "$__swe_command" <&9 >&8 2>&1 8>&- 9<&-\n' + end)
        frame = self._read(kept, deadline)
        if frame.kind == "end":
            self.cwd, self._exports = frame.cwd, frame.exports
        return frame

    def _feed(self, begun: bytes, data: bytes, end: bytes, kept: Kept, deadline: float) -> _Frame:
        """Start the command on the shell's own stdin and send `data` there, once the shell reads no more of it itself.

        Nothing comes after it: there are programs that read more than they use. What a failed command left of it would
        be read as commands, so the shell ends then, before it reads on.
        """
        first, second = (mark.encode() for mark in self._marks)
        self._send(
            b"%b\\command printf '%%s%%sready %d%%s%%s' %b %b %b %b >&8; "
            b'\\command eval "$__swe_command" >&8 2>&1 8>&- 9<&- || \\command exit 1; %b'
            % (begun, self._number, first, second, second, first, end)
        )
        frame = self._read(kept, deadline)
        if frame.kind == "ready":
            self._send(data)
        return frame

    def _say(self, text: bytes) -> None:
        """Send `text` for the shell to run. Bash reads commands byte by byte, and one variable at a gulp."""
        if self._blocks and text.isascii():  # it counts characters
            text = b"\\unset __swe_text; " + text  # the marks are in it, and who runs next could read them
            text = b'\\command read -r%b -N %d __swe_text;\\command eval "$__swe_text"\n%b' % (_NEVER, len(text), text)
        self._send(text)

    def _send(self, data: bytes) -> None:
        self._talk.send(data)  # a dead shell is found by reading

    def _read(self, kept: Kept, deadline: float, idle: bool = False) -> _Frame:
        """Read until the frame of the present command, or the shell's end; when `idle`, only what is there already."""
        assert self._channel
        looked = time.monotonic()
        while True:
            if frame := self._take_frame(kept):
                return frame
            now = time.monotonic()
            if not idle and self._cancel.is_set():
                return _Frame("cancelled")
            if not idle and now >= deadline:
                return _Frame("late")
            wait = 0.0 if idle else min(_TICK, deadline - now)
            if self._talk.wait(wait):
                if self._receive():
                    continue
                return self._gone(kept)
            if self._channel.ended():
                return self._gone(kept)
            if idle:
                return _Frame("idle")
            if self._helper and self._pid and now - looked > 1.0:
                looked = now
                if not self._helper.alive(self._pid):
                    return self._gone(kept)

    def _receive(self) -> bool:
        """Take what the pipe holds; false at its end."""
        assert self._channel
        data = self._channel.receive()
        self._pending += data or b""
        return data != b""

    def _take_frame(self, kept: Kept) -> _Frame | None:
        """Move what is surely output from the pending bytes to `kept`; return a frame that is complete."""
        opening, closing = "".join(self._marks).encode(), "".join(reversed(self._marks)).encode()
        at = self._pending.find(opening)
        if at < 0:
            sure = max(len(self._pending) - len(opening) + 1, 0)
            kept.add(self._pending[:sure])
            self._pending = self._pending[sure:]
            return None
        end = self._pending.find(closing, at)
        if end < 0 and len(self._pending) - at > _FRAME:
            kept.add(self._pending[:at] + _TOO_MANY)
            self._pending = b""
            return _Frame("gone", 1)
        if end < 0:
            return None
        inside = self._pending[at + len(opening) : end]
        kept.add(self._pending[:at])
        self._pending = self._pending[end + len(closing) :]
        if bye := re.fullmatch(rb"bye (\d+)", inside):
            return _Frame("bye", int(bye[1]))
        if inside == b"ready %d" % self._number:
            return _Frame("ready")
        found = re.fullmatch(rb"end (\d+) (\d+) ([^\0]*)\0([^\0]*)\0(.*)", inside, re.DOTALL)
        if not found or int(found[1]) != self._number:
            return self._take_frame(kept)
        return _Frame("end", int(found[2]), os.fsdecode(found[3].removesuffix(b"\n") or found[4]), found[5])

    def _keep_rest(self, kept: Kept) -> None:
        """Nothing more will come: what might have begun a frame is output."""
        kept.add(self._pending.partition("".join(self._marks).encode())[0])
        self._pending = b""

    def _gone(self, kept: Kept) -> _Frame:
        """The shell ended, and its wrapper has not said so yet."""
        assert self._channel
        deadline = time.monotonic() + _LAST_WORDS  # jobs in the background may go on saying something
        while time.monotonic() < deadline and self._talk.wait(_BRIEFLY) and self._receive():
            if frame := self._take_frame(kept):
                return frame
        code = self._channel.code(_LAST_WORDS)
        return _Frame("gone", 128 + signal.SIGKILL if code is None else code)

    @contextmanager
    def _deaf(self) -> Iterator[None]:
        """Within it, nothing is cancelled."""
        self._cancel, cancel = Event(), self._cancel
        try:
            yield
        finally:
            self._cancel = cancel

    def _finish(self, frame: _Frame, kept: Kept, seconds: float) -> int:
        """End what runs, collect its last words and return the exit status of the command."""
        if frame.kind in ("late", "cancelled") and self._helper:
            self._helper.end(self._pid, seconds)
            with self._deaf():
                self._read(kept, time.monotonic() + _LAST_WORDS)
        self._keep_rest(kept)
        self.close()
        return TIMED_OUT if frame.kind == "late" else frame.code


def takes_blocks(version: bytes) -> bool:
    """Whether a shell of that BASH_VERSION (empty for others) has `read -N`; macOS's own does not."""
    found = re.match(rb"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= (4, 1)


def _cancelled() -> Cancelled:
    return Cancelled("Interrupted while a command was running.", "`swe-agent resume` goes on from here.")


def quote(text: str | bytes) -> bytes:
    """`text` as one word of a POSIX shell."""
    data = os.fsencode(text) if isinstance(text, str) else text
    return b"'" + data.replace(b"'", b"'\\''") + b"'"
