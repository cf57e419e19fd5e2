"""A job's log, of which strangers write a part: nothing in it is a command to the runner.

GitHub's runner obeys lines that begin with `::`, and `##[` anywhere in a line, in what a step prints to either stream.
"""

from __future__ import annotations

import io
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

from trajectories.errors import SweAgentError

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)")
_COMMAND = re.compile(r"^(\W*?):(?=:)|##(?=\[)")


class Harmless(io.TextIOBase):
    """Hands on whole lines, with a space in what would be a command."""

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
            self._to.write(harmless(match[0]))
        self._open = text[end:]
        return len(text)

    def flush(self) -> None:
        self._to.flush()

    def finish(self) -> None:
        """What is left of a line that was not ended."""
        self._to.write(harmless(self._open))
        self._open = ""
        self._to.flush()


def harmless(line: str) -> str:
    return _COMMAND.sub(lambda match: f"{match[0]} ", line)


def harmlessly(work: Callable[[], int]) -> int:
    """A command's exit code; what it prints meanwhile is text to the runner, and what ends it as well, foreseen or
    not."""
    from agent.cli import failed

    with harmless_output():
        try:
            try:
                return work()
            except (SweAgentError, OSError) as error:
                return failed([], error)
        except Exception:  # noqa: BLE001  (told by its traceback)
            traceback.print_exc()
            return 1


@contextmanager
def harmless_output() -> Iterator[None]:
    """What this process prints meanwhile is text to the runner."""
    streams = Harmless(sys.stdout), Harmless(sys.stderr)
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
        try:
            yield
        finally:
            for stream in streams:
                stream.finish()
