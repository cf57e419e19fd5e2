"""Interactive terminal sessions for debuggers, REPLs, editors and programs that ask for input.

The terminal is a pty of this machine; in a container, Docker attaches a pty of the container to it. So an image needs
no extra program.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Condition, Event, Thread

from aci.runtime.process_channel import ChildProcess, RunningProgram, TerminalStarter
from aci.runtime.session_processes import SessionProcesses
from aci.runtime.workspace import TerminalOutput
from extensions.terminal_programs.terminal_screen import COLUMNS, ROWS, Screen
from trajectories.errors import Cancelled, WorkspaceError

QUIET_SECONDS = 0.3
"""Number of seconds without output after which the output is considered complete."""

TERMINAL_ENVIRONMENT = {"TERM": "xterm", "PS1": "$ ", "HISTFILE": ""}
_MAX_PENDING = 200_000  # bytes of unread output: more than any screen needs
_TICK = 0.05
_START = 15.0
_OPEN_TERMINAL = 'exec 0<>"$0" 1>&0 2>&0; exec "$@"'  # opening the device makes it the controlling terminal
_START_SHELL = (
    f'stty rows {ROWS} cols {COLUMNS} 2>/dev/null; cd -- "$1" 2>/dev/null; '
    "if command -v bash >/dev/null 2>&1; then exec bash --norc --noprofile; else exec sh; fi"
)
_NAMED_KEYS = {
    **{"enter": "\r", "tab": "\t", "esc": "\x1b", "space": " ", "bs": "\x7f", "backspace": "\x7f", "del": "\x1b[3~"},
    **{"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F"},
    **{"pgup": "\x1b[5~", "pgdn": "\x1b[6~", "pageup": "\x1b[5~", "pagedown": "\x1b[6~"},
}
_KEY = re.compile(r"<(?:(?:ctrl|c)-([a-z\\\]@^_\[])|([a-z]+))>", re.IGNORECASE)
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.|[\x00-\x1f\x7f]")
_TYPED_CONTROL = re.compile(r"\^[@-_]")


def encode_keys(text: str) -> bytes:
    """Return the characters that a keyboard sends for `text`: a newline is Enter; `<ctrl-c>`, `<up>`, `<esc>` etc. are
    keys."""

    def pressed(match: re.Match[str]) -> str:
        if match[1]:
            return chr(ord(match[1].upper()) & 0x1F)
        return _NAMED_KEYS.get(match[2].lower(), match[0])

    return _KEY.sub(pressed, text.replace("\r\n", "\r").replace("\n", "\r")).encode("utf-8", "replace")


class PtySession:
    """A shell on its own terminal in `folder`. `processes` finds the processes that the shell starts."""

    def __init__(
        self,
        start: TerminalStarter,
        folder: str,
        processes: SessionProcesses,
        cancel: Event,
    ) -> None:
        self._processes, self._cancel = processes, cancel
        self._screen = Screen()
        self._pending, self._cut = bytearray(), 0
        self._changed, self._over = Condition(), False
        self._master, self._process = start(["sh", "-c", _START_SHELL, "sh", folder])
        self._reader = Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()
        self._listen("", _START)

    def type(self, text: str, wait: float) -> TerminalOutput:
        """Send `text` as key presses and return the new output once it pauses, or after `wait` seconds.

        Ends the session and raises Cancelled if the cancel event is set.
        """
        sent = encode_keys(text)
        deadline = time.monotonic() + wait
        self._send(sent, deadline)
        self._listen(sent.decode("utf-8", "replace"), max(deadline - time.monotonic(), 0.0))
        full = self._screen.full
        text_seen, cut = self._screen.take(), self._cut
        self._cut = 0
        return TerminalOutput(text_seen, full, cut, self._ended())

    def close(self) -> None:
        """End the session and the processes that it started. May be called twice."""
        with suppress(WorkspaceError):  # the control shell may have ended
            self._processes.end_all()
        self._process.kill_group()
        self._process.wait()
        self._reader.join(2.0)

    def _ended(self) -> int | None:
        """Return the exit status of the session's program; None while it runs."""
        if not self._over:
            return None
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(2.0)
            return code if code >= 0 else 128 - code
        return 128 + 9

    def _read(self) -> None:
        """Buffer the terminal's output until it is closed. Only the last part of unread output is kept."""
        while data := self._read_block():
            with self._changed:
                self._pending += data
                over = max(len(self._pending) - _MAX_PENDING, 0)
                self._cut += over
                del self._pending[:over]
                self._changed.notify_all()
        with self._changed:
            self._over = True
            os.close(self._master)
            self._changed.notify_all()

    def _read_block(self) -> bytes:
        """Return the next output of the terminal, or empty bytes once the session has ended."""
        while not select.select([self._master], [], [], 1.0)[0]:
            if self._process.poll() is not None:  # background processes still hold the terminal open
                return b""
        try:
            return os.read(self._master, 1 << 16)
        except OSError:  # EIO: no process has the terminal open any more
            return b""

    def _send(self, data: bytes, deadline: float) -> None:
        """Type `data` as fast as the program reads it. Data that it has not read by the deadline is not sent."""
        at = 0
        while at < len(data) and time.monotonic() < deadline and not self._cancel.is_set():
            with self._changed:
                if self._over:
                    return
                with suppress(BlockingIOError):
                    at += os.write(self._master, data[at : at + 1024])
                    continue
            time.sleep(_TICK)

    def _listen(self, typed: str, wait: float) -> None:
        """Pass output to the screen until it pauses after the program has responded. The echo of the `typed` text does
        not count as a response."""
        deadline = time.monotonic() + wait
        output, last = "", time.monotonic()
        while not self._over or self._pending:
            if self._cancel.is_set():
                self.close()
                raise Cancelled("Interrupted while a program was running.", "`swe-agent resume` continues from here.")
            now = time.monotonic()
            answered = self._screen.full or (_answers(output, typed) if typed else self._screen.news)
            if now >= deadline or (answered and now - last >= QUIET_SECONDS):
                break
            if data := self._take_pending():
                self._screen.feed(data)
                last = time.monotonic()
                output = (output + data.decode("utf-8", "replace"))[: 4 * len(typed) + 2000]
                if self._screen.answers:
                    self._send(bytes(self._screen.answers), deadline)
                    self._screen.answers.clear()

    def _take_pending(self) -> bytes:
        """Return the buffered output, after a short wait if there is none."""
        with self._changed:
            if not self._pending and not self._over:
                self._changed.wait(_TICK)
            data = bytes(self._pending)
            self._pending.clear()
            return data


