"""Properties of every export format, for runs with random events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions.lab.exports import atif, chat, markdown, predictions, swe_agent
from tests.extensions.lab.exports.random_runs import Made
from trajectories.records import Action, Reply
from trajectories.trajectory import RunView

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
    builder = Made()
    for _ in range(draw(st.integers(0, 12))):
        branch = draw(BRANCHES)
        last_step = builder.steps.get(branch, 0)
        match draw(st.sampled_from(["ask", "ask", "ask", "say", "hand", "turn", "back", "rewind", "note", "fork"])):
            case "ask":
                actions = draw(st.lists(ACTIONS, max_size=3))
                outputs = [draw(TEXTS) for _ in range(draw(st.integers(0, max(1, len(actions)))))]
                builder.ask(draw(TEXTS), actions, outputs, branch, draw(st.sampled_from(["some/model", "other/one"])))
            case "say":
                builder.say(draw(TEXTS), branch, draw(st.sampled_from(["task", "user", "proof", "safety"])))
            case "hand":
                builder.by_hand(draw(TEXTS), draw(TEXTS))
            case "turn":
                builder.turn(draw(TEXTS), "build", draw(st.sampled_from(["", "You talk."])))
            case "back":
                builder.say("Back.", branch, "safety", back_to=draw(st.integers(0, last_step)))
            case "rewind":
                extra_data = {"told": True} if draw(st.booleans()) else {}
                builder.say("Again.", branch, "undo", rewind=draw(st.integers(0, last_step)), **extra_data)
            case "note":
                builder.note(draw(st.sampled_from(["phase", "score", "fallback"])), draw(TEXTS), branch)
            case "fork":
                builder.note("forked", "Forked from another.")
    if draw(st.booleans()):
        builder.end()
    return builder.material()


def lines(run: RunView, export: Callable[..., Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in "".join(export([run])).splitlines()]


def replies(run: RunView) -> list[Reply]:
    return [record for record in run.trajectory.records if isinstance(record, Reply)]


@pytest.mark.slow
@settings(max_examples=60)
@given(runs())
def test_chat_trains_each_reply_once_after_its_request(run: RunView) -> None:
    if not replies(run):
        with pytest.raises(Exception, match="No model was called"):
            list(chat.export([run]))
        return
    trained = []
    for row in lines(run, chat.export):
        messages = row["messages"]
        assert messages[-1]["role"] == "assistant"
        calls: set[str] = set()
        for position, message in enumerate(messages):
            assert "blocks" not in message
            call_ids = [call["id"] for call in message.get("tool_calls", ())]
            assert len(call_ids) == len(set(call_ids))
            assert not calls & set(call_ids)
            calls |= set(call_ids)
            assert message["role"] != "tool" or message["tool_call_id"] in calls
            if message["role"] == "assistant" and message.get("weight") != 0:
                trained.append((message_contents(messages[:position]), message_contents([message])))
    expected = []
    for branch in run.trajectory.last_replies:
        branch_replies = [reply for reply in replies(run) if reply.branch == branch]
        for reply, messages in zip(branch_replies, run.requests(branch), strict=True):
            calls_of = [[action.tool, json.dumps(action.arguments)] for action in reply.actions]
            expected.append((message_contents(messages), [["assistant", json.dumps(reply.text), calls_of]]))
    assert sorted(map(repr, trained)) == sorted(map(repr, expected))


def message_contents(messages: Any) -> list[list[Any]]:
    """Messages without the ids that a row may renumber."""
    return [
        [
            message["role"],
            json.dumps(message["content"]),
            [[call["function"]["name"], call["function"]["arguments"]] for call in message.get("tool_calls", ())],
        ]
        for message in messages
    ]


@pytest.mark.slow
@settings(max_examples=60)
@given(runs())
def test_atif_has_every_step_and_valid_references(run: RunView) -> None:
    document = json.loads("".join(atif.export([run])))
    documents = [check_atif(each, root=each is document) for each in all_documents(document)]
    steps = [step["extra"]["step"] for document in documents for step in document if step.get("extra", {}).get("step")]
    assert sorted(steps) == sorted(step.id for step in run.trajectory.all_steps())
    try:
        from harbor.utils.trajectory_validator import TrajectoryValidator
    except ImportError:
        return
    validator = TrajectoryValidator()
    assert validator.validate(document), validator.errors


def all_documents(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [document, *(each for child in document.get("subagent_trajectories", ()) for each in all_documents(child))]


def check_atif(document: dict[str, Any], root: bool) -> list[dict[str, Any]]:
    """Check the rules of RFC 0001 that the export uses; harbor's own models check the same where they are installed."""
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


@pytest.mark.slow
@settings(max_examples=40)
@given(runs())
def test_swe_agent_trajectory_has_all_replies_in_order(run: RunView) -> None:
    document = json.loads("".join(swe_agent.export([run])))
    fields = {"action", "observation", "response", "thought", "state", "execution_time", "query", "extra_info"}
    assert all(step.keys() == fields for step in document["trajectory"])
    reply_steps = [step for step in document["trajectory"] if step["query"]]
    assert len(reply_steps) == len(replies(run))
    history = document["history"]
    assert [item["content"] for item in history if item["role"] == "assistant"] == [
        json.loads(json.dumps(step["response"])) for step in reply_steps
    ]
    assert all(isinstance(item["action"], str) for item in history if item["role"] == "assistant")
    assert isinstance(document["info"]["model_stats"], dict)


@pytest.mark.slow
@settings(max_examples=60)
@given(runs())
def test_markdown_and_predictions_cover_every_step(run: RunView) -> None:
    text = "".join(markdown.export([run]))
    assert text.count("\n### ") >= len(run.trajectory.all_steps())
    text.encode()
    (row,) = lines(run, predictions.export)
    assert row.keys() == {"instance_id", "model_name_or_path", "model_patch"}
