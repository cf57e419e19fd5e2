"""A model at a provider, or on a local server, called through litellm. litellm is imported before the first reply. Its
import takes seconds, so a thread starts it as soon as a model is loaded, while the workspace is opened. Its retries are
off, since each request has its own reservation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aci.docker.container_limits import parse_size
from aci.observation.secret_forms import without_url_secrets
from agent.config.api_keys import Key, advice, find_key, key_for, looks_secret
from agent.models import _litellm, _prices, _request_encoder, _stream, _text_tool_calls
from agent.models._errors import (
    RequestTarget,
    error_for_broken_reply,
    error_for_exception,
    error_for_filter,
    error_for_limit,
    error_for_redirect,
)
from agent.models._protocol import route
from agent.models._reply_decoder import decode_reply
from agent.models._reply_limits import ReplyLimits
from agent.models.base import Message, RequestOptions
from trajectories.errors import ConfigError, SweAgentError
from trajectories.records import Reply

if TYPE_CHECKING:
    from agent.config.model_table import ModelTable
    from agent.config.settings import Settings

MAX_OUTPUT = 8192
"""Maximum number of tokens of one reply if the model's limit is unknown."""
KEYLESS = frozenset(
    {"ollama", "ollama_chat", "lm_studio", "llamafile", "hosted_vllm", "vllm", "oobabooga", "xinference"}
)
OWN_CREDENTIALS = frozenset({"bedrock", "vertex_ai", "sagemaker", "sagemaker_chat"})
"""Providers whose client libraries find credentials in the standard locations of their clouds."""
NO_KEY = "none"
"""Dummy key sent to a local server, since clients require one."""
LONGEST_TOKEN = 16
"""Maximum average number of characters of one output token. A longer stream is assumed to be endless and is cut."""


@dataclass(frozen=True, slots=True)
class ProviderModel:
    """The destination of requests to a model. `wire` is litellm's name; `base` is the server's URL, "" for the
    provider's default."""

    wire: str
    table: ModelTable
    key: Key
    base: str


class Provider:
    """A model that is called through litellm. `name` is the name that the user gave; the route's `wire` is litellm's
    name."""

    def __init__(self, name: str, found: ProviderModel, settings: Settings) -> None:
        wire, table, base = found.wire, found.table, found.base
        known = _facts(wire, name, table)
        self.name = name
        self.price, self.window, self.max_output = known.price, known.window, known.max_output
        self.images = bool(known.images)
        self.fallback = table.fallback
        key = found.key.value or NO_KEY * (wire.partition("/")[0] not in OWN_CREDENTIALS)
        self.secrets = (key,) if looks_secret(key) else ()
        self._route = route(wire, known, table)
        self._effort = table.effort or settings.effort
        self._fixed = {"api_key": key, "api_base": base}
        self._temperature = table.temperature
        self._settings = settings
        self._broken: set[tuple[str, int]] = set()
        fix = f"Correct the key, {found.key.where}." if found.key.value else advice(wire, table)
        self._asked = RequestTarget(name, without_url_secrets(base) or self._route.provider, fix, self.secrets)

    def reply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: RequestOptions) -> Reply:
        _litellm.quiet()
        answer = _stream.Answer()
        settings = self._settings
        limits = ReplyLimits(
            asking.cancel, settings.first_timeout, settings.model_timeout, parse_size(settings.max_reply)
        )
        request = self._request(messages, tools, asking)
        with limits, closing(self._stream_texts(request, answer, asking, limits)) as texts:
            for text in filter(None, texts):
                asking.delta(text)
        reply = decode_reply(answer, self._route, self.name, tools, asking.max_output)
        if answer.finish == "content_filter":
            raise error_for_filter(self._asked, reply.usage)
        if not answer.finish:
            # A retry does not stream: litellm splits some streams at a line separator character in the text.
            self._broken.add((asking.branch, asking.ask))
            raise error_for_broken_reply(self._asked, "ended the stream before the reply was done")
        return reply

    def _stream_texts(
        self, request: dict[str, Any], answer: _stream.Answer, asking: RequestOptions, limits: ReplyLimits
    ) -> Generator[str, None, None]:
        """Send the request, read the response into `answer`, and yield its text as it arrives.

        Every error of litellm is converted to an error of this project.
        """
        error: Exception | None = None
        try:
            yield from self._read(request, answer, asking, limits)
        except SweAgentError:
            raise
        except Exception as raised:  # noqa: BLE001 - litellm raises all kinds of exceptions
            error = raised
        if limits.reached == "redirected":
            raise error_for_redirect(limits.target, self._asked)
        if limits.reached is not None:  # regardless of the exception that litellm raised for it
            raise error_for_limit(limits.reached, self._asked, self._settings)
        if error is not None:
            raise error_for_exception(error, self._asked) from None

    def _read(
        self, request: dict[str, Any], answer: _stream.Answer, asking: RequestOptions, limits: ReplyLimits
    ) -> Generator[str, None, None]:
        """Return the texts of a response. If the server does not stream although it was asked to, read the response
        whole."""
        stream = _litellm.library().completion(**request)
        if not request["stream"]:
            return _stream.read_completion(stream.model_dump(exclude_none=True, warnings=False), answer)
        response = _stream.raw_response(stream)
        kind = "" if response is None else response.headers.get("content-type", "")
        if "json" in kind:
            return _stream.read_completion(json.loads(response.read()), answer)
        if "html" in kind:
            _stream.close(stream)
            raise error_for_broken_reply(self._asked, "answered with a web page, probably from a proxy")
        return _stream.collect(stream, answer, limits, asking.max_output * LONGEST_TOKEN)

    def _request(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: RequestOptions
    ) -> dict[str, Any]:
        route = self._route
        ask = asking.branch, asking.ask
        streams = route.responses or ask not in self._broken
        self._broken.discard(ask)
        said = _text_tool_calls.render_tool_calls(messages, tools) if route.fenced else messages
        effort = route.effort(self._effort, asking.max_output, _request_encoder.has_only_mute_calls(said))
        wished = None if effort else asking.temperature  # thinking models accept no temperature
        optional = {
            **self._fixed,
            "temperature": wished if self._temperature is None else self._temperature,
            "tools": None if route.fenced else _request_encoder.mark_tools(tools, route),
            "reasoning_effort": effort,
            "stream_options": {"include_usage": True} if streams else None,
            **({"store": False, "include": ["reasoning.encrypted_content"]} if route.responses else {}),
        }
        return {
            "model": route.wire,
            "messages": _request_encoder.encode_messages(said, route),
            "max_tokens": asking.max_output,
            "stream": streams,
            "timeout": self._settings.model_timeout,
            "num_retries": 0,
            "max_retries": 0,
            # litellm leaves out parameters that the model does not accept, such as an effort.
            "drop_params": True,
            # litellm would look for MCP servers among the tools, which requires further imports.
            "_skip_mcp_handler": True,
            **{name: value for name, value in optional.items() if value not in (None, "", [])},
        }


