"""Requests to a provider and their replies."""

from __future__ import annotations

import gc
import json
import threading
from dataclasses import replace
from types import GeneratorType

import pytest

from tests.agent.models.conftest import CHAT, CLAUDE, KEY, MESSAGES, RESPONSES, Load, exchange, get_reply
from tests.endpoint import Answer, Endpoint, Tokens
from trajectories.errors import Cancelled
from trajectories.records import Action, Usage

ALL_PROTOCOLS = pytest.mark.parametrize("name", [CHAT, CLAUDE, RESPONSES])
IMAGE = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.slow
@ALL_PROTOCOLS
def test_text_and_calls_are_streamed(load: Load, name: str) -> None:
    deltas: list[str] = []
    answer = Answer(text="I look at both.", actions=[("view", {"path": "a.py"}), ("view", {"path": "ü\n"})])
    with Endpoint([answer]) as endpoint:
        reply = get_reply(load(endpoint, name), delta=deltas.append)
    assert reply.text == "I look at both." == "".join(deltas)
    assert len(deltas) > 1
    assert [(action.tool, action.arguments, action.error) for action in reply.actions] == [
        ("view", {"path": "a.py"}, ""),
        ("view", {"path": "ü\n"}, ""),
    ]
    assert reply.model == name
    assert len({action.id for action in reply.actions}) == 2


@ALL_PROTOCOLS
def test_no_connection_is_left_to_garbage_collector(load: Load, name: str) -> None:
    """httpcore might otherwise close it under a lock that the same thread holds, and deadlock."""
    gc.collect()
    gc.disable()
    try:
        with Endpoint([Answer(text="I look.", actions=[("view", {"path": "a.py"})])]) as endpoint:
            get_reply(load(endpoint, name))
        generators = [
            item for item in gc.get_objects() if isinstance(item, GeneratorType) and item.gi_frame is not None
        ]
        bodies = [body for body in generators if body.gi_code.co_qualname == "PoolByteStream.__iter__"]
        assert all(body.gi_frame.f_locals["self"]._closed for body in bodies)
    finally:
        gc.enable()


@ALL_PROTOCOLS
def test_request_has_only_configured_options(load: Load, name: str) -> None:
    with Endpoint([Answer(text="ok")], key=KEY) as endpoint:
        get_reply(load(endpoint, name), max_output=321)
    (body,) = endpoint.asked
    assert body["stream"] is True
    assert 321 in (body.get("max_tokens"), body.get("max_output_tokens"))
    assert not {"temperature", "reasoning_effort", "reasoning", "thinking", "cache_control"} & body.keys()
    assert "Show a file." in json.dumps(body["tools"])


def test_configured_temperature_is_sent(load: Load) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        get_reply(load(endpoint, temperature=0.0))
    assert endpoint.asked[0]["temperature"] == 0


@ALL_PROTOCOLS
def test_usage_includes_cache_reads_and_writes(load: Load, name: str) -> None:
    with Endpoint([Answer(text="ok", usage=Tokens(100, 10, 40, 0 if name != CLAUDE else 20))]) as endpoint:
        reply = get_reply(load(endpoint, name))
    assert reply.usage == Usage(100, 10, 40, None, 0 if name != CLAUDE else 20)


