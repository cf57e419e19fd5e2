"""Writing to a lost terminal: dropped, reported once, never raised."""

import errno
import io
import sys

import pytest

from extensions.interactive.tui.terminal_disconnect import SafeStream, safe_stderr


class Terminal(io.StringIO):
    """A terminal whose writes fail with `error` once it is set."""

    error: OSError | None = None

    def write(self, text: str) -> int:
        if self.error:
            raise self.error
        return super().write(text)


@pytest.fixture
def disconnects():
    return []


def test_text_is_written_to_terminal(disconnects):
    file = Terminal()
    SafeStream(file, lambda: disconnects.append(1)).write("words")
    assert file.getvalue() == "words"
    assert disconnects == []


def test_lost_terminal_is_reported_once(disconnects):
    file = Terminal()
    stream = SafeStream(file, lambda: disconnects.append(1))
    file.error = OSError(errno.EIO, "Input/output error")
    for _ in range(3):
        assert stream.write("words") == 5
        stream.flush()
    assert disconnects == [1]


def test_slow_terminal_is_not_reported_as_lost(disconnects):
    file = Terminal()
    stream = SafeStream(file, lambda: disconnects.append(1))
    file.error = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    stream.write("lost")
    file.error = None
    stream.write("kept")
    assert (file.getvalue(), disconnects) == ("kept", [])


def test_safe_stderr_replaces_stderr_while_active(disconnects, monkeypatch):
    file = Terminal()
    monkeypatch.setattr(sys, "__stderr__", file)
    with safe_stderr(lambda: disconnects.append(1)):
        assert sys.__stderr__.isatty() is False
        file.close()
        sys.__stderr__.write("words")
    assert disconnects == [1]
    assert sys.__stderr__ is file