def load(name: str, settings: Settings) -> Provider:
    """Return the model with a litellm name. Raises ConfigError for an unknown provider and for a missing key."""
    found = find(name, settings)
    if found.table.key_env and not found.key.value:
        key_for(found.wire, found.table)
    if not found.key.value and not found.base and found.wire.partition("/")[0] not in KEYLESS | OWN_CREDENTIALS:
        raise ConfigError(f"No API key for {name} is set.", advice(found.wire, found.table))
    model = Provider(name, found, settings)
    _litellm.begin()
    return model


def facts_of(name: str, table: ModelTable) -> _prices.ModelFacts:
    """Return the known facts about a model, without needing its key. Raises ConfigError for an invalid name."""
    return _facts(_wire_name(name, table), name, table)


def _facts(wire: str, name: str, table: ModelTable) -> _prices.ModelFacts:
    """Return the facts in the user's settings, completed with litellm's."""
    known = _prices.facts(wire)
    window = table.context or known.window
    most = known.max_output or MAX_OUTPUT
    # The map lists local models as free. Only the user knows whether a server bills for them, as a proxy may.
    is_free = known.price is not None and not (known.price.input or known.price.output)
    listed = None if is_free and _own_server(wire, table) else known.price
    return replace(
        known,
        price=table.price(name, listed),
        window=window,
        # The window holds request and reply, and a conversation needs most of it.
        max_output=table.max_output or (min(most, max(window // 3, 1)) if window else most),
        images=known.images if table.images is None else table.images,
    )


def own_server(name: str, settings: Settings) -> str:
    """Return the address of the user's own server for a model, or the name of the program that serves it; "" for a
    model at a provider. A server is the user's own if it is on this machine or in a private network. Raises ConfigError
    for an invalid name."""
    table = settings.model_table(name, name.partition("/")[2])
    return _own_server(_wire_name(name, table), table)


def _own_server(wire: str, table: ModelTable) -> str:
    provider = wire.partition("/")[0]
    address = without_url_secrets(table.api_base or _usual_base(provider))
    if address:
        return address if _is_private(address) else ""
    return provider if provider in KEYLESS else ""


def _is_private(address: str) -> bool:
    """Return whether an address is on this machine or in a private network."""
    try:
        host = urlsplit(address).hostname or ""
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".localhost", ".local", ".lan", ".internal"))


def find(name: str, settings: Settings) -> ProviderModel:
    """Return the destination of requests to the named model, and the key to use. A missing key is not an error here.

    Raises ConfigError for an invalid name.
    """
    table = settings.model_table(name, name.partition("/")[2])
    wire = _wire_name(name, table)
    return ProviderModel(wire, table, find_key(wire, table), table.api_base or _usual_base(wire.partition("/")[0]))


def _wire_name(name: str, table: ModelTable) -> str:
    """Return the name with its provider, as litellm expects it."""
    prefix, slash, rest = name.partition("/")
    if not name.isprintable() or any(part.isspace() for part in name) or (slash and not rest):
        raise ConfigError(f"{name!r} is not a valid model name.", "Use one like anthropic/claude-sonnet-4-5.")
    if slash and prefix in _prices.providers():
        return name
    if provider := _prices.facts(name).provider:
        return name if slash else f"{provider}/{name}"
    if table.api_base:
        return f"openai/{name}"
    what = f"Unknown provider {prefix!r}" if slash else f"Unknown model {name!r}"
    raise ConfigError(
        f"{what}.",
        f"Write provider/model, as in openai/{rest or name}; for a server of your own also set its api_base in "
        f'[models."{name}"] of your config.',
    )


def _usual_base(provider: str) -> str:
    names = (f"{provider.upper()}_{what}" for what in ("API_BASE", "BASE_URL"))
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