@pytest.mark.parametrize("name", [CHAT, CLAUDE])
def test_missing_usage_is_none_not_estimated_by_litellm(load: Load, name: str) -> None:
    with Endpoint([Answer(text="ok", usage=None)]) as endpoint:
        assert get_reply(load(endpoint, name)).usage is None


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
def test_invalid_usage_becomes_none_and_reply_stays(load: Load, usage: dict) -> None:
    with Endpoint([Answer(text="ok", usage=usage)]) as endpoint:
        reply = get_reply(load(endpoint))
    assert (reply.text, reply.usage) == ("ok", None)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(
    ("figures", "expected"),
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
def test_larger_of_contradicting_figures_counts(load: Load, figures: dict, expected: Usage, streams: bool) -> None:
    usage = {"prompt_tokens": 32, "completion_tokens": 9, **figures}
    answer = Answer(text="ok", usage=usage)
    if not streams:
        choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
        body = json.dumps({"choices": [choice], "usage": usage}).encode()
        answer = Answer(raw=body, headers={"Content-Type": "application/json"})
    with Endpoint([answer]) as endpoint:
        assert get_reply(load(endpoint)).usage == expected


BIG = {"prompt_tokens": 500_000, "completion_tokens": 400_000, "total_tokens": 900_000}
SMALL = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
PARTIAL = {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 5}}


@pytest.mark.parametrize(
    ("usages", "expected"),
    [
        ([BIG, SMALL], Usage(500_000, 400_000)),
        ([SMALL, BIG], Usage(500_000, 400_000)),
        ([PARTIAL, SMALL], Usage(7, 1, 5)),
        ([{"prompt_tokens": 0, "completion_tokens": 0}, SMALL], Usage(1, 1)),
        ([{"prompt_tokens": 10**12, "completion_tokens": 1}, SMALL], None),
        ([SMALL, {"prompt_tokens": -1, "completion_tokens": 1}], None),
    ],
)
def test_largest_figures_of_several_usages_count(load: Load, usages: list[dict], expected: Usage) -> None:
    envelope = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": {"content": "ok"}, "finish_reason": None}
    chunks = [{"choices": [choice]}, {"choices": [choice | {"delta": {}, "finish_reason": "stop"}]}]
    chunks += [{"choices": [], "usage": usage} for usage in usages]
    frames = "".join(f"data: {json.dumps(envelope | chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    with Endpoint([Answer(raw=frames.encode(), headers={"Content-Type": "text/event-stream"})]) as endpoint:
        assert get_reply(load(endpoint)).usage == expected


LONG = "def add(a, b): return a + b  # the sum\n" * 500
"""18,500 characters; each run of the same character counts once."""


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
def test_implausibly_small_usage_is_estimated(load: Load, answer: Answer, output: int, stated: int | None) -> None:
    with Endpoint([replace(answer, usage=SMALL)]) as endpoint:
        assert get_reply(load(endpoint)).usage == Usage(1, output, stated_output=stated)


def test_cost_with_implausible_usage_is_ignored(load: Load) -> None:
    with Endpoint([Answer(text=LONG, usage={**SMALL, "cost": 0.0})]) as endpoint:
        usage = get_reply(load(endpoint, "openrouter/qwen/some-model")).usage
    assert usage == Usage(1, 579, dollars=None, stated_output=1)


def test_usage_of_message_start_counts(load: Load) -> None:
    """`message_start` states the input; `message_delta` may or may not repeat it."""
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
        assert get_reply(load(endpoint, CLAUDE)).usage == Usage(5030, 4000, 30)


def test_only_cost_stated_by_openrouter_counts(load: Load) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "cost": 0.25}
    with Endpoint([Answer(text="ok", usage=usage)] * 2) as endpoint:
        paid = get_reply(load(endpoint, "openrouter/qwen/some-model")).usage
        other = get_reply(load(endpoint)).usage
    assert paid
    assert paid.dollars == 0.25
    assert other
    assert other.dollars is None


def test_unstreamed_reply_is_read(load: Load) -> None:
    deltas: list[str] = []
    message = {"role": "assistant", "content": "whole", "tool_calls": [_call("view", '{"path": "a"}')]}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    body["usage"] = {"prompt_tokens": 7, "completion_tokens": 2}
    raw = json.dumps(body).encode()
    with Endpoint([Answer(raw=raw, headers={"Content-Type": "application/json"})]) as endpoint:
        reply = get_reply(load(endpoint), delta=deltas.append)
    assert (reply.text, reply.usage, deltas) == ("whole", Usage(7, 2), ["whole"])
    assert reply.actions == (Action("view", {"path": "a"}, "call_1"),)


