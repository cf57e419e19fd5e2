"""Prices, limits and capabilities of models, from litellm's bundled map. It is read without importing litellm."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agent.limits.run_budget import Price

MAP = "model_prices_and_context_window_backup.json"
MOST_OUTPUT = 32_000
"""Maximum number of tokens of one reply unless the user allows more. All of them are reserved, so a limit such as
128,000 would reserve the whole budget."""
PROVIDERS = "provider_endpoints_support_backup.json"
TIER = re.compile(r"input_cost_per_token_above_(\d+)k_tokens$")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Known facts about a model.

    `provider` is litellm's name for the provider, or "". Sizes are in tokens, 0 if unknown. Capabilities are null if
    unknown.
    """

    provider: str = ""
    price: Price | None = None
    max_output: int = 0
    window: int = 0
    images: bool | None = None
    tools: bool | None = None
    reasoning: bool = False
    caching: bool | None = None
    mode: str = ""


def facts(name: str) -> ModelFacts:
    """Look up a model by its litellm name, with or without its provider."""
    provider, _, rest = name.partition("/")
    entry = _entry(name)
    if not entry and rest:
        candidate = _entry(rest.removeprefix("responses/"))
        entry = candidate if _family(candidate) == _family({"litellm_provider": provider}) else {}
    return _facts(entry) if entry else ModelFacts()


@cache
def providers() -> frozenset[str]:
    """Return the prefixes that litellm recognises as providers."""
    listed = {name for name in json.loads((_folder() / PROVIDERS).read_text("utf-8"))["providers"] if "/" not in name}
    return frozenset(listed | {_family(entry) for entry in _map().values()} - {""})


def _entry(name: str) -> dict[str, Any]:
    return _map().get(name) or _map().get(name.replace("/responses/", "/", 1)) or {}


def _family(entry: dict[str, Any]) -> str:
    """Return the provider without its API variant: `bedrock` for bedrock_converse, `vertex_ai` for vertex_ai-*."""
    name = str(entry.get("litellm_provider", "")).removesuffix("_converse")
    return "vertex_ai" if name.startswith("vertex_ai-") else name


def _facts(entry: dict[str, Any]) -> ModelFacts:
    window = _count(entry.get("max_input_tokens")) or _count(entry.get("max_tokens"))
    return ModelFacts(
        provider=_family(entry),
        price=_price(entry),
        max_output=min(_count(entry.get("max_output_tokens")), MOST_OUTPUT),
        window=min([window, *_tiers(entry)]) if window else 0,
        # If a model is in the map, capabilities that its entry omits are taken to be missing.
        images=bool(entry.get("supports_vision")),
        tools=bool(entry.get("supports_function_calling")),
        caching=bool(entry.get("supports_prompt_caching")),
        reasoning=bool(entry.get("supports_reasoning")),
        mode=str(entry.get("mode", "")),
    )


def _tiers(entry: dict[str, Any]) -> list[int]:
    """Return the input sizes above which a token costs more. Requests stay below these sizes, so that all their tokens
    have the same price."""
    return [int(found[1]) * 1000 for name in entry if (found := TIER.match(name))]


def _price(entry: dict[str, Any]) -> Price | None:
    given, made = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not isinstance(given, int | float) or not isinstance(made, int | float):
        return None
    thought = entry.get("output_cost_per_reasoning_token") or 0.0
    # A price of 0 for cache writes means that writes are not priced separately, not that they are free.
    written = entry.get("cache_creation_input_token_cost") or None
    return Price(*map(_per_million, (given, max(made, thought), entry.get("cache_read_input_token_cost"), written)))


def _per_million(dollars: float | None) -> Any:
    return None if dollars is None else round(dollars * 1e6, 9)


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


@cache
def _map() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((_folder() / MAP).read_text("utf-8"))
    found.pop("sample_spec", None)
    return found


def _folder() -> Path:
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])
