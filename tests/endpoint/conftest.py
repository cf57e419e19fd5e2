"""Fixtures: litellm as a client of the endpoint."""

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

# litellm's own warnings, which are errors in this suite.
IGNORED = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:(?s)Pydantic serializer warnings:UserWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
PROTOCOLS = ("chat", "messages", "responses")
TOOL = {
    "type": "function",
    "function": {"name": "view", "description": "Shows.", "parameters": {"type": "object", "properties": {}}},
}
QUESTION = [{"role": "user", "content": "What is wrong?"}]
LOOK = Answer(
    text="I look — now.",
    actions=[("view", {"path": "ü.py"}), ("view", {"path": "b.py"})],
    usage=Tokens(input=100, output=20, cached=40, written=10),
)
DONE = Answer(text="Done.")

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """litellm without price updates and advice, whose event loop is closed afterwards."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    module = importlib.import_module("litellm")
    monkeypatch.setattr(module, "suppress_debug_info", True)
    # Some versions import a package that only the proxy needs, for every request.
    responses = importlib.import_module("litellm.responses.main")
    monkeypatch.setattr(responses, "_responses_try_dispatch_mcp_gateway", lambda **_: None, raising=False)
    yield module
    asyncio.set_event_loop(None)
    loop.close()


class Client:
    """Calls an endpoint through litellm in one of the protocols, and assembles streams."""

    def __init__(self, litellm: Any, endpoint: Endpoint, protocol: str, stream: bool = False) -> None:
        self.litellm, self.endpoint, self.protocol, self.stream = litellm, endpoint, protocol, stream
        self.chunks: list[Any] = []
        self.wrapper: Any = None

    def complete(self, messages: list[dict[str, Any]] = QUESTION, **options: Any) -> Any:
        model, base = {
            "chat": ("openai/any", self.endpoint.openai),
            "messages": ("anthropic/claude-sonnet-4-5", self.endpoint.url),
            "responses": ("openai/responses/gpt-5", self.endpoint.openai),
        }[self.protocol]
        defaults: dict[str, Any] = {
            "num_retries": 0,
            "max_retries": 0,
            "timeout": 10,
            "api_key": "sk-test",
            "_skip_mcp_handler": True,
        }
        if self.stream:
            defaults["stream_options"] = {"include_usage": True}
        reply = self.litellm.completion(
            model=model,
            api_base=base,
            messages=messages,
            stream=self.stream,
            **{**defaults, "tools": [TOOL], **options},
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
        """Return the exception of a call."""
        with pytest.raises(self.litellm.exceptions.openai.OpenAIError) as caught:
            self.complete(**options)
        return caught.value


@pytest.fixture
def make_client(litellm: Any) -> Iterator[Any]:
    """`make_client("chat", answers, stream)` returns a client of a new endpoint."""
    with ExitStack() as stack:

        def make(protocol: str, answers: Any, stream: bool = False, **options: Any) -> Client:
            return Client(litellm, stack.enter_context(Endpoint(answers, **options)), protocol, stream)

        yield make


def thinking(client: Client, reply: Any) -> list[dict[str, Any]]:
    """Return the thinking blocks. Those of a stream are assembled from chunks: litellm's builder repeats some."""
    if not client.stream:
        return list(reply.choices[0].message.thinking_blocks)
    deltas = [chunk.choices[0].delta for chunk in client.chunks if chunk.choices]
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


def tool_calls(reply: Any) -> list[tuple[str, dict[str, Any]]]:
    calls = reply.choices[0].message.tool_calls or []
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls]


def continue_conversation(reply: Any, **blocks: Any) -> list[dict[str, Any]]:
    """Return the conversation after `reply`: the reply with its opaque blocks, and a result for each call."""
    message = reply.choices[0].message
    calls = [
        {"id": call.id, "type": "function", "function": {"name": "view", "arguments": call.function.arguments}}
        for call in message.tool_calls or []
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": f"result of {call['id']}"} for call in calls]
    return [*QUESTION, {"role": "assistant", "content": message.content, "tool_calls": calls, **blocks}, *results]
