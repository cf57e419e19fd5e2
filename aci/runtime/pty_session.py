"""A side session with a terminal: debuggers, REPLs, editors, programs that ask. Text goes in, what appears comes back.

The terminal is a pty of this machine; a container gives its end one of its own. So nothing is needed in an image.
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

from aci.processes import Processes
from aci.screen import COLUMNS, ROWS, Screen
from aci.workspace import Seen
from trajectories.errors import Cancelled, WorkspaceError

QUIET = 0.3
"""Seconds without output after which an answer is whole."""

VARIABLES = {"TERM": "xterm", "PS1": "$ ", "HISTFILE": ""}
_KEPT = 200_000  # bytes that wait to be looked at: more than any screen needs
_TICK = 0.05
_START = 15.0
_OWN = 'exec 0<>"$0" 1>&0 2>&0; exec "$@"'  # opening it makes the terminal the new session's own
_BEGIN = (
    f'stty rows {ROWS} cols {COLUMNS} 2>/dev/null; cd -- "$1" 2>/dev/null; '
    "if command -v bash >/dev/null 2>&1; then exec bash --norc --noprofile; else exec sh; fi"
)
_NAMED = {
    **{"enter": "\r", "tab": "\t", "esc": "\x1b", "space": " ", "bs": "\x7f", "backspace": "\x7f", "del": "\x1b[3~"},
    **{"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F"},
    **{"pgup": "\x1b[5~", "pgdn": "\x1b[6~", "pageup": "\x1b[5~", "pagedown": "\x1b[6~"},
}
_KEY = re.compile(r"<(?:(?:ctrl|c)-([a-z\\\]@^_\[])|([a-z]+))>", re.IGNORECASE)
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.|[\x00-\x1f\x7f]")
_TYPED_CONTROL = re.compile(r"\^[@-_]")


def keys(text: str) -> bytes:
    """What a keyboard sends for `text`: a newline is Enter, `<ctrl-c>`, `<up>`, `<esc>` and the like are keys."""

    def pressed(match: re.Match[str]) -> str:
        if match[1]:
            return chr(ord(match[1].upper()) & 0x1F)
        return _NAMED.get(match[2].lower(), match[0])

    return _KEY.sub(pressed, text.replace("\r\n", "\r").replace("\n", "\r")).encode("utf-8", "replace")


class Terminal:
    """A shell at a terminal, started by `prefix` (as a `Shell`) in `folder`; `processes` are those it starts."""

    def __init__(
        self,
        prefix: Sequence[str],
        folder: str,
        env: Mapping[str, str] | None,
        processes: Processes,
        cancel: Event,
    ) -> None:
        self._processes, self._cancel = processes, cancel
        self._screen = Screen()
        self._pending, self._cut = bytearray(), 0
        self._news, self._over = Condition(), False
        self._master, self._process = _start([*prefix, "sh", "-c", _BEGIN, "sh", folder], env)
        self._reader = Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()
        self._listen("", _START)

    def type(self, text: str, wait: float) -> Seen:
        """Send `text` as keys; what appeared when there was quiet after it, or `wait` seconds had passed.

        Raises Cancelled; the session then has ended.
        """
        sent = keys(text)
        deadline = time.monotonic() + wait
        self._send(sent, deadline)
        self._listen(sent.decode("utf-8", "replace"), max(deadline - time.monotonic(), 0.0))
        full = self._screen.full
        seen, cut = self._screen.take(), self._cut
        self._cut = 0
        return Seen(seen, full, cut, self._ended())

    def close(self) -> None:
        """End the session and what it started. May be called twice."""
        with suppress(WorkspaceError):  # nothing can be ended through a service that is gone
            self._processes.end_all()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, 9)
        self._process.wait()
        self._reader.join(2.0)

    def _ended(self) -> int | None:
        """The exit status of the session's program; None while it goes on."""
        if not self._over:
            return None
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(2.0)
            return code if code >= 0 else 128 - code
        return 128 + 9

    def _read(self) -> None:
        """Until the terminal is gone, take what is written at it; only the end is kept of what nobody looks at."""
        while data := self._next():
            with self._news:
                self._pending += data
                over = max(len(self._pending) - _KEPT, 0)
                self._cut += over
                del self._pending[:over]
                self._news.notify_all()
        with self._news:
            self._over = True
            os.close(self._master)
            self._news.notify_all()

    def _next(self) -> bytes:
        """What is written at the terminal next; nothing when its session is over."""
        while not select.select([self._master], [], [], 1.0)[0]:
            if self._process.poll() is not None:  # what it left in the background still has the terminal
                return b""
        try:
            return os.read(self._master, 1 << 16)
        except OSError:  # EIO: nobody has the terminal open any more
            return b""

    def _send(self, data: bytes, deadline: float) -> None:
        """Type `data`, as fast as the program takes it; what it has not taken by the deadline is not sent."""
        at = 0
        while at < len(data) and time.monotonic() < deadline and not self._cancel.is_set():
            with self._news:
                if self._over:
                    return
                with suppress(BlockingIOError):
                    at += os.write(self._master, data[at : at + 1024])
                    continue
            time.sleep(_TICK)

    def _listen(self, typed: str, wait: float) -> None:
        """Feed the screen until it is quiet after an answer, which the echo of what was `typed` alone is not."""
        deadline = time.monotonic() + wait
        heard, last = "", time.monotonic()
        while not self._over or self._pending:
            if self._cancel.is_set():
                self.close()
                raise Cancelled("Interrupted while a program was running.", "`swe-agent resume` goes on from here.")
            now = time.monotonic()
            answered = self._screen.full or (_answers(heard, typed) if typed else self._screen.news)
            if now >= deadline or (answered and now - last >= QUIET):
                break
            if data := self._received():
                self._screen.feed(data)
                last = time.monotonic()
                heard = (heard + data.decode("utf-8", "replace"))[: 4 * len(typed) + 2000]
                if self._screen.answers:
                    self._send(bytes(self._screen.answers), deadline)
                    self._screen.answers.clear()

    def _received(self) -> bytes:
        """What waits to be looked at, after a moment's patience."""
        with self._news:
            if not self._pending and not self._over:
                self._news.wait(_TICK)
            data = bytes(self._pending)
            self._pending.clear()
            return data


def _start(command: Sequence[str], env: Mapping[str, str] | None) -> tuple[int, subprocess.Popen[bytes]]:
    """`command` at a terminal of its own, and our end of that."""
    try:
        master, slave = pty.openpty()
    except OSError as error:
        raise WorkspaceError(f"This machine gives no terminal: {error}.", "Close other programs.") from error
    try:
        os.set_blocking(master, False)
        termios.tcsetwinsize(slave, (ROWS, COLUMNS))
        words = ["sh", "-c", _OWN, os.ttyname(slave), *command]
        process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True, preexec_fn=_heeds_keys
        )
    except OSError as error:
        os.close(master)
        raise WorkspaceError(f"A terminal could not be started: {error}.", "Run `swe-agent doctor`.") from error
    finally:
        os.close(slave)
    return master, process


def _heeds_keys() -> None:
    """In the child: what is started in the background ignores Ctrl-C, and all below it would."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def _answers(heard: str, typed: str) -> bool:
    """Whether something was heard that is not the echo of what was typed."""
    shown, echo = _plain(heard), _plain(typed)
    if echo:
        return bool(shown.removeprefix(echo).strip()) and not echo.startswith(shown)
    return bool(_plain("".join(heard.split("\n")[typed.count("\r") :])).strip())


def _plain(text: str) -> str:
    return _TYPED_CONTROL.sub("", _ESCAPES.sub("", text))
