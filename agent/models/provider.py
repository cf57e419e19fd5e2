"""A model at a provider, or on a local server, called through litellm. litellm is imported before the first reply. Its
import takes seconds, so a thread starts it as soon as a model is loaded, while the workspace is opened. Its retries
are off, since each request has its own reservation.

litellm's exceptions become readable errors: ModelError, or Refused if only the user can fix the cause. A request counts
as billed, and its whole reservation is charged, if its outcome is unknown: the stream broke off, the request timed out,
or a gateway gave up on the server behind it. A provider that reports an error itself does not charge for the request.

litellm is imported without its side effects: no network access, no `.env` files, no output on stderr.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from importlib import import_module
from ipaddress import ip_address
from math import isfinite
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aci.docker.container_limits import parse_size
from aci.observation.secret_masking import replace_secrets, without_url_secrets
from aci.observation.untrusted_text import clean_text
from agent.config.api_keys import Key, advice, find_key, key_for, looks_secret
from agent.models import _prices, _request_encoder, _stream, _text_tool_calls
from agent.models._protocol import route
from agent.models._reply_decoder import decode_reply
from agent.models._reply_limits import ReplyLimits
from agent.models.base import Message, PermissionDenied, RequestOptions
from trajectories.errors import Cancelled, ConfigError, ModelError, Refused, SweAgentError
from trajectories.records import Reply, Usage

if TYPE_CHECKING:
    from agent.config.model_table import ModelTable
    from agent.config.settings import Settings
    from agent.models._reply_limits import Reason

GATEWAY = frozenset({408, 502, 504})
AGAIN = frozenset({408, 409, 425, 429})
BUSY = frozenset({429, 529})
"""Status codes for too many requests from this user, or from all users."""
LONGEST = 300
"""Maximum number of characters of the provider's message that are shown."""
MOST_READ = 4000
"""Maximum number of characters of an error that are examined."""
MOST_MASKED = 100_000
"""Maximum number of characters of an error in which keys are masked. It is more than MOST_READ, since a key may extend
beyond that limit."""
OVERFLOW = re.compile(
    r"context.{0,20}(length|window|size)|prompt is too long|input is too long|too many (input )?tokens|"
    r"maximum.{0,30}tokens|exceeds?.{0,40}(tokens|token (limit|size))|reduce the length|request_too_large",
    re.IGNORECASE,
)
TOO_MUCH = re.compile(
    r"(output|completion)[ _]tokens|max_\w{0,20}tokens\W{0,3}(value|must be|is too large|too high)", re.IGNORECASE
)
"""Matches the error that Matches the error that `max_tokens` is more than the model can write. A message that also
mentions the context is about the input length."""
UNPAID = re.compile(
    r"insufficient_quota|exceeded your current quota|credit balance|insufficient.{0,10}(credit|balance|funds)", re.I
)
DISLIKED = re.compile(
    r"\b(input|prompt|content|message)s?\b.{0,40}\b(flagged|blocked|moderat)|requires moderation|content.{0,10}policy",
    re.IGNORECASE,
)
"""Matches errors of a provider that objects to the content of the request, not to the sender."""
ACCOUNT = re.compile(
    r"\b(key|token|account|organi[sz]ation|project|credentials?|expired|credits?|limit|quota|permissions?)\b", re.I
)
OTHER_WORDS = "Try another model, or reword the issue."
UNREACHED = re.compile(
    r"connect(ion)? ?(error|refused)|connecterror|name or service not known|nodename nor servname", re.I
)
CONNECTED = {"MidStreamFallbackError", "ReadError", "ReadTimeout", "RemoteProtocolError", "WriteError", "WriteTimeout"}
"""Names of exceptions that occur after the connection was established: the provider may have received the request and
charge for it."""
SAID = re.compile(r'"message":\s*"((?:[^"\\]|\\.)*)')
KIND = r"\w{0,60}(?:Error|Exception|Timeout)"
PREFIX = re.compile(rf"(?:litellm\.\w{{1,60}}:|{KIND}(?: {KIND})?(?::| -)) ")
OWN_ADVICE = re.compile(r"( Original exception:|\.? Handle with `litellm).*", re.DOTALL)
KEY = re.compile(r"\b(sk|key|pk|gsk|xai|AIza)[-_][\w*.-]{8,}|AIza[\w-]{20,}")


MISREAD = (AttributeError, IndexError, KeyError, TypeError, json.JSONDecodeError)
"""Raised when a response does not have the expected form. The message comes from Python, not from the provider."""


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """A request's model and server address, for messages. `fix` says where to set the key; `secrets` are masked."""

    model: str
    address: str
    fix: str
    secrets: tuple[str, ...]


