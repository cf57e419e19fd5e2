"""Process exit, and output streams whose reader may be gone."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from io import BufferedWriter, FileIO, RawIOBase, TextIOWrapper
from typing import IO, TYPE_CHECKING, ClassVar, NoReturn

if TYPE_CHECKING:
    from typing_extensions import Buffer

PATIENCE = 30.0
"""Maximum number of seconds for removing containers; `doctor --clean` can remove those that remain."""


class OutputFile(FileIO):
    """A stdout or stderr that drops output when its reader is gone, so that a run continues and keeps its exit code."""

    has_reader = True
    last_write: ClassVar[float] = 0.0
    """When this process last wrote to stdout or stderr, in monotonic seconds."""

    def write(self, data: Buffer, /) -> int:
        OutputFile.last_write = time.monotonic()
        try:
            return super().write(data)
        except BrokenPipeError:
            self.has_reader = False
            _silence(self.fileno())
            return memoryview(data).nbytes


def prepare_streams() -> None:
    """Make stdout and stderr safe to write to, even if they are closed or their reader exits."""
    _open_closed_descriptors()
    sys.stdout = _safe_stream(sys.stdout, 1)
    sys.stderr = _safe_stream(sys.stderr, 2)


def has_reader(stream: IO[str]) -> bool:
    """Return whether the stream still has a reader: False once a write has failed because no one reads it. Long loops
    of writes should check this."""
    buffer = getattr(stream, "buffer", None)
    return bool(getattr(getattr(buffer, "raw", buffer), "has_reader", True))


def exit_process(code: int, patience: float = PATIENCE) -> NoReturn:
    """End the process with this exit code, whatever state it is in. `patience` is the maximum number of seconds for
    removing containers.

    The interpreter is not finalized, because that would wait for every thread, could stop a thread while it holds the
    import lock, and would replace the exit code by 120 if output cannot be written.
    """
    import atexit

    try:
        _flush()  # flush now, since a second Ctrl-C can end the wait below
        if wait := getattr(sys.modules.get("aci.docker.docker_daemon"), "all_discarded", None):
            wait(patience)
        atexit._run_exitfuncs()
        _flush()
    finally:  # runs even if a second Ctrl-C ends the wait
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


def _safe_stream(stream: IO[str] | None, descriptor: int) -> IO[str]:
    if stream is None:
        return open(descriptor, "w", encoding="utf-8", errors="replace", closefd=False)
    if not isinstance(stream, TextIOWrapper):
        return stream
    stream.flush()
    raw = OutputFile(stream.fileno(), "w", closefd=False)
    is_unbuffered = isinstance(stream.buffer, RawIOBase)
    return TextIOWrapper(
        raw if is_unbuffered else BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _open_closed_descriptors() -> None:
    """Open the standard descriptors that are closed, since otherwise a run's file could be opened as stdout and receive
    its output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _silence(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
