"""A conversation with a model: what leaves, what comes back."""

from __future__ import annotations

import gc
import json
import threading
from dataclasses import replace
from types import GeneratorType

import pytest

from tests.agent.models.conftest import CHAT, CLAUDE, KEY, RESPONSES, SAID, Load, ask, exchange
from tests.endpoint import Answer, Endpoint, Tokens
from trajectories.errors import Cancelled
from trajectories.records import Action, Usage

ALL = pytest.mark.parametrize("name", [CHAT, CLAUDE, RESPONSES])
PICTURE = "data:image/png;base64,iVBORw0KGgo="


@ALL
def test_text_and_calls_come_back_and_stream(load: Load, name: str) -> None:
    heard: list[str] = []
    answer = Answer(text="I look at both.", actions=[("view", {"path": "a.py"}), ("view", {"path": "ü\n"})])
    with Endpoint([answer]) as endpoint:
        reply = ask(load(endpoint, name), delta=heard.append)
    assert reply.text == "I look at both." == "".join(heard)
    assert len(heard) > 1
    assert [(action.tool, action.arguments, action.error) for action in reply.actions] == [
        ("view", {"path": "a.py"}, ""),
        ("view", {"path": "ü\n"}, ""),
    ]
    assert reply.model == name
    assert len({action.id for action in reply.actions}) == 2


@ALL
def test_no_open_connection_is_left_to_garbage_collector(load: Load, name: str) -> None:
    """httpcore may then close it under a lock that its own thread holds, and wait for ever."""
    gc.collect()
    gc.disable()
    try:
        with Endpoint([Answer(text="I look.", actions=[("view", {"path": "a.py"})])]) as endpoint:
            ask(load(endpoint, name))
        left = [one for one in gc.get_objects() if isinstance(one, GeneratorType) and one.gi_frame is not None]
        bodies = [one for one in left if one.gi_code.co_qualname == "PoolByteStream.__iter__"]
        assert all(one.gi_frame.f_locals["self"]._closed for one in bodies)
    finally:
        gc.enable()


@ALL
def test_one_request_with_what_was_asked_for(load: Load, name: str) -> None:
    with Endpoint([Answer(text="ok")], key=KEY) as endpoint:
        ask(load(endpoint, name), max_output=321)
    (body,) = endpoint.asked
    assert body["stream"] is True
    assert 321 in (body.get("max_tokens"), body.get("max_output_tokens"))
    assert not {"temperature", "reasoning_effort", "reasoning", "thinking", "cache_control"} & body.keys()
    assert "Show a file." in json.dumps(body["tools"])


def test_users_temperature_is_sent(load: Load) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        ask(load(endpoint, temperature=0.0))
    assert endpoint.asked[0]["temperature"] == 0


@ALL
def test_usage_counts_what_was_cached_and_written(load: Load, name: str) -> None:
    with Endpoint([Answer(text="ok", usage=Tokens(100, 10, 40, 0 if name != CLAUDE else 20))]) as endpoint:
        reply = ask(load(endpoint, name))
    assert reply.usage == Usage(100, 10, 40, None, 0 if name != CLAUDE else 20)


