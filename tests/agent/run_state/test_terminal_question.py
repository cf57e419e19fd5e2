"""Questions to the user at the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from agent.console.run_display import Console
from agent.permissions.approvals import Answer, Approval
from agent.run_state import terminal_question
from agent.run_state.terminal_question import can_choose

ASKED = Approval("question", "How are halves\x1b[2J rounded?", choices=("half up", "half even"))


@pytest.fixture
def type_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin, os.fdopen(writing, "w") as user:
        monkeypatch.setattr(terminal_question.sys, "stdin", stdin)

        def type_line(text: str) -> None:
            user.write(text)
            user.flush()

        yield type_line


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("2\n", Answer(True, chosen=(1,))),
        ("half down\n", Answer(True, reason="half down")),
        ("3\n", Answer(True, reason="3")),
        ("\n", Answer(False)),
    ],
)
def test_number_or_words_are_the_answer(
    type_line: Callable[[str], None], capsys: pytest.CaptureFixture[str], typed: str, answer: Answer
) -> None:
    type_line(typed)
    assert Console(plain=True).choose(ASKED, lambda: False) == answer
    shown = capsys.readouterr().err
    assert "Question: How are halves rounded?\n  1  half up\n  2  half even\n" in shown


def test_what_was_typed_before_the_question_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    user, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(terminal_question.sys, "stdin", stdin)
        os.write(user, b"1\nhalf")
        later = [b"2\n"]

        def type_answer() -> bool:
            if later:
                os.write(user, later.pop())
            return False

        assert Console(plain=True).choose(ASKED, type_answer) == Answer(True, chosen=(1,))
    os.close(user)


def test_stop_ends_the_wait(type_line: Callable[[str], None]) -> None:
    assert Console(plain=True).choose(ASKED, lambda: True) == Answer(False)


def test_no_one_is_asked_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_question, "at_terminal", lambda: True)
    monkeypatch.delenv("CI", raising=False)
    assert can_choose()
    monkeypatch.setenv("CI", "true")
    assert not can_choose()
