"""A running sandbox: bubblewrap with `sandbox_init` as its first process, and the programs in it."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cache
from threading import Lock

from aci.runtime.process_channel import PipeChannel
from extensions.sandbox.bubblewrap import FilterKind, SandboxContents, failure
from extensions.sandbox.systemd_scope import ScopeLimits, scope_words
from extensions.sandbox.visible_paths import INIT, own_interpreter
from trajectories.errors import WorkspaceError

_START, _END = 20.0, 20.0  # seconds
_MOST_BYTES = 1 << 20
_GONE = -9


class Sandbox:
    """A sandbox with the contents `inside`. It ends when this process ends or `end` is called. The `limits` of all its
    processes together hold where the user's systemd grants them.

    Raises WorkspaceError if it cannot be started.
    """

    def __init__(
        self, inside: SandboxContents, filters: FilterKind = "plain", limits: ScopeLimits | None = None
    ) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST_BYTES)
        self._requests = ours
        with ExitStack() as stack:
            stack.callback(theirs.close)
            errors = stack.enter_context(tempfile.TemporaryFile())
            undo = stack.enter_context(ExitStack())
            undo.callback(ours.close)
            words, descriptors = inside.command(filters, stack)
            info, info_end = os.pipe()
            stack.callback(os.close, info)
            words[-1:] = ["--info-fd", str(info_end), "--"]
            words += [str(own_interpreter()), "-I", "-S", INIT, str(theirs.fileno())]
            scope, env = scope_words(limits)
            try:
                self._process = (
                    _launcher()
                    .submit(_start, [*scope, *words], env, [*descriptors, theirs.fileno(), info_end], errors.fileno())
                    .result()
                )
            finally:
                os.close(info_end)
            undo.pop_all()  # from here on, `end` closes it
            theirs.close()
            self._init = _open_init(info)
            ours.settimeout(_START)
            try:
                ready = ours.recv(10)
            except OSError:
                ready = b""
            if not ready or self._init < 0:
                self.end()
                errors.seek(0)
                raise failure(errors.read(10_000).decode("utf-8", "replace"))

    def start(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        limits: Mapping[str, int],
        trusted: bool = False,
    ) -> PipeChannel:
        """Start a program with pipes. A `trusted` program cannot be traced by the others."""
        stdin, program_stdin = os.pipe()[::-1]
        program_output, output = os.pipe()[::-1]
        try:
            control = self._request(words, env, limits, trusted, [program_stdin, program_output])
        except BaseException:
            os.close(stdin)
            os.close(output)
            raise
        finally:
            os.close(program_stdin)
            os.close(program_output)
        return PipeChannel(stdin, output, SandboxProgram(control))

    def open_terminal(
        self, words: Sequence[str], env: Mapping[str, str], limits: Mapping[str, int]
    ) -> tuple[int, SandboxProgram]:
        """Start a program on a new terminal of the sandbox; return the terminal's master end and the program."""
        control = self._request(words, env, limits, False, [])
        control.settimeout(_START)
        try:
            data, descriptors, _, _ = socket.recv_fds(control, 1000, 1)
        except OSError as error:
            data, descriptors = f"e{error}".encode(), []
        control.settimeout(None)
        if not descriptors:
            control.close()
            raise _not_started(data[1:].decode("utf-8", "replace"))
        os.set_blocking(descriptors[0], False)
        os.set_inheritable(descriptors[0], False)
        return descriptors[0], SandboxProgram(control)

    def end(self) -> None:
        """End all processes of the sandbox. May be called twice."""
        self._requests.close()
        if self._init >= 0:
            with suppress(OSError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
            poll = select.poll()
            poll.register(self._init, select.POLLIN)
            poll.poll(_END * 1000)  # the kernel ends all processes of the namespace before its first one
            os.close(self._init)
            self._init = -1
        self._process.kill()
        self._process.wait()

    def _request(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        limits: Mapping[str, int],
        trusted: bool,
        descriptors: list[int],
    ) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asked = {
            "words": list(words),
            "env": dict(env),
            "limits": dict(limits),
            "trusted": trusted,
            "terminal": not descriptors,
        }
        with theirs:
            try:
                socket.send_fds(self._requests, [json.dumps(asked).encode()], [*descriptors, theirs.fileno()])
            except OSError as error:
                ours.close()
                raise _not_started(
                    "the sandbox has ended" if self._process.poll() is not None else str(error)
                ) from error
        return ours


class SandboxProgram:
    """A program that was started in a sandbox."""

    def __init__(self, control: socket.socket) -> None:
        self._control, self._lock = control, Lock()
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while the program runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status. Raises subprocess.TimeoutExpired."""
        with self._lock:
            if self._code is None:
                poll = select.poll()
                poll.register(self._control, select.POLLIN)
                if not poll.poll(None if timeout is None else timeout * 1000):
                    raise subprocess.TimeoutExpired("sandbox", timeout or 0.0)
                try:
                    status = self._control.recv(1000)
                except OSError:
                    status = b""
                self._code = int(status[1:]) if status[:1] == b"x" else _GONE
                self._control.close()
            return self._code

    def kill(self) -> None:
        self._send(b"k")

    def kill_group(self) -> None:
        """Kill the program and the other processes of its process group."""
        self._send(b"g")

    def _send(self, word: bytes) -> None:
        if self._code is None:
            with suppress(OSError):
                self._control.send(word)


@cache
def _launcher() -> ThreadPoolExecutor:
    """Return the thread that starts all sandboxes. The kernel ends a sandbox along with the thread that started it."""
    return ThreadPoolExecutor(1, "sandboxes")


def _start(
    words: Sequence[str], env: Mapping[str, str], descriptors: Sequence[int], errors: int
) -> subprocess.Popen[bytes]:
    """Start bubblewrap. Its own environment is empty, since programs in the sandbox can read it."""
    try:
        return subprocess.Popen(
            words,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=descriptors,
            start_new_session=True,
        )
    except OSError as error:
        raise failure(str(error)) from error


def _open_init(info: int) -> int:
    """Return a descriptor of a sandbox's first process, from bubblewrap's information; -1 if there is none."""
    text, end = b"", time.monotonic() + _START
    poll = select.poll()
    poll.register(info, select.POLLIN)
    while poll.poll(max(0.0, end - time.monotonic()) * 1000) and (data := os.read(info, 10_000)):
        text += data
    with suppress(OSError, ValueError, KeyError):
        return os.pidfd_open(json.loads(text)["child-pid"])
    return -1


def _not_started(reason: str) -> WorkspaceError:
    return WorkspaceError(
        f"A program could not be started in the sandbox: {reason}.",
        "`swe-agent resume` continues in a new workspace.",
    )
