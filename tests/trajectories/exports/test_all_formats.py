"""What every format promises, of runs in which anything happened in any order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trajectories.exports.random_runs import Made
from trajectories.exports import atif, chat, markdown, predictions, swe_agent
from trajectories.records import Action, Reply
from trajectories.run_data import RunView

BRANCHES = st.sampled_from(["main", "main/try-1", "main/try-1/review", "main/2.try-2"])
TEXTS = st.text(max_size=20) | st.sampled_from(["x" * 3000, "\ud800", "\x1b[31m\u202e", ""])
ACTIONS = st.builds(
    Action,
    st.sampled_from(["shell", "edit"]),
    st.dictionaries(st.sampled_from(["command", "path"]), TEXTS | st.integers() | st.lists(TEXTS, max_size=2)),
    st.sampled_from(["", "call_1", "call_2_1", "a"]),
    st.sampled_from(["", "no such argument"]),
)


@st.composite
def runs(draw: st.DrawFn) -> RunView:
    made = Made()
    for _ in range(draw(st.integers(0, 12))):
        branch = draw(BRANCHES)
        last = made.steps.get(branch, 0)
        match draw(st.sampled_from(["ask", "ask", "ask", "say", "hand", "turn", "back", "rewind", "note", "fork"])):
            case "ask":
                actions = draw(st.lists(ACTIONS, max_size=3))
                seen = [draw(TEXTS) for _ in range(draw(st.integers(0, max(1, len(actions)))))]
                made.ask(draw(TEXTS), actions, seen, branch, draw(st.sampled_from(["some/model", "other/one"])))
            case "say":
                made.say(draw(TEXTS), branch, draw(st.sampled_from(["task", "user", "proof", "safety"])))
            case "hand":
                made.by_hand(draw(TEXTS), draw(TEXTS))
            case "turn":
                made.turn(draw(TEXTS), "build", draw(st.sampled_from(["", "You talk."])))
            case "back":
                made.say("Back.", branch, "safety", back_to=draw(st.integers(0, last)))
            case "rewind":
                known = {"told": True} if draw(st.booleans()) else {}
                made.say("Anew.", branch, "undo", rewind=draw(st.integers(0, last)), **known)
            case "note":
                made.note(draw(st.sampled_from(["phase", "score", "fallback"])), draw(TEXTS), branch)
            case "fork":
                made.note("forked", "Forked from another.")
    if draw(st.booleans()):
        made.end()
    return made.material()


def lines(run: RunView, export: Callable[..., Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in "".join(export([run])).splitlines()]


def replies(run: RunView) -> list[Reply]:
    return [record for record in run.trajectory.records if isinstance(record, Reply)]


@settings(max_examples=60)
@given(runs())
def test_each_reply_is_learned_once_and_behind_what_it_was_asked_with(run: RunView) -> None:
    if not replies(run):
        with pytest.raises(Exception, match="No model was called"):
            list(chat.export([run]))
        return
    learned = []
    for row in lines(run, chat.export):
        messages = row["messages"]
        assert messages[-1]["role"] == "assistant"
        calls: set[str] = set()
        for at, message in enumerate(messages):
            assert "blocks" not in message
            named = [call["id"] for call in message.get("tool_calls", ())]
            assert len(named) == len(set(named))
            assert not calls & set(named)
            calls |= set(named)
            assert message["role"] != "tool" or message["tool_call_id"] in calls
            if message["role"] == "assistant" and message.get("weight") != 0:
                learned.append((said(messages[:at]), said([message])))
    wanted = []
    for branch in run.trajectory.last_replies:
        mine = [reply for reply in replies(run) if reply.branch == branch]
        for reply, messages in zip(mine, run.requests(branch), strict=True):
            calls_of = [[action.tool, json.dumps(action.arguments)] for action in reply.actions]
            wanted.append((said(messages), [["assistant", json.dumps(reply.text), calls_of]]))
    assert sorted(map(repr, learned)) == sorted(map(repr, wanted))


def said(messages: Any) -> list[list[Any]]:
    """Messages without what a line may number anew."""
    return [
        [
            message["role"],
            json.dumps(message["content"]),
            [[call["function"]["name"], call["function"]["arguments"]] for call in message.get("tool_calls", ())],
        ]
        for message in messages
    ]


@settings(max_examples=60)
@given(runs())
def test_trajectory_of_harbors_is_whole_and_refers_to_what_is_there(run: RunView) -> None:
    document = json.loads("".join(atif.export([run])))
    told = [check_atif(each, root=each is document) for each in every(document)]
    steps = [step["extra"]["step"] for document in told for step in document if step.get("extra", {}).get("step")]
    assert sorted(steps) == sorted(step.id for step in run.trajectory.all_steps())
    try:
        from harbor.utils.trajectory_validator import TrajectoryValidator
    except ImportError:
        return
    validator = TrajectoryValidator()
    assert validator.validate(document), validator.errors


def every(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [document, *(each for child in document.get("subagent_trajectories", ()) for each in every(child))]


def check_atif(document: dict[str, Any], root: bool) -> list[dict[str, Any]]:
    """RFC 0001, what of it concerns us; harbor's own models say the same where they are installed."""
    assert document["schema_version"] == "ATIF-v1.7"
    assert document["agent"].keys() >= {"name", "version"}
    assert root == ("final_metrics" in document)
    steps: list[dict[str, Any]] = document["steps"]
    assert [step["step_id"] for step in steps] == list(range(1, len(steps) + 1))
    assert steps
    references = []
    ids: list[str] = []
    for step in steps:
        assert isinstance(step["message"], str)
        calls = [call["tool_call_id"] for call in step.get("tool_calls", ())]
        ids += calls
        if step["source"] != "agent":
            assert not step.keys() & {"tool_calls", "metrics", "model_name", "reasoning_content"}
        elif step["llm_call_count"] == 0:
            assert not step.keys() & {"metrics", "reasoning_content"}
        for result in step.get("observation", {}).get("results", ()):
            assert result.get("source_call_id") in [None, *calls]
            references += [each["trajectory_id"] for each in result.get("subagent_trajectory_ref", ())]
    assert len(ids) == len(set(ids))
    children = [child["trajectory_id"] for child in document.get("subagent_trajectories", ())]
    assert sorted(references) == sorted(children)
    assert len(children) == len(set(children))
    return steps


@settings(max_examples=40)
@given(runs())
def test_swe_agents_file_has_step_for_each_and_says_all_in_order(run: RunView) -> None:
    document = json.loads("".join(swe_agent.export([run])))
    fields = {"action", "observation", "response", "thought", "state", "execution_time", "query", "extra_info"}
    assert all(step.keys() == fields for step in document["trajectory"])
    asked = [step for step in document["trajectory"] if step["query"]]
    assert len(asked) == len(replies(run))
    history = document["history"]
    assert [item["content"] for item in history if item["role"] == "assistant"] == [
        json.loads(json.dumps(step["response"])) for step in asked
    ]
    assert all(isinstance(item["action"], str) for item in history if item["role"] == "assistant")
    assert isinstance(document["info"]["model_stats"], dict)


@settings(max_examples=60)
@given(runs())
def test_rest_says_something_of_everything(run: RunView) -> None:
    text = "".join(markdown.export([run]))
    assert text.count("\n### ") >= len(run.trajectory.all_steps())
    text.encode()
    (row,) = lines(run, predictions.export)
    assert row.keys() == {"instance_id", "model_name_or_path", "model_patch"}
