"""Drawing on a terminal that is gone: dropped, told of once, never raised."""

import errno
import io
import sys

import pytest

from agent.tui.terminal_disconnect import SafeStream, safe_stderr


class Terminal(io.StringIO):
    """Fails as one does, from when it is told to."""

    fails: OSError | None = None

    def write(self, text: str) -> int:
        if self.fails:
            raise self.fails
        return super().write(text)


@pytest.fixture
def lost():
    return []


def test_what_is_written_arrives(lost):
    file = Terminal()
    SafeStream(file, lambda: lost.append(1)).write("words")
    assert file.getvalue() == "words"
    assert lost == []


def test_terminal_that_is_gone_is_told_of_once(lost):
    file = Terminal()
    lasts = SafeStream(file, lambda: lost.append(1))
    file.fails = OSError(errno.EIO, "Input/output error")
    for _ in range(3):
        assert lasts.write("words") == 5
        lasts.flush()
    assert lost == [1]


def test_slow_one_is_not_gone(lost):
    file = Terminal()
    lasts = SafeStream(file, lambda: lost.append(1))
    file.fails = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    lasts.write("lost")
    file.fails = None
    lasts.write("kept")
    assert (file.getvalue(), lost) == ("kept", [])


def test_it_stands_for_terminal_while_screen_is_drawn(lost, monkeypatch):
    file = Terminal()
    monkeypatch.setattr(sys, "__stderr__", file)
    with safe_stderr(lambda: lost.append(1)):
        assert sys.__stderr__.isatty() is False
        file.close()
        sys.__stderr__.write("words")
    assert lost == [1]
    assert sys.__stderr__ is file
