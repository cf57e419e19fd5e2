"""Commands in containers with untrusted images, with limits on time and on the output that is kept."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event

from aci.docker.docker_daemon import Daemon
from trajectories.errors import Cancelled

MAX_OUTPUT_BYTES = 64_000
"""The number of bytes kept from the end of a command's output, where errors are reported."""

_TICK = 0.2
_LINE = 1000


@dataclass(frozen=True, slots=True)
class ExecResult:
    """The exit `code` of a command (124 if it timed out, as `late` says) and the end of its output on both streams."""

    code: int
    output: bytes
    late: bool = False

    @property
    def text(self) -> str:
        return self.output.decode("utf-8", "replace")


def _ignore(line: str) -> None:
    pass


def execute(
    daemon: Daemon,
    container: str,
    script: str,
    cancel: Event,
    seconds: float,
    *,
    user: str = "",
    where: str = "",
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = _ignore,
) -> ExecResult:
    """Run a shell script in the container with this id, and call `on_line` with the last complete line of each chunk of
    its output.

    A script that times out or is cancelled leaves processes behind, so the caller must then remove the container.
    Raises Cancelled.
    """
    deadline = time.monotonic() + seconds
    variables = [word for name, value in (env or {}).items() for word in ("-e", f"{name}={value}")]
    place = [*(["-u", user] if user else []), *(["-w", where] if where else [])]
    # The order of lines would be lost if the streams were read separately.
    command = ["sh", "-c", f"exec 2>&1\n{script}"]
    process = subprocess.Popen(
        ["docker", "exec", *place, *variables, container, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=daemon.environment(),
        start_new_session=True,
    )
    try:
        output, late = _listen(process, cancel, deadline, on_line)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
    return ExecResult(124 if late else process.returncode, output, late)


def _listen(
    process: subprocess.Popen[bytes], cancel: Event, deadline: float, on_line: Callable[[str], None]
) -> tuple[bytes, bool]:
    """Return the end of a process's output and whether the process timed out. Raises Cancelled."""
    assert process.stdout
    pipe = process.stdout.fileno()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    output, line = bytearray(), b""
    while True:
        if cancel.is_set():
            raise Cancelled("Interrupted while a container was prepared.", "Start again to prepare a new one.")
        left = deadline - time.monotonic()
        if left <= 0:
            return bytes(output), True
        if not poll.poll(min(_TICK, left) * 1000):
            continue
        data = os.read(pipe, 65536)
        if not data:
            return bytes(output), False
        output += data
        del output[:-MAX_OUTPUT_BYTES]
        *whole, line = (line + data).split(b"\n")
        line = line[-_LINE:]
        for one in whole[-1:]:
            on_line(one[-_LINE:].decode("utf-8", "replace"))
