"""The session without a screen: answers to questions that no user can answer."""

from __future__ import annotations

from typing import Any

import pytest

from agent.permissions.approvals import Answer, Approval
from extensions.interactive.session.error_messages import to_swe_agent_error
from extensions.interactive.session.line_interface import Lines
from extensions.interactive.session.session_events import QuestionAsked, TurnStopped
from trajectories.errors import Cancelled


@pytest.mark.parametrize(
    ("approval", "yes"),
    [
        (Approval("network", "Set up the environment of the tests?", "pypi.org", id=1), True),
        (Approval("command", "Run this on your machine?", "rm a", id=1), False),
        (Approval("apply", "Apply 1 file?", "a.py", id=1), False),
    ],
)
def test_only_set_up_in_isolation_is_allowed_without_a_user(
    approval: Approval, yes: bool, talk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    session = talk([]).session
    lines = Lines(session.start, is_single=True)
    answers: list[Answer] = []
    lines.session.answer = lambda id, answer: answers.append(answer) or True  # type: ignore[method-assign,func-returns-value]
    lines.hear(QuestionAsked(approval))
    assert [answer.yes for answer in answers] == [yes]
    assert f"Answered {'yes, as for `fix`' if yes else 'no'}: there is no one to ask." in capsys.readouterr().err


def test_question_of_the_model_is_asked_at_a_terminal(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Approval("question", "Which?", choices=("one", "two"), id=7)
    lines = Lines(talk([]).session.start, is_single=True)
    answers: list[Any] = []
    lines.session.answer = lambda *given: answers.append(given) or True  # type: ignore[method-assign,func-returns-value]
    monkeypatch.setattr(lines.console, "choose", lambda approval, is_stopped: Answer(True, chosen=(1,)))
    lines.hear(QuestionAsked(asked))
    assert answers == []  # the thread that reads stdin answers
    lines._choose()
    lines._choose()
    assert answers == [(7, Answer(True, chosen=(1,)))]


@pytest.mark.parametrize("is_single", [True, False])
def test_interrupt_without_a_prompt_names_the_command_that_continues(
    is_single: bool, talk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines(talk([]).session.start, is_single=is_single)
    error = to_swe_agent_error(Cancelled("Interrupted.", ""))
    lines.hear(TurnStopped(error))
    written = capsys.readouterr().err
    assert ("`swe-agent -c`" in written, "Say what to do" in written) == (is_single, not is_single)
    assert lines.code == error.code
