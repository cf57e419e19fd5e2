"""The endpoint, through real litellm: what it says is understood, and what it is told is what was said."""

from __future__ import annotations

import asyncio
import importlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as Call
from urllib.request import urlopen

import pytest

from tests.endpoint import Answer, Endpoint, Request, Rule, Tokens, rules
from tests.endpoint.messages import signature

# litellm's own, in places where an error is taken for one of the provider's.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:(?s)Pydantic serializer warnings:UserWarning"),
]

HOUSE = Path(__file__).resolve().parent.parent
PROTOCOLS = ("chat", "messages", "responses")
TOOL = {
    "type": "function",
    "function": {"name": "view", "description": "Shows.", "parameters": {"type": "object", "properties": {}}},
}
ASKED = [{"role": "user", "content": "What is wrong?"}]
LOOK = Answer(
    text="I look — now.",
    actions=[("view", {"path": "ü.py"}), ("view", {"path": "b.py"})],
    usage=Tokens(input=100, output=20, cached=40, written=10),
)
DONE = Answer(text="Done.")

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
each_way = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """litellm that fetches no prices, prints no advice and leaves no event loop of the main thread unclosed."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    module = importlib.import_module("litellm")
    monkeypatch.setattr(module, "suppress_debug_info", True)
    # Some versions import a package that only the proxy needs, whatever is asked.
    responses = importlib.import_module("litellm.responses.main")
    monkeypatch.setattr(responses, "_responses_try_dispatch_mcp_gateway", lambda **_: None, raising=False)
    yield module
    asyncio.set_event_loop(None)
    loop.close()


class Asker:
    """Asks an endpoint through litellm in one of the protocols, and puts a stream together."""

    def __init__(self, litellm: Any, endpoint: Endpoint, protocol: str, stream: bool = False) -> None:
        self.litellm, self.endpoint, self.protocol, self.stream = litellm, endpoint, protocol, stream
        self.chunks: list[Any] = []
        self.wrapper: Any = None

    def ask(self, messages: list[dict[str, Any]] = ASKED, **options: Any) -> Any:
        model, base = {
            "chat": ("openai/any", self.endpoint.openai),
            "messages": ("anthropic/claude-sonnet-4-5", self.endpoint.url),
            "responses": ("openai/responses/gpt-5", self.endpoint.openai),
        }[self.protocol]
        once: dict[str, Any] = {
            "num_retries": 0,
            "max_retries": 0,
            "timeout": 10,
            "api_key": "sk-test",
            "_skip_mcp_handler": True,
        }
        if self.stream:
            once["stream_options"] = {"include_usage": True}
        reply = self.litellm.completion(
            model=model, api_base=base, messages=messages, stream=self.stream, **{**once, "tools": [TOOL], **options}
        )
        if not self.stream:
            return reply
        self.wrapper, self.chunks = reply, []
        self.chunks.extend(reply)
        return self.litellm.stream_chunk_builder(self.chunks, messages=messages)

    def error(self, **options: Any) -> Any:
        """The exception of asking."""
        with pytest.raises(self.litellm.exceptions.openai.OpenAIError) as caught:
            self.ask(**options)
        return caught.value


@pytest.fixture
def asker(litellm: Any) -> Iterator[Any]:
    """`asker("chat", answers, stream)` asks an endpoint of its own."""
    with ExitStack() as stack:

        def make(protocol: str, answers: Any, stream: bool = False, **options: Any) -> Asker:
            return Asker(litellm, stack.enter_context(Endpoint(answers, **options)), protocol, stream)

        yield make


def thinking(asking: Asker, reply: Any) -> list[dict[str, Any]]:
    """The blocks of thought, of a stream from its pieces: litellm's builder says some of them twice."""
    if not asking.stream:
        return list(reply.choices[0].message.thinking_blocks)
    deltas = [chunk.choices[0].delta for chunk in asking.chunks if chunk.choices]
    blocks, text = [], ""
    for piece in (piece for delta in deltas for piece in getattr(delta, "thinking_blocks", None) or []):
        if piece["type"] == "thinking" and not piece.get("signature"):
            text += piece["thinking"]
        elif piece["type"] == "thinking":  # the last piece has the signature, and in some versions the whole text again
            blocks.append({**piece, "thinking": piece["thinking"] or text})
            text = ""
        else:
            blocks.append(dict(piece))
    return blocks


