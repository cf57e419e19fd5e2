"""A provider's model against the endpoint, through real litellm."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import pytest

from agent.config.settings import ModelTable, Settings
from agent.models import _litellm
from agent.models.base import Message, RequestOptions, load_model
from agent.models.provider import Provider
from tests.endpoint import Endpoint
from trajectories.records import Reply

CHAT = "openai/hand"
CLAUDE = "anthropic/claude-sonnet-4-5"
RESPONSES = "openai/responses/gpt-5"
KEY = "sk-test-4f9a8b7c6d5e"
SAID: list[Message] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Mend add()."}]
VIEW = {
    "type": "function",
    "function": {
        "name": "view",
        "description": "Show a file.",
        "parameters": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "Which file."},
                "lines": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
            },
            "required": ["path"],
        },
    },
}
Load = Callable[..., Provider]


@pytest.fixture(scope="session", autouse=True)
def litellm() -> None:
    """Imported once; what it does at import is not the tests' matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _litellm.library()


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """The model `name` at an endpoint, with what else its table holds, and settings."""
    monkeypatch.setenv("TEST_KEY", KEY)

    def make(
        endpoint: Endpoint, name: str = CHAT, *, settings: Mapping[str, Any] = MappingProxyType({}), **table: Any
    ) -> Provider:
        base = endpoint.url if name.startswith("anthropic/") else endpoint.openai
        tables = {name: ModelTable(**{"api_base": base, "key_env": "TEST_KEY", **table})}
        made = load_model(name, Settings(**{"models": tables, "first_timeout": 10, "model_timeout": 10, **settings}))
        assert isinstance(made, Provider)
        return made

    return make


def ask(
    model: Provider,
    messages: Sequence[Message] = SAID,
    max_output: int = 10_000,
    tools: Sequence[dict[str, Any]] = (VIEW,),
    **asking: Any,
) -> Reply:
    """The model's reply. Asked in a thread, as runs do: in the main thread litellm leaves an event loop open."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(model.reply, messages, tools, RequestOptions("main", 1, max_output, **asking)).result()


def exchange(reply: Reply, *answers: str) -> list[Message]:
    """The reply as the context sends it back to the model it came from, and what the tools answered."""
    calls = [
        {
            "id": action.id,
            "type": "function",
            "function": {"name": action.tool, "arguments": json.dumps(action.arguments)},
        }
        for action in reply.actions
    ]
    said: Message = {"role": "assistant", "content": reply.text, "tool_calls": calls, "blocks": list(reply.blocks)}
    return [
        said,
        *(
            {"role": "tool", "tool_call_id": action.id, "content": answer}
            for action, answer in zip(reply.actions, answers, strict=True)
        ),
    ]
