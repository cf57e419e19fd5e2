"""A command in a container whose image nobody vouches for: bounded in time and in what is kept of its output."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event

from aci.daemon import Daemon
from trajectories.errors import Cancelled

KEPT = 64_000
"""Bytes of a command's output that are kept, from its end: that is where it says why it failed."""

_TICK = 0.2
_LINE = 1000


@dataclass(frozen=True, slots=True)
class Ran:
    """The exit `code` of a command (124 if it was `late`) and the end of what it said, on both streams."""

    code: int
    output: bytes
    late: bool = False

    @property
    def text(self) -> str:
        return self.output.decode("utf-8", "replace")


def _nothing(line: str) -> None:
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
    heard: Callable[[str], None] = _nothing,
) -> Ran:
    """Run a shell script in the container with this id; the latest whole line of its output is `heard`, now and then.

    One that is late or cancelled leaves processes behind: the container is then good for nothing but its removal.
    Raises Cancelled.
    """
    deadline = time.monotonic() + seconds
    variables = [word for name, value in (env or {}).items() for word in ("-e", f"{name}={value}")]
    place = [*(["-u", user] if user else []), *(["-w", where] if where else [])]
    command = ["sh", "-c", f"exec 2>&1\n{script}"]  # two streams would lose their order
    process = subprocess.Popen(
        ["docker", "exec", *place, *variables, container, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=daemon.environment(),
        start_new_session=True,
    )
    try:
        output, late = _listen(process, cancel, deadline, heard)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
    return Ran(124 if late else process.returncode, output, late)


def _listen(
    process: subprocess.Popen[bytes], cancel: Event, deadline: float, heard: Callable[[str], None]
) -> tuple[bytes, bool]:
    """The end of what a process says until it ends, and whether it was too late. Raises Cancelled."""
    assert process.stdout
    pipe = process.stdout.fileno()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    kept, line = bytearray(), b""
    while True:
        if cancel.is_set():
            raise Cancelled("Interrupted while a container was prepared.", "Start again: it is prepared anew.")
        left = deadline - time.monotonic()
        if left <= 0:
            return bytes(kept), True
        if not poll.poll(min(_TICK, left) * 1000):
            continue
        data = os.read(pipe, 65536)
        if not data:
            return bytes(kept), False
        kept += data
        del kept[:-KEPT]
        *whole, line = (line + data).split(b"\n")
        line = line[-_LINE:]
        for one in whole[-1:]:
            heard(one[-_LINE:].decode("utf-8", "replace"))