def called(reply: Any) -> list[tuple[str, dict[str, Any]]]:
    calls = reply.choices[0].message.tool_calls or []
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls]


def given_back(reply: Any, **blocks: Any) -> list[dict[str, Any]]:
    """The conversation after `reply`: the reply with its opaque blocks, and a result of each call."""
    message = reply.choices[0].message
    calls = [
        {"id": call.id, "type": "function", "function": {"name": "view", "arguments": call.function.arguments}}
        for call in message.tool_calls or []
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": f"result of {call['id']}"} for call in calls]
    return [*ASKED, {"role": "assistant", "content": message.content, "tool_calls": calls, **blocks}, *results]


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
def test_comments_and_pauses_in_a_stream_change_nothing(asker: Any, protocol: str, stream: bool) -> None:
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


# What goes wrong

REFUSED = [  # the status, and the class and status that litellm makes of it, by protocol
    (400, dict.fromkeys(PROTOCOLS, ("BadRequestError", 400))),
    (401, dict.fromkeys(PROTOCOLS, ("AuthenticationError", 401))),
    (403, dict.fromkeys(PROTOCOLS, ("BadRequestError", 403)) | {"messages": ("PermissionDeniedError", 403)}),
    (404, dict.fromkeys(PROTOCOLS, ("NotFoundError", 404))),
    (429, dict.fromkeys(PROTOCOLS, ("RateLimitError", 429))),
    (500, dict.fromkeys(PROTOCOLS, ("InternalServerError", 500))),
    (529, dict.fromkeys(PROTOCOLS, ("APIError", 529)) | {"messages": ("InternalServerError", 500)}),
]


@each_protocol
@each_way
@pytest.mark.parametrize(("status", "seen"), REFUSED, ids=[str(status) for status, _ in REFUSED])
def test_refusals(asker: Any, protocol: str, stream: bool, status: int, seen: dict[str, tuple[str, int]]) -> None:
    asking = asker(protocol, [Answer(status=status, headers={"Retry-After": "7"})], stream)
    error = asking.error()
    assert (type(error).__name__, error.status_code) == seen[protocol]
    assert error.litellm_response_headers["retry-after"] == "7"
    assert len(asking.endpoint.requests) == 1


@each_protocol
def test_without_retry_after_there_is_none(asker: Any, protocol: str) -> None:
    headers = asker(protocol, [Answer(status=429)]).error().litellm_response_headers
    assert "retry-after" not in (headers or {})


@each_protocol
@each_way
def test_a_conversation_that_is_too_long(asker: Any, protocol: str, stream: bool) -> None:
    said = "prompt is too long: 210000 tokens > 200000 maximum"
    if protocol != "messages":
        said = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    error = asker(protocol, [Answer(status=400, error=said)], stream).error()
    assert type(error).__name__ == "ContextWindowExceededError"


@each_protocol
@each_way
def test_silence_is_a_time_out(asker: Any, protocol: str, stream: bool) -> None:
    assert type(asker(protocol, [Answer(hang=True)], stream).error(timeout=0.3)).__name__ == "Timeout"


WHOLE_FAULTS = {
    "drop": Answer(drop=True),
    "cut": Answer(text="x" * 300, cut=1),
    "cut late": Answer(actions=LOOK.actions, cut=2),
    "no JSON": Answer(raw=b"<html>busy</html>"),
    "wrong type": Answer(raw=b"[]"),
}


@each_protocol
@pytest.mark.parametrize("fault", WHOLE_FAULTS.values(), ids=WHOLE_FAULTS.keys())
def test_a_whole_answer_that_breaks_is_an_error(asker: Any, protocol: str, fault: Answer) -> None:
    error = asker(protocol, [fault]).error()
    assert error.status_code in (200, 500)


STREAM_FAULTS = {
    "closed": Answer(text="Some words.", cut=3),
    "closed in a call": Answer(actions=LOOK.actions, cut="pat"),
    "hangs": Answer(text="Some words.", cut=3, then="hang"),
    "says so": Answer(text="Some words.", cut=3, then="error"),
}


@each_protocol
@pytest.mark.parametrize("fault", STREAM_FAULTS.values(), ids=STREAM_FAULTS.keys())
def test_a_stream_that_breaks_is_an_error(asker: Any, protocol: str, fault: Answer) -> None:
    assert type(asker(protocol, [fault], stream=True).error(timeout=0.5)).__name__ == "MidStreamFallbackError"


EARLY = Answer(actions=LOOK.actions, cut="ü.", then="end")


@pytest.mark.parametrize("protocol", ["chat", "messages"])
@pytest.mark.parametrize("fault", [EARLY, Answer(raw=b"<html>busy</html>")], ids=["half a call", "no stream"])
def test_a_stream_that_ends_early_is_known_by_its_missing_finish(asker: Any, protocol: str, fault: Answer) -> None:
    asking = asker(protocol, [fault], stream=True)
    assert asking.ask().choices[0].finish_reason == "stop"
    assert asking.wrapper.received_finish_reason is None


def test_a_stream_of_responses_that_ends_early_is_an_error(asker: Any) -> None:
    assert type(asker("responses", [EARLY], stream=True).error()).__name__ == "MidStreamFallbackError"


@each_way
@pytest.mark.parametrize("protocol", ["chat", "responses"])
def test_half_arguments_come_as_they_are(asker: Any, protocol: str, stream: bool) -> None:
    reply = asker(protocol, [Answer(actions=[("view", '{"path": "a')], finish="length")], stream).ask()
    assert reply.choices[0].message.tool_calls[0].function.arguments == '{"path": "a'
    assert reply.choices[0].finish_reason == "length"


@pytest.mark.parametrize("protocol", ["chat", "messages"])
def test_usage_that_never_came_is_in_no_chunk_of_the_provider(asker: Any, protocol: str) -> None:
    asking = asker(protocol, [Answer(text="x", usage=None), Answer(text="x")], stream=True)
    asking.ask()
    assert not [chunk for chunk in asking.wrapper.chunks if getattr(chunk, "usage", None)]
    asking.ask()
    assert [chunk for chunk in asking.wrapper.chunks if getattr(chunk, "usage", None)]


@each_protocol
def test_absurd_usage_goes_out_as_it_is(asker: Any, protocol: str) -> None:
    huge = 10**12
    absurd = dict.fromkeys(("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"), huge)
    reply = asker(protocol, [Answer(text="x", usage=absurd | {"total_tokens": 1})]).ask()
    assert reply.usage.prompt_tokens == huge


# Who is answered, and how


@each_protocol
def test_a_wrong_key_and_an_unknown_model(asker: Any, protocol: str) -> None:
    assert asker(protocol, [], key="sk-other").error().status_code == 401
    assert asker(protocol, [], models=["known"]).error().status_code == 404
    assert asker(protocol, [DONE], key="sk-test").ask().choices[0].message.content == "Done."


def test_the_models_are_listed() -> None:
    with Endpoint([], models=["one", "two"]) as endpoint, urlopen(f"{endpoint.openai}/models") as answer:
        assert [model["id"] for model in json.load(answer)["data"]] == ["one", "two"]


def test_a_request_without_an_answer_fails_the_test(litellm: Any) -> None:
    with pytest.raises(AssertionError, match="all answers are used up"), Endpoint([]) as endpoint:
        Asker(litellm, endpoint, "chat").error()


@each_protocol
def test_rules_know_the_turn_and_the_news(asker: Any, protocol: str) -> None:
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


def test_a_plain_string_is_a_conversation_of_one() -> None:
    request = Request("POST", "/v1/responses", {}, body={"input": "hello"})
    assert (request.turns, "hello" in request.news) == (0, True)


# Processes that die


def test_a_client_that_is_killed_leaves_the_endpoint_alive(asker: Any) -> None:
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


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
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