@pytest.mark.parametrize("name", [CHAT, CLAUDE])
def test_no_usage_is_none_and_not_litellms_guess(load: Load, name: str) -> None:
    with Endpoint([Answer(text="ok", usage=None)]) as endpoint:
        assert ask(load(endpoint, name)).usage is None


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"prompt_tokens": -5, "completion_tokens": 3},
        {"prompt_tokens": "many", "completion_tokens": 3},
        {"prompt_tokens": 1.5, "completion_tokens": 3},
        {"prompt_tokens": 5, "completion_tokens": 3e30},
        {"prompt_tokens": 10**12, "completion_tokens": 3},
        {"prompt_tokens": True, "completion_tokens": 3},
        {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": -1},
        {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 10**12},
        {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": "many"},
        {"prompt_tokens": 5, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": -7}},
        {"prompt_tokens": 5, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 0.5}},
        {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": -99}},
        {"prompt_tokens": None, "completion_tokens": 3, "total_tokens": 8},
        {"prompt_tokens": 5, "total_tokens": 8},
        {"prompt_tokens": 5, "completion_tokens": None, "total_tokens": 8},
    ],
)
def test_absurd_usage_is_none_and_reply_is_kept(load: Load, usage: dict) -> None:
    with Endpoint([Answer(text="ok", usage=usage)]) as endpoint:
        reply = ask(load(endpoint))
    assert (reply.text, reply.usage) == ("ok", None)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ({"total_tokens": 50041, "completion_tokens_details": {"reasoning_tokens": 50000}}, Usage(32, 50009)),
        ({"total_tokens": 50041}, Usage(32, 50009)),
        ({"completion_tokens_details": {"reasoning_tokens": 50000}}, Usage(32, 50000)),
        ({"total_tokens": 3}, Usage(32, 9)),
        ({"total_tokens": 0, "completion_tokens_details": None}, Usage(32, 9)),
        ({"total_tokens": None, "completion_tokens_details": {"reasoning_tokens": None}}, Usage(32, 9)),
        ({"prompt_tokens_details": {"cached_tokens": 99}}, Usage(99, 9, 99)),
        ({"prompt_tokens_details": {"cached_tokens": 99}, "total_tokens": 140}, Usage(99, 41, 99)),
        ({"prompt_tokens_details": {"cached_tokens": 30, "cache_creation_tokens": 9}}, Usage(39, 9, 30, None, 9)),
    ],
)
def test_of_figures_that_contradict_each_other_larger_one_counts(
    load: Load, said: dict, counted: Usage, streams: bool
) -> None:
    usage = {"prompt_tokens": 32, "completion_tokens": 9, **said}
    answer = Answer(text="ok", usage=usage)
    if not streams:
        choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
        body = json.dumps({"choices": [choice], "usage": usage}).encode()
        answer = Answer(raw=body, headers={"Content-Type": "application/json"})
    with Endpoint([answer]) as endpoint:
        assert ask(load(endpoint)).usage == counted


BIG = {"prompt_tokens": 500_000, "completion_tokens": 400_000, "total_tokens": 900_000}
SMALL = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
PARTIAL = {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 5}}


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ([BIG, SMALL], Usage(500_000, 400_000)),
        ([SMALL, BIG], Usage(500_000, 400_000)),
        ([PARTIAL, SMALL], Usage(7, 1, 5)),
        ([{"prompt_tokens": 0, "completion_tokens": 0}, SMALL], Usage(1, 1)),
        ([{"prompt_tokens": 10**12, "completion_tokens": 1}, SMALL], None),
        ([SMALL, {"prompt_tokens": -1, "completion_tokens": 1}], None),
    ],
)
def test_of_several_usage_objects_largest_figures_count(load: Load, said: list[dict], counted: Usage) -> None:
    envelope = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": {"content": "ok"}, "finish_reason": None}
    chunks = [{"choices": [choice]}, {"choices": [choice | {"delta": {}, "finish_reason": "stop"}]}]
    chunks += [{"choices": [], "usage": usage} for usage in said]
    frames = "".join(f"data: {json.dumps(envelope | chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    with Endpoint([Answer(raw=frames.encode(), headers={"Content-Type": "text/event-stream"})]) as endpoint:
        assert ask(load(endpoint)).usage == counted


LONG = "def add(a, b): return a + b  # the sum\n" * 500
"""18,500 characters, where runs of one count once."""


@pytest.mark.parametrize(
    ("answer", "output", "stated"),
    [
        (Answer(text=LONG), 579, 1),
        (Answer(text="ok", reasoning=LONG), 579, 1),
        (Answer(text="ok", actions=[("view", {"path": LONG})]), 595, 1),
        (Answer(text="ok" + " " * 19_500), 1, None),
        (Answer(text="=" * 100_000), 1, None),
        (Answer(text="a reply of 32 characters or fewer"[:32]), 1, None),
    ],
    ids=["text", "reasoning", "arguments", "spaces", "a line", "short"],
)
def test_usage_too_small_for_reply_is_replaced_by_estimate(
    load: Load, answer: Answer, output: int, stated: int | None
) -> None:
    with Endpoint([replace(answer, usage=SMALL)]) as endpoint:
        assert ask(load(endpoint)).usage == Usage(1, output, stated_output=stated)


def test_dollars_are_not_believed_beside_too_few_tokens(load: Load) -> None:
    with Endpoint([Answer(text=LONG, usage={**SMALL, "cost": 0.0})]) as endpoint:
        usage = ask(load(endpoint, "openrouter/qwen/some-model")).usage
    assert usage == Usage(1, 579, dollars=None, stated_output=1)


def test_claudes_first_figures_are_not_lost(load: Load) -> None:
    """`message_start` states the input, and `message_delta` repeats it, or not."""
    message = {"id": "1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
    started = {"input_tokens": 5000, "output_tokens": 4000, "cache_read_input_tokens": 30}
    events = [
        {"type": "message_start", "message": message | {"usage": started}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    frames = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events)
    with Endpoint([Answer(raw=frames.encode(), headers={"Content-Type": "text/event-stream"})]) as endpoint:
        assert ask(load(endpoint, CLAUDE)).usage == Usage(5030, 4000, 30)


def test_openrouters_own_figure_is_taken_and_no_other(load: Load) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "cost": 0.25}
    with Endpoint([Answer(text="ok", usage=usage)] * 2) as endpoint:
        paid = ask(load(endpoint, "openrouter/qwen/some-model")).usage
        other = ask(load(endpoint)).usage
    assert paid
    assert paid.dollars == 0.25
    assert other
    assert other.dollars is None


def test_server_that_does_not_stream(load: Load) -> None:
    heard: list[str] = []
    message = {"role": "assistant", "content": "whole", "tool_calls": [_call("view", '{"path": "a"}')]}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    body["usage"] = {"prompt_tokens": 7, "completion_tokens": 2}
    raw = json.dumps(body).encode()
    with Endpoint([Answer(raw=raw, headers={"Content-Type": "application/json"})]) as endpoint:
        reply = ask(load(endpoint), delta=heard.append)
    assert (reply.text, reply.usage, heard) == ("whole", Usage(7, 2), ["whole"])
    assert reply.actions == (Action("view", {"path": "a"}, "call_1"),)


def _call(name: str, arguments: str) -> dict:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.slow
def test_two_hundred_calls(load: Load) -> None:
    with Endpoint([Answer(actions=[("view", {"path": str(n)}) for n in range(200)])]) as endpoint:
        reply = ask(load(endpoint))
    assert [action.arguments["path"] for action in reply.actions] == [str(n) for n in range(200)]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ('{"path": "a.py"', "the arguments are not JSON"),
        ("[" * 100_000, "the arguments are not JSON"),
        ('{"path": ' + "[" * 700 + "]" * 700 + "}", "nested more than 50 levels deep"),
        ('{"path": NaN}', "JSON has no NaN"),
        ('{"path": -Infinity}', "JSON has no -Infinity"),
        ('{"path": 1e999}', "1e999 is too large"),
        ('["a.py"]', "must be an object, not list"),
        ("null", "must be an object, not NoneType"),
    ],
)
def test_arguments_that_cannot_be_read(load: Load, arguments: str, error: str) -> None:
    with Endpoint([Answer(actions=[("view", arguments)])]) as endpoint:
        (action,) = ask(load(endpoint)).actions
    assert (action.tool, action.arguments) == ("view", {})
    assert error in action.error


