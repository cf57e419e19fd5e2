"""A job's log without workflow commands, because parts of the log are written by strangers.

GitHub's runner executes such commands in a step's standard output and error: lines that start with `::`, and `##[`
anywhere in a line.
"""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO

from trajectories.errors import SweAgentError

HIDDEN = "The issue is about a vulnerability, so the log of the run is not shown."
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)")
_COMMAND = re.compile(r"^(\W*?):(?=:)|##(?=\[)")


class EscapedStream(io.TextIOBase):
    """A stream that passes on whole lines and inserts a space into workflow commands, so that the runner ignores
    them."""

    def __init__(self, to: TextIO) -> None:
        self._to, self._open = to, ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._to.encoding

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._to.fileno()

    def write(self, text: str) -> int:
        text = self._open + text
        end = 0
        for match in _LINE.finditer(text):
            end = match.end()
            self._to.write(escape_line(match[0]))
        self._open = text[end:]
        return len(text)

    def flush(self) -> None:
        self._to.flush()

    def close(self) -> None:
        """Do not close the underlying stream: it has another owner, and may be closed already."""

    def finish(self) -> None:
        """Write the rest of an unfinished line."""
        self._to.write(escape_line(self._open))
        self._open = ""
        self._to.flush()


def escape_line(line: str) -> str:
    return _COMMAND.sub(lambda match: f"{match[0]} ", line)


def escape_commands(work: Callable[[], int]) -> int:
    """Run a command and return its exit code; workflow commands in its output and error messages are disabled."""
    from agent.console.error_report import report_failure

    with escaped_output():
        try:
            try:
                return work()
            except (SweAgentError, OSError) as error:
                return report_failure([], error)
        except Exception:  # noqa: BLE001  (the traceback shows it)
            traceback.print_exc()
            return 1


@contextmanager
def escaped_output() -> Iterator[None]:
    """Disable workflow commands in the process's output within this context."""
    streams = EscapedStream(sys.stdout), EscapedStream(sys.stderr)
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
        try:
            yield
        finally:
            for stream in streams:
                stream.finish()


@contextmanager
def hidden_output() -> Iterator[None]:
    """Drop the process's output within this context, because it shows how to exploit a vulnerability."""
    sys.stdout.write(f"{HIDDEN}\n")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