def open_terminal(command: Sequence[str], env: Mapping[str, str] | None) -> tuple[int, RunningProgram]:
    """Start `command` on its own terminal of this machine. Raises WorkspaceError."""
    try:
        master, slave = pty.openpty()
    except OSError as error:
        raise WorkspaceError(f"No terminal could be opened: {error}.", "Close other programs.") from error
    try:
        os.set_blocking(master, False)
        termios.tcsetwinsize(slave, (ROWS, COLUMNS))
        words = ["sh", "-c", _OPEN_TERMINAL, os.ttyname(slave), *command]
        process = ChildProcess(
            words, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True, preexec_fn=_restore_signals
        )
    except OSError as error:
        os.close(master)
        raise WorkspaceError(f"A terminal could not be started: {error}.", "Run `swe-agent doctor`.") from error
    finally:
        os.close(slave)
    return master, process


def _restore_signals() -> None:
    """Let the child handle Ctrl-C again. Processes started in the background, and their children, ignore it by
    default."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def _answers(output: str, typed: str) -> bool:
    """Return whether the output has more than the echo of what was typed."""
    shown, echo = _plain(output), _plain(typed)
    if echo:
        return bool(shown.removeprefix(echo).strip()) and not echo.startswith(shown)
    return bool(_plain("".join(output.split("\n")[typed.count("\r") :])).strip())


def _plain(text: str) -> str:
    return _TYPED_CONTROL.sub("", _ESCAPES.sub("", text))
