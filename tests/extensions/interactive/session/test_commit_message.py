"""Messages of `/commit`: by the model, by the user, or built from the user's requests."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from agent.permissions.approvals import Answer
from extensions.interactive.session import session_events
from tests.conftest import git
from tests.extensions.interactive.session.scripted_session import RecordedSession, calls, says

pytestmark = pytest.mark.slow

CHANGE = says("I return two.", calls("edit", path="a.py", old="return 1", new="return 2"), n=1) | {"branch": "main"}
SUBMIT = says("Done.", calls("submit", summary="Done."), n=2) | {"branch": "main"}
BODY = "a: return two\n\nThe callers expect a pair."
MESSAGE = says(BODY, contains="Recent commit messages")


@pytest.fixture(autouse=True)
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def root(talk: RecordedSession) -> Path:
    return talk.session.start.source.root


def committed_message(talk: RecordedSession) -> str:
    return git(root(talk), "log", "-1", "--format=%B").strip()


def test_model_writes_message_from_diff_requests_and_recent_messages(talk):
    talk = talk([says(f"```\n{BODY}\n```", contains="Recent commit messages"), CHANGE, SUBMIT])
    git(root(talk), "commit", "--allow-empty", "-m", "b: explain\n\nWith a body.")
    talk.say("Return two").say("/commit")
    assert committed_message(talk) == BODY
    sent = talk.session.engine.trajectory.turns[-1].attachments
    for part in ("- Return two", "b: explain\n\nWith a body.", "-    return 1\n+    return 2"):
        assert part in sent
    question = talk.all(session_events.QuestionAsked)[-1].approval
    assert question.message == BODY


def test_main_conversation_does_not_contain_commit(talk):
    talk = talk([MESSAGE, CHANGE, SUBMIT, says("Yes.", contains="Sure?")])
    talk.say("Return two").say("/commit").say("Sure?")
    assert talk.replies[-1] == "Yes."
    steps = talk.session.engine.trajectory.steps["main"]
    assert not [seen.text for step in steps for seen in step.observations if "commit" in seen.text.lower()]
    assert talk.session.engine.trajectory.replies["main/2.message", 1].text == BODY


def test_own_words_need_no_model(talk):
    talk = talk([CHANGE, SUBMIT]).say("Return two").say("/commit My words")
    assert committed_message(talk) == "My words"
    assert len(talk.session.engine.trajectory.turns) == 1


def test_without_model_message_has_words_of_request(talk):
    talk = talk([]).say("!echo x > c.txt").say("/commit")
    assert committed_message(talk) == "Changes of a session"


def test_message_is_built_from_requests_if_model_fails(talk):
    talk = talk([CHANGE, SUBMIT]).say("Return two").say("/commit")
    assert committed_message(talk) == "Return two"
    assert "has no reply" in talk.all(session_events.TurnEnded)[-1].result.exit.message
    assert talk.session.status.state == "idle"


def test_user_edits_message(talk):
    talk = talk([MESSAGE, CHANGE, SUBMIT])
    talk.answers = Answer(True, message="a: mine")
    talk.say("Return two").say("/commit")
    assert committed_message(talk) == "a: mine"


def test_interrupt_while_model_writes_commits_nothing(talk, monkeypatch):
    talk = talk([MESSAGE, CHANGE, SUBMIT])
    talk.say("Return two")
    head = git(root(talk), "rev-parse", "HEAD")
    asked = threading.Event()

    def interrupt(event: session_events.Event) -> None:
        progress = isinstance(event, session_events.ProgressReported) and event.happening.kind == "ask"
        if progress and event.happening.branch.endswith("message") and not asked.is_set():
            asked.set()
            talk.session.interrupt()

    talk.hooks.append(interrupt)
    talk.say("/commit")
    assert asked.is_set()
    assert talk.messages[-1].startswith("Nothing was committed.")
    assert git(root(talk), "rev-parse", "HEAD") == head
    assert talk.session.status.state == "idle"
    talk.say("/commit")
    assert committed_message(talk) == BODY


def test_new_branch_gets_message_of_model(talk):
    talk = talk([MESSAGE, CHANGE, SUBMIT])
    talk.say("Return two").say("/commit --branch topic")
    assert git(root(talk), "log", "-1", "--format=%B", "topic").strip() == BODY
