"""Events as updates: text in whole lines, what was not streamed, plan, tool calls that end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.permissions.approvals import Answer, Approval
from agent.run_state.progress_event import ProgressEvent
from extensions.interactive.acp.permission_requests import MOST_DETAIL, MOST_RULES, PermissionRequest
from extensions.interactive.acp.session_updates import SessionUpdates
from extensions.interactive.session import session_events
from extensions.interactive.session.session_status import Status
from tests.extensions.interactive.session.conftest import FakeSession
from trajectories.errors import Cancelled, ModelError
from trajectories.records import Action, Observation, Reply, Step

Show = Callable[..., list[dict[str, Any]]]
SECRET = "sk-a-key-that-is-secret"


class UpdatedSession(FakeSession):
    """The part of a session that updates read."""

    mode = "build"
    status = Status("idle", "build", "build", "", "local", "", "", None, None, 0.0)


@pytest.fixture
def session(tmp_path: Path, make_repo: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[UpdatedSession]:
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    session = UpdatedSession(make_repo({"a.txt": "a\n"}), tmp_path / "state")
    session.begin()
    yield session
    session.close()


@pytest.fixture
def show(session: UpdatedSession) -> Show:
    updates = SessionUpdates(session)  # type: ignore[arg-type]

    def show(*events: Any) -> list[dict[str, Any]]:
        found = [update for event in events for update in updates.of_event(event)]
        return [each.model_dump(by_alias=True, exclude_none=True) for each in found]

    return show


def progress(kind: str, text: str, branch: str = "main") -> session_events.ProgressReported:
    return session_events.ProgressReported(ProgressEvent(kind, branch, text))


def texts(updates: list[dict[str, Any]], kind: str = "agent_message_chunk") -> list[str]:
    return [each["content"]["text"].strip("\n") for each in updates if each["sessionUpdate"] == kind]


def step(n: int = 1, **fields: Any) -> Step:
    return Step("main", n, "", "coder", "", **fields)


def test_reply_is_sent_line_by_line_and_not_again_with_its_step(show: Show) -> None:
    assert texts(show(progress("delta", "I look"))) == []
    assert texts(show(progress("delta", " first.\nThen"))) == ["I look first."]
    reply = Reply("I look first.\nThen I fix it.", branch="main", ask=1)
    shown = show(progress("delta", " I fix it."), progress("replied", ""), session_events.StepRecorded(step(), reply))
    assert texts(shown) == ["Then I fix it."]


def test_reply_that_was_not_streamed_is_sent_with_its_step(show: Show) -> None:
    reply = Reply("All at once.", reasoning="Hm.", branch="main", ask=1)
    shown = show(session_events.StepRecorded(step(), reply))
    assert (texts(shown), texts(shown, "agent_thought_chunk")) == (["All at once."], ["Hm."])


def test_key_in_two_pieces_is_masked(show: Show) -> None:
    shown = show(progress("delta", SECRET[:9]), progress("delta", SECRET[9:]), progress("replied", ""))
    assert SECRET not in "".join(texts(shown))
    assert len(texts(shown)) == 1


def test_other_branches_are_thoughts(show: Show) -> None:
    assert show(progress("delta", "Another try.\n", "1")) == []
    reply = Reply("Another try.", branch="1", ask=1)
    shown = show(session_events.StepRecorded(Step("1", 1, "", "coder", ""), reply))
    assert texts(shown, "agent_thought_chunk") == ["1: Another try."]


def test_call_has_one_id_from_its_start_to_its_result(show: Show) -> None:
    action = Action("shell", {"command": "ls"})
    (started,) = show(progress("action", "shell ls"))
    assert (started["kind"], started["status"]) == ("execute", "in_progress")
    seen = Observation("a.txt", ok=True)
    shown = show(
        progress("output", "a.t"),
        progress("done", "shell ls"),
        session_events.StepRecorded(step(actions=(action,), observations=(seen,)), None),
    )
    assert {each["toolCallId"] for each in shown} == {started["toolCallId"]}
    assert shown[-1]["status"] == "completed"
    assert "a.txt" in shown[-1]["content"][0]["content"]["text"]


def test_paths_outside_the_repository_are_no_locations(show: Show) -> None:
    for path in ("/etc/passwd", "../x", "a/../../x", "."):
        action = Action("view", {"path": path})
        observations = (Observation("", ok=False),)
        (call,) = show(session_events.StepRecorded(step(actions=(action,), observations=observations), None))
        assert not call.get("locations")


def test_turn_that_stops_ends_its_calls_and_says_why(show: Show) -> None:
    show(progress("action", "shell sleep 60"))
    shown = show(session_events.TurnStopped(ModelError("The model failed.", "Try again.")))
    assert shown[0]["status"] == "failed"
    assert texts(shown) == ["The model failed. Try again."]
    assert show(session_events.TurnStopped(Cancelled("Interrupted."))) == []


def test_options_of_a_question_of_the_model_are_offered() -> None:
    request = PermissionRequest(Approval("question", "Which?", choices=("one\x1b", "two"), id=3))
    assert [(each.option_id, each.name) for each in request.options()] == [
        ("choice-0", "one^["),
        ("choice-1", "two"),
        ("reject", "Leave it to the model"),
    ]
    answers = [request.answer(SimpleNamespace(outcome="selected", option_id=id)) for id in ("choice-1", "allow")]
    assert answers == [Answer(True, chosen=(1,)), Answer(False)]


def test_question_is_a_call_that_ends(show: Show) -> None:
    asked = Approval("command", "Run it?", "ls", id=3)
    started, ended = show(session_events.QuestionAsked(asked), session_events.QuestionAnswered(asked, Answer(False)))
    assert (started["toolCallId"], started["title"], started["status"]) == ("question-3", "Run it? ls", "pending")
    assert (ended["toolCallId"], ended["status"]) == ("question-3", "failed")


def test_hidden_characters_of_a_command_are_shown(show: Show) -> None:
    (started,) = show(session_events.QuestionAsked(Approval("command", "Run it?", "ls \u202e\x1b[8m; rm -rf .", id=1)))
    assert "ls U+202E^[[8m; rm -rf ." in started["content"][0]["content"]["text"]


@pytest.mark.parametrize(("length", "is_offered"), [(MOST_RULES // 2 - 1, True), (MOST_RULES // 2, False)])
def test_rules_that_the_user_cannot_see_whole_are_not_offered(length: int, is_offered: bool) -> None:
    request = PermissionRequest(Approval("command", "Run it?", "ls", always=("a" * length, "b" * length)))
    options = [option.option_id for option in request.options()]
    assert options == (["allow", "allow_session", "reject"] if is_offered else ["allow", "reject"])
    assert all("b" * length in option.name for option in request.options() if option.option_id == "allow_session")


@pytest.mark.parametrize(("kind", "note"), [("commit", "`/diff` shows"), ("command", "too long")])
def test_long_question_ends_its_code_and_says_so(show: Show, kind: Any, note: str) -> None:
    (started,) = show(session_events.QuestionAsked(Approval(kind, "Do it?", "```` " + "x" * MOST_DETAIL, id=1)))
    text = started["content"][0]["content"]["text"]
    assert text.startswith("`````\n```` x")
    code, _, after = text.rpartition("\n`````\n\n")
    assert code.endswith("x\n…")
    assert note in after
