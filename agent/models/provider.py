"""A model at a provider, or on a local server, through litellm.

litellm is imported when the first reply is needed; a thread begins with it as soon as a model is loaded, so that the
seconds it takes pass while the workspace is opened. Its retries are off: each request has its own hold.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aci.confinement import size
from agent.keys import Key, advice, find_key, key_for, looks_secret, without_userinfo
from agent.models import _fenced, _library, _prices, _stream, _wire
from agent.models._failures import Asked, broken, failure, filtered, limited, redirected
from agent.models._reply import incoming
from agent.models._reply_limits import ReplyLimits
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
LONGEST_TOKEN = 16
"""Characters that one token of output has at most, on average; a stream that goes on longer has no end."""


@dataclass(frozen=True, slots=True)
class Found:
    """`wire` is litellm's name for a model; `base` the address, "" for the provider's own."""

    wire: str
    table: ModelTable
    key: Key
    base: str


class Provider:
    """`name` is what the user wrote, the route's `wire` what litellm is given."""

    def __init__(self, name: str, found: Found, settings: Settings) -> None:
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
        fix = f"Mend the key, {found.key.where}." if found.key.value else advice(wire, table)
        self._asked = Asked(name, without_userinfo(base) or self._route.provider, fix, self.secrets)

    def reply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: Asking) -> Reply:
        _library.quiet()
        answer = _stream.Answer()
        settings = self._settings
        limits = ReplyLimits(asking.cancel, settings.first_timeout, settings.model_timeout, size(settings.max_reply))
        request = self._request(messages, tools, asking)
        with limits, closing(self._sent(request, answer, asking, limits)) as texts:
            for text in filter(None, texts):
                asking.delta(text)
        reply = incoming(answer, self._route, self.name, tools, asking.max_output)
        if answer.finish == "content_filter":
            raise filtered(self._asked, reply.usage)
        if not answer.finish:
            # Asked again, it is read whole: litellm splits some streams where a line separator stands in the text.
            self._broken.add((asking.branch, asking.ask))
            raise broken(self._asked, "ended the stream before the reply was done")
        return reply

    def _sent(
        self, request: dict[str, Any], answer: _stream.Answer, asking: Asking, limits: ReplyLimits
    ) -> Generator[str, None, None]:
        """Send the request and read into `answer`, giving the text as it comes. What fails in here is not ours."""
        error: Exception | None = None
        try:
            yield from self._read(request, answer, asking, limits)
        except SweAgentError:
            raise
        except Exception as raised:  # noqa: BLE001 - litellm raises of every kind; all of them become ours
            error = raised
        if limits.reached == "redirected":
            raise redirected(limits.target, self._asked)
        if limits.reached is not None:  # whatever litellm made of that
            raise limited(limits.reached, self._asked, self._settings)
        if error is not None:
            raise failure(error, self._asked) from None

    def _read(
        self, request: dict[str, Any], answer: _stream.Answer, asking: Asking, limits: ReplyLimits
    ) -> Generator[str, None, None]:
        """The texts of an answer. A server that does not stream, although asked to, is read whole."""
        stream = _library.library().completion(**request)
        if not request["stream"]:
            return _stream.whole(stream.model_dump(exclude_none=True, warnings=False), answer)
        response = _stream.raw_response(stream)
        kind = "" if response is None else response.headers.get("content-type", "")
        if "json" in kind:
            return _stream.whole(json.loads(response.read()), answer)
        if "html" in kind:
            _stream.close(stream)
            raise broken(self._asked, "answered with a web page, as a proxy does")
        return _stream.collect(stream, answer, limits, asking.max_output * LONGEST_TOKEN)

    def _request(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: Asking) -> dict[str, Any]:
        route = self._route
        ask = asking.branch, asking.ask
        streams = route.responses or ask not in self._broken
        self._broken.discard(ask)
        said = _fenced.outgoing(messages, tools) if route.fenced else messages
        effort = route.effort(self._effort, asking.max_output, _wire.mute(said))
        wished = None if effort else asking.temperature  # a model that thinks takes none
        optional = {
            **self._fixed,
            "temperature": wished if self._temperature is None else self._temperature,
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
            "timeout": self._settings.model_timeout,
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
    found = find(name, settings)
    if found.table.key_env and not found.key.value:
        key_for(found.wire, found.table)
    if not found.key.value and not found.base and found.wire.partition("/")[0] not in KEYLESS | OWN_CREDENTIALS:
        raise ConfigError(f"There is no key for {name}.", advice(found.wire, found.table))
    model = Provider(name, found, settings)
    _library.begin()
    return model


def facts_of(name: str, table: ModelTable) -> _prices.Facts:
    """What is known of a model without asking for its key. Raises ConfigError for a name that is none."""
    return _facts(_wire_name(name, table), name, table)


def _facts(wire: str, name: str, table: ModelTable) -> _prices.Facts:
    """What the user's table says of a model, and where it says nothing, litellm's."""
    known = _prices.facts(wire)
    window = table.context or known.window
    most = known.max_output or MAX_OUTPUT
    return replace(
        known,
        price=table.price(name, known.price),
        window=window,
        # One window holds request and reply, and a conversation needs most of it.
        max_output=table.max_output or (min(most, max(window // 3, 1)) if window else most),
        images=known.images if table.images is None else table.images,
    )


def find(name: str, settings: Settings) -> Found:
    """Where a request to the model of that name would go, and with which key; one that is missing says so itself.

    Raises ConfigError for a name that is none.
    """
    table = settings.model_table(name, name.partition("/")[2])
    wire = _wire_name(name, table)
    return Found(wire, table, find_key(wire, table), table.api_base or _usual_base(wire.partition("/")[0]))


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
