"""litellm as a client of the endpoint."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agent.models._stream import close
from tests.endpoint import Answer, Endpoint, Tokens

# litellm's own, in places where an error is taken for one of the provider's.
IGNORED = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:(?s)Pydantic serializer warnings:UserWarning"),
]

HOUSE = Path(__file__).resolve().parents[2]
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
        try:
            self.chunks.extend(reply)
        finally:
            close(reply)
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
