"""A model at a provider, or on a local server, through litellm.

litellm is imported when the first reply is needed; a thread begins with it as soon as a model is loaded, so that the
seconds it takes pass while the workspace is opened. Its retries are off: each request has its own hold.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent.keys import Key, find_key, key_for, usual_variable
from agent.models import _fenced, _library, _listing, _prices, _stream, _wire
from agent.models._failures import Asked, broken, failure, filtered
from agent.models._reply import incoming
from agent.models._route import route
from agent.models.base import Asking, Message
from trajectories.errors import ConfigError, SweAgentError
from trajectories.records import Reply

if TYPE_CHECKING:
    from agent.settings import ModelTable, Settings

MAX_OUTPUT = 8192
"""Tokens of one reply where nobody knows how many the model may write."""
KEYLESS = frozenset(
    {"ollama", "ollama_chat", "lm_studio", "llamafile", "hosted_vllm", "vllm", "oobabooga", "xinference"}
)
OWN_CREDENTIALS = frozenset({"bedrock", "vertex_ai", "sagemaker", "sagemaker_chat"})
"""Providers that find credentials where their clouds keep them."""
NO_KEY = "none"
"""Sent to a local server, since clients insist on some key."""


class Provider:
    """`name` is what the user wrote, the route's `wire` what litellm is given."""

    def __init__(self, name: str, wire: str, table: ModelTable, key: str, base: str, settings: Settings) -> None:
        known = _prices.facts(wire)
        self.name = name
        self.price = table.price() or known.price
        self.window = table.context or known.window
        most = known.max_output or MAX_OUTPUT
        # One window holds request and reply, and a conversation needs most of it.
        self.max_output = table.max_output or (min(most, max(self.window // 3, 1)) if self.window else most)
        self.images = bool(known.images) if table.images is None else table.images
        self.fallback = table.fallback
        self.secrets = (key,) if key and key != NO_KEY else ()
        self._route = route(wire, known, table)
        self._effort = table.effort or settings.effort
        self._fixed = {"api_key": key, "api_base": base, "temperature": table.temperature}
        self._timeout = settings.model_timeout
        self._broken: set[tuple[str, int]] = set()
        fix = f"Mend the key: ${table.key_env or usual_variable(wire)}, or `swe-agent config`."
        self._asked = Asked(name, base or self._route.provider, fix, self.secrets)

    def reply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: Asking) -> Reply:
        _library.quiet()
        try:
            answer = self._answer(self._request(messages, tools, asking), asking)
        except SweAgentError:
            raise
        except Exception as error:  # noqa: BLE001 - litellm raises of every kind; all of them become ours
            raise failure(error, self._asked) from None
        reply = incoming(answer, self._route, self.name, tools, asking.max_output)
        if answer.finish == "content_filter":
            raise filtered(self._asked, reply.usage)
        if not answer.finish:
            # Asked again, it is read whole: litellm splits some streams where a line separator stands in the text.
            self._broken.add((asking.branch, asking.ask))
            raise broken(self._asked, "ended the stream before the reply was done")
        return reply

    def _answer(self, request: dict[str, Any], asking: Asking) -> _stream.Answer:
        """Sends the request. A server that does not stream, although asked to, is read whole."""
        stream = _library.library().completion(**request)
        if not request["stream"]:
            return _stream.whole(stream.model_dump(exclude_none=True, warnings=False), asking.delta)
        response = _stream.raw_response(stream)
        kind = "" if response is None else response.headers.get("content-type", "")
        if "json" in kind:
            return _stream.whole(json.loads(response.read()), asking.delta)
        if "html" in kind:
            raise broken(self._asked, "answered with a web page, as a proxy does")
        return _stream.collect(stream, asking.delta, asking.cancel)

    def _request(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: Asking) -> dict[str, Any]:
        route = self._route
        streams = route.responses or (asking.branch, asking.ask) not in self._broken
        said = _fenced.outgoing(messages, tools) if route.fenced else messages
        effort = route.effort(self._effort, asking.max_output, _wire.mute(said))
        optional = {
            **self._fixed,
            "tools": None if route.fenced else _wire.marked(tools, route),
            "reasoning_effort": effort,
            "stream_options": {"include_usage": True} if streams else None,
            **({"store": False, "include": ["reasoning.encrypted_content"]} if route.responses else {}),
        }
        return {
            "model": route.wire,
            "messages": _wire.outgoing(said, route),
            "max_tokens": asking.max_output,
            "stream": streams,
            "timeout": self._timeout,
            "num_retries": 0,
            "max_retries": 0,
            # What the model does not take, such as an effort, is left out.
            "drop_params": True,
            # litellm would look for MCP servers among the tools, and import what that takes.
            "_skip_mcp_handler": True,
            **{name: value for name, value in optional.items() if value not in (None, "", [])},
        }


def load(name: str, settings: Settings) -> Provider:
    """The model of a litellm name. Raises ConfigError for an unknown provider and for a key that is missing."""
    wire, table, key, base = _found(name, settings)
    provider = wire.partition("/")[0]
    if not key.value and not base and provider not in KEYLESS | OWN_CREDENTIALS:
        fix = f"Set ${usual_variable(wire)}, or store one: `swe-agent config` says how."
        raise ConfigError(f"There is no key for {name}.", fix)
    _library.begin()
    return Provider(name, wire, table, key.value or NO_KEY * (provider not in OWN_CREDENTIALS), base, settings)


def check(name: str, settings: Settings, ask: bool = False) -> str:
    """What a run with this model would work with: price, window, key; costs nothing and does not import litellm.

    `ask`: also ask a server with an address of its own whether it is there and has the model.
    Raises ConfigError for a name that is none, ModelError or Refused for a server that does not answer well.
    """
    wire, table, key, base = _found(name, settings)
    model = Provider(name, wire, table, key.value, base, settings)
    price = model.price
    source = "your config" if price and price.own else "litellm's map"
    said = [
        f"${price.input:g} in and ${price.output:g} out per million tokens, from {source}"
        if price
        else "no price known",
        f"window {model.window:,} tokens" if model.window else "window unknown",
        f"at most {model.max_output:,} tokens a reply",
        f"key {key.where}",
    ]
    if ask and base:
        said.append(_listing.listed(base, wire, key.value))
    return f"{name}: {'; '.join(said)}."


def _found(name: str, settings: Settings) -> tuple[str, ModelTable, Key, str]:
    """litellm's name for a model, the user's table, the key and the address, "" for the provider's own."""
    table = settings.model_table(name, name.partition("/")[2])
    wire = _wire_name(name, table)
    key = find_key(wire, table)
    if table.key_env and not key.value:
        key_for(wire, table)
    return wire, table, key, table.api_base or _usual_base(wire.partition("/")[0])


def _wire_name(name: str, table: ModelTable) -> str:
    """The name with its provider, as litellm wants it."""
    prefix, slash, rest = name.partition("/")
    if not name.isprintable() or any(part.isspace() for part in name) or (slash and not rest):
        raise ConfigError(f"{name!r} is no name of a model.", "Use one like anthropic/claude-sonnet-4-5.")
    if slash and prefix in _prices.providers():
        return name
    if provider := _prices.facts(name).provider:
        return name if slash else f"{provider}/{name}"
    if table.api_base:
        return f"openai/{name}"
    what = f"There is no provider {prefix!r}" if slash else f"No model named {name!r} is known"
    raise ConfigError(
        f"{what}.",
        f"Write provider/model, as in openai/{rest or name}; for a server of your own also set its api_base in "
        f'[models."{name}"] of your config.',
    )


def _usual_base(provider: str) -> str:
    names = (f"{provider.upper()}_{what}" for what in ("API_BASE", "BASE_URL"))
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
