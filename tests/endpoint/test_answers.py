"""Tests of the endpoint with litellm as client: answers are understood, and requests are recorded as sent."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as HTTPRequest
from urllib.request import urlopen

import pytest

from tests.endpoint import Answer, Endpoint, Request, Rule, rules
from tests.endpoint.conftest import (
    DONE,
    IGNORED,
    LOOK,
    QUESTION,
    ROOT,
    TOOL,
    Client,
    continue_conversation,
    each_protocol,
    streamed_or_not,
    thinking,
    tool_calls,
)
from tests.endpoint.messages import signature

pytestmark = IGNORED


# Answers


@pytest.mark.slow
@each_protocol
@streamed_or_not
def test_text_calls_and_usage_are_received(make_client: Any, protocol: str, stream: bool) -> None:
    client = make_client(protocol, [LOOK], stream)
    reply = client.complete()
    assert reply.choices[0].message.content == LOOK.text
    assert tool_calls(reply) == list(LOOK.actions)
    assert len({call.id for call in reply.choices[0].message.tool_calls}) == 2
    assert reply.choices[0].finish_reason == "tool_calls"
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens) == (100, 20, 40)
    if protocol == "messages":
        assert usage.prompt_tokens_details.cache_creation_tokens == 10
    assert len(client.endpoint.requests) == 1


@each_protocol
@streamed_or_not
@pytest.mark.parametrize(("finish", "expected"), [("length", "length"), ("content_filter", "content_filter")])
def test_finish_reason_is_received(make_client: Any, protocol: str, stream: bool, finish: str, expected: str) -> None:
    reply = make_client(protocol, [Answer(text="So", finish=finish)], stream).complete()
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("So", expected)


@each_protocol
@streamed_or_not
def test_comments_and_pauses_in_stream_are_ignored(make_client: Any, protocol: str, stream: bool) -> None:
    client = make_client(protocol, [Answer(**{**fields(LOOK), "keepalive": True, "slow": 0.001})], stream)
    assert tool_calls(client.complete()) == list(LOOK.actions)


def fields(answer: Answer) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in Answer.__slots__}


@pytest.mark.slow
@each_protocol
@streamed_or_not
def test_two_hundred_calls_are_received(make_client: Any, protocol: str, stream: bool) -> None:
    many = [("view", {"path": f"{at}.py"}) for at in range(200)]
    assert tool_calls(make_client(protocol, [Answer(actions=many)], stream).complete()) == many


# Opaque blocks of providers

SIGNED = {"type": "thinking", "thinking": "First — ü\n", "signature": "EqoB+/=="}
REDACTED = {"type": "redacted_thinking", "data": "EmwK+/=="}
LAST = {"type": "thinking", "thinking": "", "signature": "Only+/=="}


@streamed_or_not
def test_signed_thinking_is_passed_byte_for_byte(make_client: Any, stream: bool) -> None:
    blocks = [SIGNED, REDACTED, LAST]
    client = make_client("messages", [Answer(text="Look.", blocks=blocks, actions=LOOK.actions), DONE], stream)
    reply = client.complete()
    assert thinking(client, reply) == blocks
    client.complete(continue_conversation(reply, thinking_blocks=thinking(client, reply)))
    sent = client.endpoint.asked[1]["messages"][1]["content"]
    assert sent[:3] == blocks
    assert [block["type"] for block in sent[3:]] == ["text", "tool_use", "tool_use"]


@streamed_or_not
def test_visible_reasoning_is_signed_in_messages(make_client: Any, stream: bool) -> None:
    client = make_client("messages", [Answer(reasoning="Hmm — ü", text="x")], stream)
    (block,) = thinking(client, client.complete())
    assert block == {"type": "thinking", "thinking": "Hmm — ü", "signature": signature("Hmm — ü")}


@streamed_or_not
def test_visible_reasoning_is_passed_in_chat(make_client: Any, stream: bool) -> None:
    client = make_client("chat", [Answer(reasoning="Hmm — ü", text="x"), DONE], stream)
    reply = client.complete()
    assert reply.choices[0].message.reasoning_content == "Hmm — ü"
    client.complete(continue_conversation(reply, reasoning_content="Hmm — ü"))
    assert client.endpoint.asked[1]["messages"][1]["reasoning_content"] == "Hmm — ü"


def encrypted_item(name: str, *summary: str) -> dict[str, Any]:
    parts = [{"type": "summary_text", "text": text} for text in summary]
    return {"type": "reasoning", "id": name, "summary": parts, "encrypted_content": f"gAAA+/{name}=="}


STATELESS = {"store": False, "include": ["reasoning.encrypted_content"]}


# Without a stream, litellm keeps only the last of several items.
@pytest.mark.parametrize(
    ("stream", "items"),
    [(False, [encrypted_item("rs_1", "Why")]), (True, [encrypted_item("rs_1", "Why — ü"), encrypted_item("rs_2")])],
)
def test_encrypted_reasoning_is_passed_unchanged(make_client: Any, stream: bool, items: list[dict[str, Any]]) -> None:
    client = make_client("responses", [Answer(text="Look.", blocks=items, actions=LOOK.actions), DONE], stream)
    reply = client.complete(**STATELESS)
    if stream:
        deltas = [chunk.choices[0].delta for chunk in client.chunks if chunk.choices]
        received = [item for delta in deltas for item in getattr(delta, "reasoning_items", None) or []]
    else:
        received = reply.choices[0].message.reasoning_items
    assert received == items
    client.complete(continue_conversation(reply, reasoning_items=received), **STATELESS)
    first, second = client.endpoint.asked
    assert (first["store"], first["include"]) == (False, ["reasoning.encrypted_content"])
    assert [item for item in second["input"] if item["type"] == "reasoning"] == items
    kinds = [item["type"] for item in second["input"]][1 + len(items) :]
    assert kinds == ["message", "function_call", "function_call", "function_call_output", "function_call_output"]


def test_encrypted_content_is_sent_only_on_request(make_client: Any) -> None:
    reply = make_client("responses", [Answer(text="x", reasoning="Why")]).complete()
    assert not reply.choices[0].message.reasoning_items[0].get("encrypted_content")


# Requests

CACHE_CONTROL = {"type": "ephemeral"}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def test_cache_control_marks_are_sent_to_anthropic(make_client: Any) -> None:
    client = make_client("messages", [DONE])
    parts = [{"type": "text", "text": "x", "cache_control": CACHE_CONTROL}]
    conversation = [
        {"role": "system", "content": parts},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "t", "type": "function", "function": CALLED}]},
        {"role": "tool", "tool_call_id": "t", "content": parts},
    ]
    client.complete(conversation, tools=[{**TOOL, "cache_control": CACHE_CONTROL}])
    (body,) = client.endpoint.asked
    (result,) = body["messages"][2]["content"]
    marked = [body["system"][0], body["messages"][0]["content"][0], result["content"][0], body["tools"][0]]
    assert [part["cache_control"] for part in marked] == [CACHE_CONTROL] * 4


CALLED = {"name": "view", "arguments": "{}"}


@pytest.mark.parametrize(
    ("protocol", "part"),
    [
        ("chat", {"type": "image_url", "image_url": {"url": PIXEL}}),
        (
            "messages",
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        ),
        ("responses", {"type": "input_image", "image_url": PIXEL, "detail": "auto"}),
    ],
)
def test_images_are_sent(make_client: Any, protocol: str, part: dict[str, Any]) -> None:
    client = make_client(protocol, [DONE])
    image = {"type": "image_url", "image_url": {"url": PIXEL}}
    client.complete([{"role": "user", "content": [{"type": "text", "text": "See:"}, image]}])
    (body,) = client.endpoint.asked
    assert body.get("messages", body.get("input"))[0]["content"][1] == part


# Authorisation and choice of answers


@each_protocol
def test_wrong_key_and_unknown_model_are_refused(make_client: Any, protocol: str) -> None:
    assert make_client(protocol, [], key="sk-other").error().status_code == 401
    assert make_client(protocol, [], models=["known"]).error().status_code == 404
    assert make_client(protocol, [DONE], key="sk-test").complete().choices[0].message.content == "Done."


def test_models_are_listed() -> None:
    with Endpoint([], models=["one", "two"]) as endpoint, urlopen(f"{endpoint.openai}/models") as answer:
        assert [model["id"] for model in json.load(answer)["data"]] == ["one", "two"]


def test_request_without_answer_fails_test(litellm: Any) -> None:
    with pytest.raises(AssertionError, match="all answers are used up"), Endpoint([]) as endpoint:
        Client(litellm, endpoint, "chat").error()


@each_protocol
def test_rules_match_turn_and_news(make_client: Any, protocol: str) -> None:
    script = [
        Rule(Answer(status=429), times=1),
        Rule(LOOK, turns=0),
        Rule(DONE, turns=1, contains="result of"),
    ]
    client = make_client(protocol, rules(script))
    assert client.error().status_code == 429
    reply = client.complete()
    assert tool_calls(client.complete()) == tool_calls(reply)
    assert client.complete(continue_conversation(reply)).choices[0].message.content == "Done."
    last = client.endpoint.requests[-1]
    assert last.turns == 1
    assert "What is wrong?" not in last.news


def test_plain_string_is_conversation_of_one_message() -> None:
    request = Request("POST", "/v1/responses", {}, body={"input": "hello"})
    assert (request.turns, "hello" in request.news) == (0, True)


# Killed processes


def test_killed_client_leaves_endpoint_running(make_client: Any) -> None:
    request_received = threading.Event()

    def answer(request: Request) -> Answer:
        request_received.set()
        return Answer(text="x", cut=2, then="hang") if request.stream else DONE

    client = make_client("chat", answer)
    read = "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], data=sys.argv[2].encode())).read()"
    body = json.dumps({"model": "m", "messages": QUESTION, "stream": True})
    url = f"{client.endpoint.openai}/chat/completions"
    with subprocess.Popen([sys.executable, "-c", read, url, body]) as process:
        assert request_received.wait(30)
        process.send_signal(signal.SIGKILL)
    assert client.complete().choices[0].message.content == "Done."


def test_endpoint_runs_in_separate_process(tmp_path: Path) -> None:
    script, log = tmp_path / "script.jsonl", tmp_path / "log.jsonl"
    lines: list[dict[str, Any]] = [
        {"times": 1, "answer": {"status": 529}},
        {"turns": 0, "answer": {"actions": [["view", {"path": "a"}]], "usage": {"input": 7, "output": 3}}},
    ]
    script.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    command = [sys.executable, "-m", "tests.endpoint", "--script", str(script), "--log", str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            request = HTTPRequest(f"{url}/v1/messages", json.dumps({"model": "m", "messages": QUESTION}).encode())
            with pytest.raises(HTTPError) as refused:
                urlopen(request)
            refused.value.close()
            with urlopen(request) as answer:
                reply = json.load(answer)
        finally:
            process.kill()
    assert refused.value.code == 529
    assert reply["content"] == [{"type": "tool_use", "id": "toolu_0_0", "name": "view", "input": {"path": "a"}}]
    assert reply["usage"]["input_tokens"] == 7
    logged = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [line["body"]["messages"] for line in logged] == [QUESTION, QUESTION]
