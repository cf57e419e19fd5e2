"""Tools of MCP servers in a session: consent and pins, what is recorded, and where they are not offered at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from agent.engine.branch import UNKNOWN
from agent.engine.engine import Engine
from agent.engine.task import Task
from agent.lifecycle.run_lifecycle import begin, solve
from agent.permissions.approvals import Answer
from agent.run_state.attempt_outcome import Outcome
from agent.runs.run_lookup import open_run
from extensions.interactive.session.session_events import ProgressReported, QuestionAsked
from extensions.lab.exports import atif
from extensions.mcp_client.engine_servers import NOT_OFFERED
from extensions.replay.run_replay import RunReplay, begin_replay, replay_settings
from tests.agent.conftest import Bench, line
from tests.extensions.interactive.session.scripted_session import RecordedSession, calls, says
from tests.extensions.mcp_client.conftest import SetServer
from trajectories import plugins
from trajectories.errors import UsageError
from trajectories.outside_calls import offered_tools
from trajectories.records import Spent, Step
from trajectories.trajectory import RunView

pytestmark = pytest.mark.slow
ECHO = calls("s__echo", text="hello")
Talk = Callable[..., RecordedSession]
Received = Callable[..., list[dict[str, Any]]]


def said(opened: RecordedSession) -> list[str]:
    return [event.happening.text for event in opened.all(ProgressReported) if event.happening.kind == "say"]


def results(opened: RecordedSession) -> list[str]:
    """The texts of all observations of the tool, without the first line that marks them."""
    engine = opened.session.engine
    assert engine
    steps = engine.trajectory.all_steps()
    return [
        seen.text.partition("\n")[2] or seen.text
        for step in steps
        for action, seen in zip(step.actions, step.observations, strict=False)
        if action.tool == "s__echo"
    ]


def test_each_call_is_asked_about_with_its_arguments(talk: Talk, set_server: SetServer, received: Received) -> None:
    set_server("good")
    opened = talk([says("Look.", ECHO, n=1), says("Again.", ECHO, n=2), says("Done.", n=3)], can_ask=True)
    opened.say("Echo it.")
    questions = [event.approval for event in opened.all(QuestionAsked)]
    assert [(each.kind, each.subject) for each in questions] == [("mcp", "s__echo")] * 2
    assert questions[0].title == "Call echo of the MCP server s, outside the workspace?"
    assert '"text": "hello"' in questions[0].detail
    assert "Echo a text." in questions[0].detail
    assert results(opened) == ["echo: hello"] * 2
    assert len(received("tools/call")) == 2


def test_refused_call_does_not_reach_the_server(talk: Talk, set_server: SetServer, received: Received) -> None:
    set_server("good")
    opened = talk([says("Look.", ECHO, n=1), says("Done.", n=2)], can_ask=True)
    opened.answers = Answer(False, reason="not now")
    opened.say("Echo it.")
    assert results(opened) == ["The user refused this: not now"]
    assert received("tools/call") == []


def test_server_is_not_started_where_no_one_can_be_asked(talk: Talk, set_server: SetServer, received: Received) -> None:
    set_server("good", allow=["echo"])
    opened = talk([says("Look.", ECHO, n=1), says("Done.", n=2)])
    opened.say("Echo it.")
    assert said(opened).count(NOT_OFFERED) == 1
    assert received() == []
    assert results(opened)[0].startswith("There is no tool 's__echo'")
    assert opened.session.engine
    assert not [note for note in opened.session.engine.trajectory.notes if note.kind == "mcp"]


def test_answer_is_pinned_and_a_change_asks_again(talk: Talk, set_server: SetServer) -> None:
    script = [says("Look.", ECHO, n=1), says("Again.", ECHO, n=2), says("Again.", ECHO, n=3), says("Done.", n=4)]
    set_server("changes")
    opened = talk(script, can_ask=True)
    opened.answers = Answer(True, scope="project")
    opened.say("Echo it.")
    first, second = (event.approval for event in opened.all(QuestionAsked))
    assert results(opened) == ["echo: hello"] * 3
    assert not first.detail.startswith("This tool has changed")
    assert second.detail.startswith("This tool has changed since you allowed it:")
    assert "Echo a text to everyone." in second.detail
    (rule,) = first.always
    assert rule.startswith("mcp s__echo ")
    stored = (opened.settings.state / "permissions.json").read_text()
    assert stored.count("mcp s__echo ") == 2


def test_allowed_tool_is_not_asked_about_until_it_changes(talk: Talk, set_server: SetServer) -> None:
    script = [says("Look.", ECHO, n=1), says("Again.", ECHO, n=2), says("Done.", n=3)]
    set_server("changes", allow=["echo"])
    opened = talk(script, can_ask=True)
    opened.answers = Answer(False, reason="changed")
    opened.say("Echo it.")
    (question,) = opened.all(QuestionAsked)
    assert question.approval.detail.startswith("This tool has changed since you allowed it:")
    assert results(opened) == ["echo: hello", "The user refused this: changed"]


def test_denying_rule_wins_over_allow(talk: Talk, set_server: SetServer, received: Received) -> None:
    set_server("good", allow=["echo"])
    denied = {"permissions": {"deny": ["mcp s__*"]}}
    opened = talk([says("Look.", ECHO, n=1), says("Done.", n=2)], settings=denied, can_ask=True)
    opened.say("Echo it.")
    assert results(opened) == ["The user refused this: A configured rule denies it: mcp s__*."]
    assert received("tools/call") == []
    assert opened.all(QuestionAsked) == []


def test_run_is_marked_and_exports_have_the_tools(talk: Talk, set_server: SetServer) -> None:
    set_server("good", allow=["echo"])
    edit = calls("edit", path="a.py", old="return 1", new="return 2")
    opened = talk([says("Look.", ECHO, edit, n=1), says("Done.", n=2)], can_ask=True)
    opened.say("Change it.")
    engine = opened.session.engine
    assert engine
    trajectory = engine.trajectory
    assert trajectory.exit
    marked = "The model used tools of MCP servers, outside the workspace: s (1 call). The proof ran without them."
    assert marked in trajectory.exit.verdict.notes
    (note,) = [note for note in trajectory.notes if note.kind == "mcp"]
    assert note.text == "Tools of MCP servers: s__echo"
    view = RunView("r", trajectory, Spent(None, 0, 0, 0, 0))
    document = json.loads("".join(atif.export([view])))
    assert "s__echo" in [tool["function"]["name"] for tool in document["agent"]["tool_definitions"]]


def one_reply(task: Task) -> Generator[Step, None, Outcome]:
    yield task.say("Go.")
    reply = task.ask()
    yield task.step(reply, task.act(reply.actions))
    return task.best()


def killed_before_the_step(task: Task) -> Generator[Step, None, Outcome]:
    yield task.say("Go.")
    task.act(task.ask().actions)
    raise KeyboardInterrupt


def ask_in(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engines of a bench ask a user."""
    opened = bench.engine

    def engine() -> Engine:
        made = opened()
        made.servers.can_ask, made.approve = True, lambda asked: Answer(True)
        return made

    monkeypatch.setattr(bench, "engine", engine)


