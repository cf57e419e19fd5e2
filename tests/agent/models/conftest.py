"""Models of a provider at a test endpoint, through the real litellm."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import pytest

from agent.config.model_table import ModelTable
from agent.config.settings import Settings
from agent.models import provider
from agent.models.base import Message, RequestOptions, load_model
from agent.models.provider import Provider
from tests.endpoint import Endpoint
from trajectories.records import Reply

CHAT = "openai/hand"
CLAUDE = "anthropic/claude-sonnet-4-5"
RESPONSES = "openai/responses/gpt-5"
KEY = "sk-test-4f9a8b7c6d5e"
MESSAGES: list[Message] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Fix add()."}]
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
    """Import litellm once and ignore its warnings at import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        provider.library()


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """A factory of the model `name` at an endpoint, with more fields of its table, and settings."""
    monkeypatch.setenv("TEST_KEY", KEY)

    def load_provider(
        endpoint: Endpoint, name: str = CHAT, *, settings: Mapping[str, Any] = MappingProxyType({}), **table: Any
    ) -> Provider:
        base = endpoint.url if name.startswith("anthropic/") else endpoint.openai
        tables = {name: ModelTable(**{"api_base": base, "key_env": "TEST_KEY", **table})}
        provider = load_model(
            name, Settings(**{"models": tables, "first_timeout": 10, "model_timeout": 10, **settings})
        )
        assert isinstance(provider, Provider)
        return provider

    return load_provider


def get_reply(
    model: Provider,
    messages: Sequence[Message] = MESSAGES,
    max_output: int = 10_000,
    tools: Sequence[dict[str, Any]] = (VIEW,),
    **options: Any,
) -> Reply:
    """Return the model's reply. Use a thread, as runs do: in the main thread litellm leaves an event loop open."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(model.reply, messages, tools, RequestOptions("main", 1, max_output, **options)).result()


def exchange(reply: Reply, *results: str) -> list[Message]:
    """Return the messages of a reply and its tool results, as the next request to the same model contains them."""
    calls = [
        {
            "id": action.id,
            "type": "function",
            "function": {"name": action.tool, "arguments": json.dumps(action.arguments)},
        }
        for action in reply.actions
    ]
    assistant: Message = {"role": "assistant", "content": reply.text, "tool_calls": calls, "blocks": list(reply.blocks)}
    return [
        assistant,
        *(
            {"role": "tool", "tool_call_id": action.id, "content": result}
            for action, result in zip(reply.actions, results, strict=True)
        ),
    ]
