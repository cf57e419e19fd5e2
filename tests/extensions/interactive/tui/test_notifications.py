"""Notifications to the user, and the terminal's title."""

from __future__ import annotations

import pytest

from extensions.interactive.tui.notifications import LONG, Notifier, notification_method, notification_sequence


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color"}, "bell"),
        ({}, "bell"),
        ({"TERM_PROGRAM": "iTerm.app"}, "osc9"),
        ({"LC_TERMINAL": "iTerm2", "TMUX": "x"}, "osc9"),
        ({"TERM": "xterm-kitty"}, "osc777"),
        ({"TERM_PROGRAM": "ghostty"}, "osc777"),
        ({"TERM": "rxvt-unicode-256color"}, "osc777"),
        ({"TERM": "xterm-kitty", "ZELLIJ": "0"}, "bell"),
    ],
)
def test_auto_method_depends_on_terminal(environment: dict[str, str], expected: str) -> None:
    assert notification_method("auto", environment) == expected
    assert notification_method("off", environment) == "off"
    assert notification_method("osc9", environment) == "osc9"


def test_notification_sequence_depends_on_method() -> None:
    assert notification_sequence("done", "osc9", {}) == "\x1b]9;swe-agent: done\a"
    assert notification_sequence("done", "osc777", {}) == "\x1b]777;notify;swe-agent;done\a"
    assert notification_sequence("done", "bell", {"TMUX": "x"}) == "\a"
    assert notification_sequence("done", "off", {}) == ""
    assert notification_sequence("done", "osc9", {"TMUX": "x"}) == "\x1bPtmux;\x1b\x1b]9;swe-agent: done\a\x1b\\"
    assert notification_sequence("done", "osc9", {"STY": "x"}) == "\x1bP\x1b]9;swe-agent: done\a\x1b\\"


@pytest.mark.parametrize("method", ["osc9", "osc777"])
def test_control_characters_in_message_are_removed(method: str) -> None:
    sequence = notification_sequence("a\x1b\\b\x07c\nd\x9ce\x1b]0;x\x07f" + "g" * 1000, method, {})  # type: ignore[arg-type]
    assert sequence.count("\x1b") == 1
    assert sequence.count("\a") == 1
    assert not {"\n", "\x9c"} & set(sequence)
    assert len(sequence) < 250


class Terminal:
    def __init__(self, preference: str = "bell", **environment: str) -> None:
        self.written: list[str] = []
        self.now = 0.0
        self.notifier = Notifier(self.written.append, preference, environment, lambda: self.now)


def test_focused_terminal_is_not_notified() -> None:
    terminal = Terminal()
    terminal.notifier.began()
    terminal.notifier.focus(True)
    terminal.now = 100
    terminal.notifier.wanted("done")
    assert terminal.written == []
    terminal.notifier.focus(False)
    terminal.notifier.wanted("done")
    assert terminal.written == ["\a"]


def test_long_work_notifies_when_focus_is_unknown() -> None:
    terminal = Terminal()
    terminal.notifier.wanted("no model")
    terminal.notifier.began()
    terminal.now = LONG - 0.1
    terminal.notifier.wanted("done")
    assert terminal.written == []
    terminal.now = LONG
    terminal.notifier.wanted("done")
    assert terminal.written == ["\a"]


def test_off_sends_no_notification() -> None:
    terminal = Terminal("off")
    terminal.notifier.focus(False)
    terminal.notifier.wanted("done")
    assert terminal.written == []


def test_title_is_set_once_per_change_and_restored() -> None:
    terminal = Terminal(TERM="xterm")
    terminal.notifier.restore()
    for title in ("working", "working", "idle\a\x1b[1m"):
        terminal.notifier.title(title)
    terminal.notifier.restore()
    terminal.notifier.restore()
    assert terminal.written == ["\x1b[22;2t\x1b]2;working\a", "\x1b]2;idle\a", "\x1b[23;2t"]


@pytest.mark.parametrize("term", ["linux", "dumb", ""])
def test_title_is_not_set_on_terminals_without_one(term: str) -> None:
    terminal = Terminal(TERM=term)
    terminal.notifier.title("working")
    terminal.notifier.restore()
    assert terminal.written == []