def error_for_exception(error: Exception, asked: RequestTarget) -> ModelError:
    """Return the exception to raise in place of the one litellm raised."""
    chain = list(_chain(error))
    if missing := next((one for one in chain if isinstance(one, ImportError)), None):
        fix = "Reinstall swe-agent with its dependencies."
        return Refused(f"litellm cannot be imported: {missing}.", fix, billed=False)
    headers = next(
        (found for one in chain if (found := getattr(one, "litellm_response_headers", None)) is not None), None
    )
    message = _provider_message(error, asked)
    if headers is None:
        return _unanswered(chain, asked, message)
    codes = [code for one in chain if isinstance(code := getattr(one, "status_code", None), int) and code >= 400]
    return _answered(codes[-1] if codes else 500, headers, asked, message)


def error_for_filter(asked: RequestTarget, usage: Usage | None) -> ModelError:
    """Return the error for a reply that the provider's filter withdrew. The provider charges for the tokens already
    written."""
    what = f"The provider's content filter ended a reply of {asked.model}."
    return ModelError(what, OTHER_WORDS, usage=usage)


def error_for_redirect(target: str, asked: RequestTarget) -> Refused:
    """Return the error for a redirect to another server. Nothing was sent to that server."""
    shown = without_url_secrets(_without_keys(clean_text(target), asked))[:LONGEST]
    what = f"{asked.address} redirects requests for {asked.model} to {shown}. Nothing was sent there."
    fix = f'If this server is correct, set it as api_base in [models."{asked.model}"] of your config.'
    return Refused(what, fix, billed=False)


def error_for_limit(reached: Reason, asked: RequestTarget, settings: Settings) -> SweAgentError:
    """Return the error for a reply that a limit ended. The provider may charge for the whole reply."""
    if reached == "cancelled":
        return Cancelled("Interrupted while the model was answering.")
    who = f"{asked.model} at {asked.address}"
    if reached == "large":
        fix = "Set SWE_AGENT_MAX_REPLY to allow larger replies."
        return ModelError(f"{who} sent a reply larger than {settings.max_reply}.", fix)
    if reached == "compressed":
        fix = "Turn off compression in the server, or in the proxy in front of it."
        return ModelError(f"{who} sent a compressed reply although compression was declined.", fix)
    seconds, variable = (
        (settings.first_timeout, "FIRST_TIMEOUT") if reached == "first" else (settings.model_timeout, "MODEL_TIMEOUT")
    )
    what = f"{who} sent no text, reasoning or arguments for {seconds:g} s."
    return ModelError(what, f"Set SWE_AGENT_{variable} to allow more seconds.", retryable=True)


def error_for_broken_reply(asked: RequestTarget, what: str) -> ModelError:
    """Return the error for a response that started and cannot be used."""
    return ModelError(f"{asked.model} at {asked.address} {what}.", retryable=True)


def _answered(status: int, headers: Mapping[str, str], asked: RequestTarget, message: str) -> ModelError:
    """Return the error for an HTTP error status, with the provider's message."""
    named = f"{asked.model} answered {status}: {message}."
    of_request = ModelError(named, OTHER_WORDS, billed=False)
    if status == 403 and DISLIKED.search(message):
        return of_request
    if status in (401, 403):
        refused = f"{asked.address} rejected the key for {asked.model} ({status}): {message}."
        if status == 403 and not ACCOUNT.search(message):
            return PermissionDenied(refused, asked.fix, of_request)
        return Refused(refused, asked.fix, billed=False)
    if status == 402 or (status in (400, 429) and UNPAID.search(message)):
        return Refused(
            f"The account for {asked.model} has no credit left ({status}): {message}.",
            "Add credit, or choose another model.",
            billed=False,
        )
    if status == 404:
        fix = "Correct the model's name, or its api_base in your config."
        return Refused(f"{asked.address} has no model {asked.model} (404): {message}.", fix, billed=False)
    if status in (400, 422) and TOO_MUCH.search(message) and "context" not in message.lower():
        fix = f"Lower its max_output: `swe-agent config set models.{asked.model}.max_output TOKENS`."
        return ModelError(named, fix, billed=False)
    if status == 413 or (status in (400, 422, 500) and OVERFLOW.search(message)):
        return ModelError(named, overflow=True, billed=False)
    if status >= 500 or status in AGAIN:
        wait = _wait(headers)
        limited = status in BUSY or (status == 503 and wait is not None)
        return ModelError(named, retryable=True, wait=wait, billed=status in GATEWAY, limited=limited)
    return ModelError(named, billed=False)


