"""Conversion of litellm's exceptions to readable errors: ModelError, or Refused if only the user can fix the cause.

A request counts as billed, and its whole reservation is charged, if its outcome is unknown: the stream broke off, the
request timed out, or a gateway gave up on the server behind it. A provider that reports an error itself does not charge
for the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import TYPE_CHECKING

from aci.observation.secret_forms import replace_secrets, without_url_secrets
from aci.observation.untrusted_text import clean_text
from agent.models.base import PermissionDenied
from trajectories.errors import Cancelled, ModelError, Refused, SweAgentError
from trajectories.records import Usage

if TYPE_CHECKING:
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
