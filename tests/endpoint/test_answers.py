"""The endpoint, through real litellm: what it says is understood, and what it is told is what was said."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as Call
from urllib.request import urlopen

import pytest

from tests.endpoint import Answer, Endpoint, Request, Rule, rules
from tests.endpoint.conftest import (
    ASKED,
    DONE,
    HOUSE,
    IGNORED,
    LOOK,
    TOOL,
    Asker,
    called,
    each_protocol,
    each_way,
    given_back,
    thinking,
)
from tests.endpoint.messages import signature

pytestmark = IGNORED


# What is said right


@each_protocol
@each_way
def test_text_several_calls_and_usage(asker: Any, protocol: str, stream: bool) -> None:
    asking = asker(protocol, [LOOK], stream)
    reply = asking.ask()
    assert reply.choices[0].message.content == LOOK.text
    assert called(reply) == list(LOOK.actions)
    assert len({call.id for call in reply.choices[0].message.tool_calls}) == 2
    assert reply.choices[0].finish_reason == "tool_calls"
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens) == (100, 20, 40)
    if protocol == "messages":
        assert usage.prompt_tokens_details.cache_creation_tokens == 10
    assert len(asking.endpoint.requests) == 1


@each_protocol
@each_way
@pytest.mark.parametrize(("finish", "seen"), [("length", "length"), ("content_filter", "content_filter")])
def test_how_it_ended(asker: Any, protocol: str, stream: bool, finish: str, seen: str) -> None:
    reply = asker(protocol, [Answer(text="So", finish=finish)], stream).ask()
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("So", seen)


@each_protocol
@each_way
def test_comments_and_pauses_in_stream_change_nothing(asker: Any, protocol: str, stream: bool) -> None:
    asking = asker(protocol, [Answer(**{**fields(LOOK), "keepalive": True, "slow": 0.001})], stream)
    assert called(asking.ask()) == list(LOOK.actions)


def fields(answer: Answer) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in Answer.__slots__}


@each_protocol
@each_way
def test_two_hundred_calls(asker: Any, protocol: str, stream: bool) -> None:
    many = [("view", {"path": f"{at}.py"}) for at in range(200)]
    assert called(asker(protocol, [Answer(actions=many)], stream).ask()) == many


# Blocks that are nobody's business but the provider's

SIGNED = {"type": "thinking", "thinking": "First — ü\n", "signature": "EqoB+/=="}
REDACTED = {"type": "redacted_thinking", "data": "EmwK+/=="}
LAST = {"type": "thinking", "thinking": "", "signature": "Only+/=="}


@each_way
def test_signed_thinking_comes_and_goes_byte_for_byte(asker: Any, stream: bool) -> None:
    blocks = [SIGNED, REDACTED, LAST]
    asking = asker("messages", [Answer(text="Look.", blocks=blocks, actions=LOOK.actions), DONE], stream)
    reply = asking.ask()
    assert thinking(asking, reply) == blocks
    asking.ask(given_back(reply, thinking_blocks=thinking(asking, reply)))
    sent = asking.endpoint.asked[1]["messages"][1]["content"]
    assert sent[:3] == blocks
    assert [block["type"] for block in sent[3:]] == ["text", "tool_use", "tool_use"]


@each_way
def test_open_reasoning_is_signed_by_anthropic(asker: Any, stream: bool) -> None:
    asking = asker("messages", [Answer(reasoning="Hmm — ü", text="x")], stream)
    (block,) = thinking(asking, asking.ask())
    assert block == {"type": "thinking", "thinking": "Hmm — ü", "signature": signature("Hmm — ü")}


@each_way
def test_open_reasoning_in_chat(asker: Any, stream: bool) -> None:
    asking = asker("chat", [Answer(reasoning="Hmm — ü", text="x"), DONE], stream)
    reply = asking.ask()
    assert reply.choices[0].message.reasoning_content == "Hmm — ü"
    asking.ask(given_back(reply, reasoning_content="Hmm — ü"))
    assert asking.endpoint.asked[1]["messages"][1]["reasoning_content"] == "Hmm — ü"


def sealed(name: str, *summary: str) -> dict[str, Any]:
    parts = [{"type": "summary_text", "text": text} for text in summary]
    return {"type": "reasoning", "id": name, "summary": parts, "encrypted_content": f"gAAA+/{name}=="}


KEPT_BY_ME = {"store": False, "include": ["reasoning.encrypted_content"]}


# Not streamed, litellm keeps the last of several items only.
@pytest.mark.parametrize(
    ("stream", "items"), [(False, [sealed("rs_1", "Why")]), (True, [sealed("rs_1", "Why — ü"), sealed("rs_2")])]
)
def test_encrypted_reasoning_comes_and_goes(asker: Any, stream: bool, items: list[dict[str, Any]]) -> None:
    asking = asker("responses", [Answer(text="Look.", blocks=items, actions=LOOK.actions), DONE], stream)
    reply = asking.ask(**KEPT_BY_ME)
    if stream:
        deltas = [chunk.choices[0].delta for chunk in asking.chunks if chunk.choices]
        came = [item for delta in deltas for item in getattr(delta, "reasoning_items", None) or []]
    else:
        came = reply.choices[0].message.reasoning_items
    assert came == items
    asking.ask(given_back(reply, reasoning_items=came), **KEPT_BY_ME)
    first, second = asking.endpoint.asked
    assert (first["store"], first["include"]) == (False, ["reasoning.encrypted_content"])
    assert [item for item in second["input"] if item["type"] == "reasoning"] == items
    kinds = [item["type"] for item in second["input"]][1 + len(items) :]
    assert kinds == ["message", "function_call", "function_call", "function_call_output", "function_call_output"]


def test_nothing_encrypted_for_those_who_do_not_include_it(asker: Any) -> None:
    reply = asker("responses", [Answer(text="x", reasoning="Why")]).ask()
    assert not reply.choices[0].message.reasoning_items[0].get("encrypted_content")


# What is asked arrives

MARK = {"type": "ephemeral"}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def test_caching_marks_arrive_where_anthropic_looks(asker: Any) -> None:
    asking = asker("messages", [DONE])
    parts = [{"type": "text", "text": "x", "cache_control": MARK}]
    conversation = [
        {"role": "system", "content": parts},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "t", "type": "function", "function": CALLED}]},
        {"role": "tool", "tool_call_id": "t", "content": parts},
    ]
    asking.ask(conversation, tools=[{**TOOL, "cache_control": MARK}])
    (body,) = asking.endpoint.asked
    (result,) = body["messages"][2]["content"]
    marked = [body["system"][0], body["messages"][0]["content"][0], result["content"][0], body["tools"][0]]
    assert [part["cache_control"] for part in marked] == [MARK] * 4


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
def test_images_arrive(asker: Any, protocol: str, part: dict[str, Any]) -> None:
    asking = asker(protocol, [DONE])
    image = {"type": "image_url", "image_url": {"url": PIXEL}}
    asking.ask([{"role": "user", "content": [{"type": "text", "text": "See:"}, image]}])
    (body,) = asking.endpoint.asked
    assert body.get("messages", body.get("input"))[0]["content"][1] == part


# Who is answered, and how


@each_protocol
def test_wrong_key_and_unknown_model(asker: Any, protocol: str) -> None:
    assert asker(protocol, [], key="sk-other").error().status_code == 401
    assert asker(protocol, [], models=["known"]).error().status_code == 404
    assert asker(protocol, [DONE], key="sk-test").ask().choices[0].message.content == "Done."


def test_models_are_listed() -> None:
    with Endpoint([], models=["one", "two"]) as endpoint, urlopen(f"{endpoint.openai}/models") as answer:
        assert [model["id"] for model in json.load(answer)["data"]] == ["one", "two"]


def test_request_without_answer_fails_test(litellm: Any) -> None:
    with pytest.raises(AssertionError, match="all answers are used up"), Endpoint([]) as endpoint:
        Asker(litellm, endpoint, "chat").error()


@each_protocol
def test_rules_know_turn_and_news(asker: Any, protocol: str) -> None:
    script = [
        Rule(Answer(status=429), times=1),
        Rule(LOOK, turns=0),
        Rule(DONE, turns=1, contains="result of"),
    ]
    asking = asker(protocol, rules(script))
    assert asking.error().status_code == 429
    reply = asking.ask()
    assert called(asking.ask()) == called(reply)
    assert asking.ask(given_back(reply)).choices[0].message.content == "Done."
    last = asking.endpoint.requests[-1]
    assert last.turns == 1
    assert "What is wrong?" not in last.news


def test_plain_string_is_conversation_of_one() -> None:
    request = Request("POST", "/v1/responses", {}, body={"input": "hello"})
    assert (request.turns, "hello" in request.news) == (0, True)


# Processes that die


def test_client_that_is_killed_leaves_endpoint_alive(asker: Any) -> None:
    asked = threading.Event()

    def answer(request: Request) -> Answer:
        asked.set()
        return Answer(text="x", cut=2, then="hang") if request.stream else DONE

    asking = asker("chat", answer)
    read = "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], data=sys.argv[2].encode())).read()"
    body = json.dumps({"model": "m", "messages": ASKED, "stream": True})
    url = f"{asking.endpoint.openai}/chat/completions"
    with subprocess.Popen([sys.executable, "-c", read, url, body]) as client:
        assert asked.wait(30)
        client.send_signal(signal.SIGKILL)
    assert asking.ask().choices[0].message.content == "Done."


def test_in_process_of_its_own(tmp_path: Path) -> None:
    script, log = tmp_path / "script.jsonl", tmp_path / "log.jsonl"
    lines: list[dict[str, Any]] = [
        {"times": 1, "answer": {"status": 529}},
        {"turns": 0, "answer": {"actions": [["view", {"path": "a"}]], "usage": {"input": 7, "output": 3}}},
    ]
    script.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    command = [sys.executable, "-m", "tests.endpoint", "--script", str(script), "--log", str(log)]
    with subprocess.Popen(command, cwd=HOUSE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            call = Call(f"{url}/v1/messages", json.dumps({"model": "m", "messages": ASKED}).encode())
            with pytest.raises(HTTPError) as refused:
                urlopen(call)
            refused.value.close()
            with urlopen(call) as answer:
                reply = json.load(answer)
        finally:
            process.kill()
    assert refused.value.code == 529
    assert reply["content"] == [{"type": "tool_use", "id": "toolu_0_0", "name": "view", "input": {"path": "a"}}]
    assert reply["usage"]["input_tokens"] == 7
    logged = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [line["body"]["messages"] for line in logged] == [ASKED, ASKED]