def _unanswered(chain: list[BaseException], asked: RequestTarget, message: str) -> ModelError:
    """Return the error for a request without an HTTP status: no connection, a time-out, or a broken response."""
    kinds = {type(one).__name__ for one in chain}
    texts = " ".join(str(one)[:MOST_READ] for one in chain)
    if kinds & {"ConnectError", "ConnectTimeout"} or (not kinds & CONNECTED and UNREACHED.search(texts)):
        fix = "Check that the server is running and that its api_base is correct."
        return ModelError(f"{asked.address} cannot be reached for {asked.model}.", fix, retryable=True, billed=False)
    if kinds & {"ReadTimeout", "WriteTimeout", "PoolTimeout", "APITimeoutError", "Timeout"}:
        fix = "Set SWE_AGENT_MODEL_TIMEOUT to allow more seconds without output."
        return ModelError(f"{asked.model} at {asked.address} stopped responding.", fix, retryable=True)
    if getattr(chain[0], "status_code", None) == 400:
        return ModelError(f"litellm refused to send this request to {asked.model}: {message}.", billed=False)
    if any(isinstance(one, MISREAD) and str(one) in str(chain[0]) for one in chain):
        return error_for_broken_reply(asked, "sent a response that does not follow its protocol")
    return error_for_broken_reply(asked, f"was interrupted: {message}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the exception and the exceptions that caused it, outermost first."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and not any(one is known for known in seen):
            seen.append(one)
            yield one
            waiting += [getattr(one, "original_exception", None), one.__cause__, one.__context__]


def _provider_message(error: Exception, asked: RequestTarget) -> str:
    """Return the provider's message on one line, shortened, without keys and terminal control characters."""
    text = replace_secrets(str(error)[:MOST_MASKED], asked.secrets, "***")[
        :MOST_READ
    ]  # mask before truncating, since a truncated key is not recognised
    if found := SAID.search(text):
        text = _unquoted(found[1])
    text = OWN_ADVICE.sub("", text)
    while prefix := PREFIX.match(text):
        text = text[prefix.end() :]
    text = re.sub(r"<[^<>]*>", " ", without_url_secrets(clean_text(text)))
    text = " ".join(text.removeprefix("b'").split()).rstrip("'. ")
    text = _without_keys(text, asked)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _without_keys(text: str, asked: RequestTarget) -> str:
    """Return the text with each key masked, in all the forms that `disguises` recognises."""
    return KEY.sub("***", replace_secrets(text, asked.secrets, "***"))


def _unquoted(text: str) -> str:
    """Decode the inside of a JSON string, including one that went through Python's repr of bytes."""
    try:
        return str(json.loads(f'"{text}"'.replace("\\'", "'"), strict=False))
    except ValueError:
        return text


def _wait(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the provider asks to wait. If the provider gives a date, it is compared with the
    provider's own clock."""
    given = headers.get("retry-after")
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = _until(given, headers.get("date"))
    return max(0.0, seconds) if isfinite(seconds) else None


def _until(date: str, now: str | None) -> float:
    try:
        there = parsedate_to_datetime(now) if now else datetime.now(UTC)
        return (parsedate_to_datetime(date) - there).total_seconds()
    except (ValueError, TypeError):
        return float("nan")


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
        quiet()
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
        stream = library().completion(**request)
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
    begin()
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


LOCAL = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    # Otherwise litellm reads `.env` from the working directory upwards, so an untrusted repository could redirect keys.
    "LITELLM_MODE": "PRODUCTION",
}
LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")


@cache
def begin() -> None:
    """Start the import in a background thread, once. Importing it takes seconds."""
    Thread(target=_early, name="import litellm", daemon=True).start()


def _early() -> None:
    # If the import fails, its error is raised again where litellm is needed, at the first reply.
    with suppress(Exception):
        library()
        # these imports take half a second, which would delay the first request
        import_module("openai.resources")
        import_module("litellm.litellm_core_utils.default_encoding")


@cache
def library() -> ModuleType:
    """Return the configured litellm module."""
    quiet()
    os.environ.update(LOCAL)
    with _uncollected():
        import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.disable_streaming_logging = True
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return litellm


@contextmanager
def _uncollected() -> Iterator[None]:
    """Turn off garbage collection during the import, then freeze the objects.

    The import makes half a million objects that live as long as the process. Garbage collection would take a quarter of
    the import time, and these objects would slow down each later full collection.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collecting:
            gc.enable()


def quiet() -> None:
    """Hide deprecation and serializer warnings of litellm and its dependencies."""
    warnings.filterwarnings("ignore", module=r"(litellm|pydantic|openai|httpx|aiohttp|botocore|importlib_metadata)\b")
    warnings.filterwarnings("ignore", "(?s)Pydantic serializer warnings", UserWarning)
