"""The caller of an environment as a model: its actions as replies."""

from __future__ import annotations

from typing import Any

import pytest

from agent.config.settings import Settings
from agent.models.base import RequestOptions, load_model
from extensions.lab.models.caller import decode_action
from tools.base import Toolbox
from trajectories.errors import ModelError, UsageError
from trajectories.records import Action

TOOLS = Toolbox(["view", "edit"]).schemas()


def decode(action: Any) -> tuple[str, tuple[Action, ...]]:
    reply = decode_action(action, TOOLS, "caller:policy")
    return reply.text, reply.actions


def calls(*given: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(given)}


def call(arguments: Any, name: str = "view", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


@pytest.mark.slow
def test_text_may_contain_written_calls() -> None:
    assert decode("Just words.") == ("Just words.", ())
    text, (action,) = decode("Look.\n```call view\npath: a.py\n```")
    assert (text, action.tool, action.arguments) == ("Look.", "view", {"path": "a.py"})


@pytest.mark.slow
def test_calls_of_message_keep_their_order_and_ids() -> None:
    text, actions = decode(calls(call('{"path": "a"}', id="x"), call({"path": "b"})))
    assert text == ""
    assert actions == (Action("view", {"path": "a"}, "x"), Action("view", {"path": "b"}, ""))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (call("{not json"), "the arguments are not JSON"),
        (call("[1]"), "the arguments must be an object, not list"),
        (call([1]), "the arguments must be an object, not list"),
        (call({"x": float("nan")}), "the arguments are not JSON: JSON has no NaN"),
        ({"name": "view"}, "the call names no function"),
        ("view", "the call names no function"),
        (None, "the call names no function"),
        (call("{}", name=None), "the call names no function"),
    ],
    ids=str,
)
def test_unusable_call_becomes_action_with_error(wrong: Any, error: str) -> None:
    _, (action,) = decode(calls(wrong))
    assert action.error.startswith(error)
    assert action.arguments == {}


@pytest.mark.parametrize(
    "action", [None, 3, {"role": "user", "content": "x"}, {"content": 3}, {"tool_calls": {"a": 1}}, []]
)
def test_action_that_is_no_reply_is_usage_error(action: Any) -> None:
    with pytest.raises(UsageError, match="An action"):
        decode(action)


def test_caller_without_program_has_no_reply() -> None:
    model = load_model("caller:policy", Settings())
    assert (model.name, model.price and model.price.input) == ("caller:policy", 0.0)
    with pytest.raises(ModelError, match=r"come from a program that uses swe_agent\.gym") as caught:
        model.reply([], [], RequestOptions("main", 1, 100))
    assert (caught.value.retryable, caught.value.billed) == (False, False)