def test_no_arguments_at_all_are_none(load: Load) -> None:
    with Endpoint([Answer(actions=[("submit", "")])]) as endpoint:
        (action,) = ask(load(endpoint)).actions
    assert (action.tool, action.arguments, action.error) == ("submit", {}, "")


@ALL
def test_half_call_says_that_it_was_cut(load: Load, name: str) -> None:
    with Endpoint([Answer(actions=[("view", '{"path": "a')], finish="length")]) as endpoint:
        (action,) = ask(load(endpoint, name), max_output=100).actions
    assert "cut at max_output, 100 tokens" in action.error


def test_calls_without_ids_or_with_same_get_their_own(load: Load) -> None:
    calls = [{"index": n, "id": "", "function": {"name": "view", "arguments": "{}"}} for n in range(2)]
    calls += [{"index": n + 2, "id": "same", "function": {"name": "view", "arguments": "{}"}} for n in range(2)]
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "hand"}
    delta = {"index": 0, "delta": {"role": "assistant", "tool_calls": calls}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
    frames = [f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n" for choice in (delta, end)]
    with Endpoint([Answer(raw="".join([*frames, "data: [DONE]\n\n"]).encode())]) as endpoint:
        reply = ask(load(endpoint))
    ids = [action.id for action in reply.actions]
    assert len(set(ids)) == 4
    assert "same" in ids
    assert all(ids)


@ALL
def test_what_was_said_goes_back(load: Load, name: str) -> None:
    first = Answer(text="I look.", actions=[("view", {"path": "a.py"}), ("view", {"path": "b.py"})])
    with Endpoint([first, Answer(text="Done.")]) as endpoint:
        model = load(endpoint, name)
        reply = ask(model)
        assert ask(model, [*SAID, *exchange(reply, "one", "two")]).text == "Done."
    sent = json.dumps(endpoint.asked[1])
    for word in ("Be brief.", "Mend add().", "I look.", "a.py", "b.py", "one", "two", reply.actions[1].id):
        assert word in sent


@pytest.mark.parametrize("name", [CHAT, CLAUDE])
def test_empty_reply_can_be_answered(load: Load, name: str) -> None:
    with Endpoint([Answer(), Answer(text="Sorry.")]) as endpoint:
        model = load(endpoint, name)
        empty = ask(model)
        assert (empty.text, empty.actions) == ("", ())
        said = [*SAID, {"role": "assistant", "content": ""}, {"role": "user", "content": "Go on."}]
        assert ask(model, said).text == "Sorry."
    assert "sanitised" not in json.dumps(endpoint.asked[1])


@ALL
def test_blank_text_beside_calls_is_left_out(load: Load, name: str) -> None:
    with Endpoint([Answer(text="\n\n", actions=[("view", {"path": "a"})]), Answer(text="ok")]) as endpoint:
        model = load(endpoint, name)
        reply = ask(model)
        ask(model, [*SAID, *exchange(reply, " \n")])
    sent = json.dumps(endpoint.asked[1])
    assert "\\n\\n" not in sent
    assert '" \\n"' not in sent


@pytest.mark.parametrize("name", [CHAT, CLAUDE])
def test_blank_text_alone_is_said_to_be_nothing(load: Load, name: str) -> None:
    said = [*SAID, {"role": "assistant", "content": "\n\n"}, {"role": "user", "content": "Go on."}]
    with Endpoint([Answer(text="ok")]) as endpoint:
        ask(load(endpoint, name), said)
    assert "(nothing)" in json.dumps(endpoint.asked[0])


@ALL
def test_calls_of_what_can_be_no_tool_go_back_under_name(load: Load, name: str) -> None:
    calls = [("functions.view run", {}), ("x" * 100, {})]
    with Endpoint([Answer(actions=calls), Answer(text="ok")]) as endpoint:
        model = load(endpoint, name)
        reply = ask(model)
        said = exchange(reply, "no such tool", "none")
        said[0]["tool_calls"][1]["function"]["name"] = ""
        ask(model, [*SAID, *said])
    sent = json.dumps(endpoint.asked[1])
    assert '"functions_view_run"' in sent
    assert '"name": "_"' in sent
    assert "functions.view" not in sent


@pytest.mark.parametrize("name", [CHAT, RESPONSES])
def test_refusal_is_reply(load: Load, name: str) -> None:
    with Endpoint([Answer(text="I cannot do that.", finish="refusal")]) as endpoint:
        assert ask(load(endpoint, name)).text == "I cannot do that."


@ALL
def test_pictures(load: Load, name: str) -> None:
    parts = [{"type": "text", "text": "See."}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    with Endpoint([Answer(text="I see.")]) as endpoint:
        model = load(endpoint, name, images=True)
        ask(model, [SAID[0], {"role": "user", "content": parts}])
    assert model.images
    assert PICTURE.partition(",")[2] in json.dumps(endpoint.asked[0])


@ALL
def test_cancelling_ends_stream(load: Load, name: str) -> None:
    cancel = threading.Event()
    with Endpoint([Answer(text="a long story", slow=0.05)]) as endpoint, pytest.raises(Cancelled):
        ask(load(endpoint, name), cancel=cancel, delta=lambda _: cancel.set())


@pytest.mark.parametrize(("wanted", "sent"), [("low", "low"), ("high", "high"), ("", None)])
def test_effort_goes_to_models_that_reason(load: Load, wanted: str, sent: str | None) -> None:
    with Endpoint([Answer(text="ok")] * 3) as endpoint:
        ask(load(endpoint, "openai/gpt-5", settings={"effort": wanted}))
        ask(load(endpoint, RESPONSES, settings={"effort": wanted}))
        ask(load(endpoint, CHAT, settings={"effort": wanted}))
    chat, responses, unknown = endpoint.asked
    assert chat.get("reasoning_effort") == sent
    assert (responses.get("reasoning") or {}).get("effort") == sent
    assert "reasoning_effort" not in unknown


def test_effort_of_table_goes_to_any_model(load: Load) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        ask(load(endpoint, effort="high"))
    assert endpoint.asked[0]["reasoning_effort"] == "high"


@pytest.mark.parametrize(("max_output", "budget"), [(20_000, 4096), (5000, 2048), (2100, 1024), (2000, None)])
def test_claude_thinks_no_longer_than_it_may_write(load: Load, max_output: int, budget: int | None) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        ask(load(endpoint, CLAUDE, settings={"effort": "high"}), max_output=max_output)
    assert (endpoint.asked[0].get("thinking") or {}).get("budget_tokens") == budget


def test_no_tools_are_offered_where_there_are_none(load: Load) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        ask(load(endpoint), tools=())
    assert "tools" not in endpoint.asked[0]