def _call(name: str, arguments: str) -> dict:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.slow
def test_two_hundred_calls_are_read(load: Load) -> None:
    with Endpoint([Answer(actions=[("view", {"path": str(n)}) for n in range(200)])]) as endpoint:
        reply = get_reply(load(endpoint))
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
def test_invalid_arguments_set_error_of_action(load: Load, arguments: str, error: str) -> None:
    with Endpoint([Answer(actions=[("view", arguments)])]) as endpoint:
        (action,) = get_reply(load(endpoint)).actions
    assert (action.tool, action.arguments) == ("view", {})
    assert error in action.error


def test_missing_arguments_are_empty(load: Load) -> None:
    with Endpoint([Answer(actions=[("submit", "")])]) as endpoint:
        (action,) = get_reply(load(endpoint)).actions
    assert (action.tool, action.arguments, action.error) == ("submit", {}, "")


@ALL_PROTOCOLS
def test_truncated_call_reports_max_output(load: Load, name: str) -> None:
    with Endpoint([Answer(actions=[("view", '{"path": "a')], finish="length")]) as endpoint:
        (action,) = get_reply(load(endpoint, name), max_output=100).actions
    assert "cut at max_output, 100 tokens" in action.error


def test_missing_and_duplicate_call_ids_are_replaced(load: Load) -> None:
    calls = [{"index": n, "id": "", "function": {"name": "view", "arguments": "{}"}} for n in range(2)]
    calls += [{"index": n + 2, "id": "same", "function": {"name": "view", "arguments": "{}"}} for n in range(2)]
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "hand"}
    delta = {"index": 0, "delta": {"role": "assistant", "tool_calls": calls}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
    frames = [f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n" for choice in (delta, end)]
    with Endpoint([Answer(raw="".join([*frames, "data: [DONE]\n\n"]).encode())]) as endpoint:
        reply = get_reply(load(endpoint))
    ids = [action.id for action in reply.actions]
    assert len(set(ids)) == 4
    assert "same" in ids
    assert all(ids)


@ALL_PROTOCOLS
def test_conversation_is_sent_back(load: Load, name: str) -> None:
    first = Answer(text="I look.", actions=[("view", {"path": "a.py"}), ("view", {"path": "b.py"})])
    with Endpoint([first, Answer(text="Done.")]) as endpoint:
        model = load(endpoint, name)
        reply = get_reply(model)
        assert get_reply(model, [*MESSAGES, *exchange(reply, "one", "two")]).text == "Done."
    sent = json.dumps(endpoint.asked[1])
    for word in ("Be brief.", "Fix add().", "I look.", "a.py", "b.py", "one", "two", reply.actions[1].id):
        assert word in sent


@pytest.mark.parametrize("name", [CHAT, CLAUDE])
def test_conversation_continues_after_empty_reply(load: Load, name: str) -> None:
    with Endpoint([Answer(), Answer(text="Sorry.")]) as endpoint:
        model = load(endpoint, name)
        empty = get_reply(model)
        assert (empty.text, empty.actions) == ("", ())
        messages = [*MESSAGES, {"role": "assistant", "content": ""}, {"role": "user", "content": "Go on."}]
        assert get_reply(model, messages).text == "Sorry."
    assert "sanitised" not in json.dumps(endpoint.asked[1])


@ALL_PROTOCOLS
def test_blank_text_beside_calls_is_omitted(load: Load, name: str) -> None:
    with Endpoint([Answer(text="\n\n", actions=[("view", {"path": "a"})]), Answer(text="ok")]) as endpoint:
        model = load(endpoint, name)
        reply = get_reply(model)
        get_reply(model, [*MESSAGES, *exchange(reply, " \n")])
    sent = json.dumps(endpoint.asked[1])
    assert "\\n\\n" not in sent
    assert '" \\n"' not in sent


@pytest.mark.parametrize("name", [CHAT, CLAUDE])
def test_blank_text_alone_becomes_placeholder(load: Load, name: str) -> None:
    messages = [*MESSAGES, {"role": "assistant", "content": "\n\n"}, {"role": "user", "content": "Go on."}]
    with Endpoint([Answer(text="ok")]) as endpoint:
        get_reply(load(endpoint, name), messages)
    assert "(nothing)" in json.dumps(endpoint.asked[0])


@ALL_PROTOCOLS
def test_invalid_tool_names_are_replaced_when_sent_back(load: Load, name: str) -> None:
    calls = [("functions.view run", {}), ("x" * 100, {})]
    with Endpoint([Answer(actions=calls), Answer(text="ok")]) as endpoint:
        model = load(endpoint, name)
        reply = get_reply(model)
        messages = exchange(reply, "no such tool", "none")
        messages[0]["tool_calls"][1]["function"]["name"] = ""
        get_reply(model, [*MESSAGES, *messages])
    sent = json.dumps(endpoint.asked[1])
    assert '"functions_view_run"' in sent
    assert '"name": "_"' in sent
    assert "functions.view" not in sent


@pytest.mark.parametrize("name", [CHAT, RESPONSES])
def test_refusal_is_read_as_text(load: Load, name: str) -> None:
    with Endpoint([Answer(text="I cannot do that.", finish="refusal")]) as endpoint:
        assert get_reply(load(endpoint, name)).text == "I cannot do that."


@ALL_PROTOCOLS
def test_images_are_sent(load: Load, name: str) -> None:
    parts = [{"type": "text", "text": "See."}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    with Endpoint([Answer(text="I see.")]) as endpoint:
        model = load(endpoint, name, images=True)
        get_reply(model, [MESSAGES[0], {"role": "user", "content": parts}])
    assert model.images
    assert IMAGE.partition(",")[2] in json.dumps(endpoint.asked[0])


@ALL_PROTOCOLS
def test_cancelling_ends_stream(load: Load, name: str) -> None:
    cancel = threading.Event()
    with Endpoint([Answer(text="a long story", slow=0.05)]) as endpoint, pytest.raises(Cancelled):
        get_reply(load(endpoint, name), cancel=cancel, delta=lambda _: cancel.set())


@pytest.mark.parametrize(("effort", "sent"), [("low", "low"), ("high", "high"), ("", None)])
def test_effort_is_sent_to_reasoning_models(load: Load, effort: str, sent: str | None) -> None:
    with Endpoint([Answer(text="ok")] * 3) as endpoint:
        get_reply(load(endpoint, "openai/gpt-5", settings={"effort": effort}))
        get_reply(load(endpoint, RESPONSES, settings={"effort": effort}))
        get_reply(load(endpoint, CHAT, settings={"effort": effort}))
    chat, responses, unknown = endpoint.asked
    assert chat.get("reasoning_effort") == sent
    assert (responses.get("reasoning") or {}).get("effort") == sent
    assert "reasoning_effort" not in unknown


def test_effort_of_model_table_is_sent_to_any_model(load: Load) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        get_reply(load(endpoint, effort="high"))
    assert endpoint.asked[0]["reasoning_effort"] == "high"


@pytest.mark.parametrize(("max_output", "budget"), [(20_000, 4096), (5000, 2048), (2100, 1024), (2000, None)])
def test_thinking_budget_fits_max_output(load: Load, max_output: int, budget: int | None) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        get_reply(load(endpoint, CLAUDE, settings={"effort": "high"}), max_output=max_output)
    assert (endpoint.asked[0].get("thinking") or {}).get("budget_tokens") == budget


def test_tools_field_is_omitted_without_tools(load: Load) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        get_reply(load(endpoint), tools=())
    assert "tools" not in endpoint.asked[0]