def test_run_outside_a_session_does_not_offer_them(bench: Bench, set_server: SetServer, received: Received) -> None:
    set_server("good", allow=["echo"])
    bench.begin(line("Look.", ECHO))
    steps, _ = bench.drive(one_reply)
    assert steps[-1].observations[0].text.startswith("There is no tool 's__echo'")
    assert received() == []
    assert [event.text for event in bench.events].count(NOT_OFFERED) == 1


def test_resumed_run_takes_the_recorded_result(
    bench: Bench, set_server: SetServer, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_server("good")
    bench.begin(line("Look.", ECHO))
    ask_in(bench, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        bench.drive(killed_before_the_step)
    steps, _ = bench.drive(one_reply)
    (seen,) = steps[-1].observations
    assert (seen.ok, seen.data) == (True, {"server": "s"})
    assert seen.text.endswith("echo: hello")
    assert len(received("tools/call")) == 1


def test_call_of_unknown_outcome_is_not_repeated(
    bench: Bench, set_server: SetServer, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_server("good")
    bench.begin(line("Look.", ECHO))
    ask_in(bench, monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr("extensions.mcp_client.server_tool._observation", interrupt)
        with pytest.raises(KeyboardInterrupt):
            bench.drive(one_reply)
    steps, _ = bench.drive(one_reply)
    (seen,) = steps[-1].observations
    assert (seen.ok, seen.text) == (False, UNKNOWN)
    assert len(received("tools/call")) == 1


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_servers_start_again_for_a_recorded_reply(
    bench: Bench, set_server: SetServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed_before_acting(task: Task) -> Generator[Step, None, Outcome]:
        yield task.say("Go.")
        task.ask()
        raise KeyboardInterrupt

    set_server("good")
    bench.begin(line("Look.", ECHO))
    ask_in(bench, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        bench.drive(killed_before_acting)
    steps, _ = bench.drive(one_reply)
    assert steps[-1].observations[0].text.endswith("echo: hello")


def remove_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the extension count as not installed."""
    installed = tuple(name for name in plugins.extension_names() if name != "mcp_client")
    monkeypatch.setattr(plugins, "extension_names", lambda: installed)


@pytest.mark.parametrize("is_removed", [False, True], ids=["with the extension", "without it"])
def test_replay_takes_the_recorded_result(
    bench: Bench, set_server: SetServer, received: Received, monkeypatch: pytest.MonkeyPatch, is_removed: bool
) -> None:
    set_server("good")
    bench.begin(says("Look.", ECHO, n=1), says("Done.", n=2), strategy="build")
    ask_in(bench, monkeypatch)
    engine = bench.engine()
    with engine:
        for _ in solve(engine):
            pass
    if is_removed:
        remove_client(monkeypatch)
    material = open_run(str(bench.directory), bench.settings)
    settings = replay_settings(material, bench.settings, None)
    again = RunReplay(Engine(begin_replay(material, settings), settings), material)
    with again.engine:
        assert [step.observations for step in again.run()] == [
            step.observations for step in material.trajectory.all_steps()
        ]
    assert len(received("tools/call")) == 1
    assert "s__echo" in [tool["function"]["name"] for tool in offered_tools(material.trajectory)]


def test_run_with_servers_is_refused_without_the_extension(
    bench: Bench, set_server: SetServer, own_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_client(monkeypatch)
    bench.begin(says("Look.", ECHO, n=1), says("Done.", n=2), strategy="build")
    set_server("good")
    engine = bench.engine()
    missing = "The client of your MCP servers .* is in the extension mcp_client, which is not installed"
    with engine:
        records = len(engine.trajectory.records)
        with pytest.raises(UsageError, match=missing):
            next(solve(engine))
        assert len(engine.trajectory.records) == records
        with pytest.raises(UsageError, match=missing):
            engine.servers.schemas()
    before = sorted(bench.settings.runs.iterdir())
    with pytest.raises(UsageError, match=missing):
        begin(engine.run.issue, engine.repository, engine.settings)
    assert sorted(bench.settings.runs.iterdir()) == before
    own_config.write_text("")
    with bench.engine() as engine:
        assert [step.observations[0].ok for step in solve(engine) if step.actions] == [False]
