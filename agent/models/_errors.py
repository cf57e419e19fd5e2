"""What litellm raises, as sentences: ModelError, or Refused where only the user can mend it.

Billed, and then charged at the whole hold, is a request whose fate nobody knows: a stream that broke off, a time-out, a
gateway that gave up on the server behind it. A provider that answers with an error of its own does not charge for it.
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

from aci.disguises import hide
from aci.view import clean
from agent.keys import without_userinfo
from agent.models.base import Forbidden
from trajectories.errors import Cancelled, ModelError, Refused, SweAgentError
from trajectories.records import Usage

if TYPE_CHECKING:
    from agent.models._reply_limits import Reason
    from agent.settings import Settings

GATEWAY = frozenset({408, 502, 504})
AGAIN = frozenset({408, 409, 425, 429})
BUSY = frozenset({429, 529})
"""Too many requests of ours, or of everybody's."""
LONGEST = 300
"""Characters of a provider's own words that are shown."""
MOST_READ = 4000
"""Characters of an error that are looked at."""
MOST_MASKED = 100_000
"""Characters of an error in which keys are masked: more than are looked at, since a key may lie on that limit."""
OVERFLOW = re.compile(
    r"context.{0,20}(length|window|size)|prompt is too long|input is too long|too many (input )?tokens|"
    r"maximum.{0,30}tokens|exceeds?.{0,40}(tokens|token (limit|size))|reduce the length|request_too_large",
    re.IGNORECASE,
)
TOO_MUCH = re.compile(
    r"(output|completion)[ _]tokens|max_\w{0,20}tokens\W{0,3}(value|must be|is too large|too high)", re.IGNORECASE
)
"""More asked for than the model writes at a time; what also speaks of the context is about the request's length."""
UNPAID = re.compile(
    r"insufficient_quota|exceeded your current quota|credit balance|insufficient.{0,10}(credit|balance|funds)", re.I
)
DISLIKED = re.compile(
    r"\b(input|prompt|content|message)s?\b.{0,40}\b(flagged|blocked|moderat)|requires moderation|content.{0,10}policy",
    re.IGNORECASE,
)
"""Of a request, not of who sends it."""
ACCOUNT = re.compile(
    r"\b(key|token|account|organi[sz]ation|project|credentials?|expired|credits?|limit|quota|permissions?)\b", re.I
)
OTHER_WORDS = "Try another model, or say the issue in other words."
UNREACHED = re.compile(
    r"connect(ion)? ?(error|refused)|connecterror|name or service not known|nodename nor servname", re.I
)
CONNECTED = {"MidStreamFallbackError", "ReadError", "ReadTimeout", "RemoteProtocolError", "WriteError", "WriteTimeout"}
"""Raised after a connection was made: the provider may have received the request, and may charge for it."""
SAID = re.compile(r'"message":\s*"((?:[^"\\]|\\.)*)')
KIND = r"\w{0,60}(?:Error|Exception|Timeout)"
PREFIX = re.compile(rf"(?:litellm\.\w{{1,60}}:|{KIND}(?: {KIND})?(?::| -)) ")
OWN_ADVICE = re.compile(r"( Original exception:|\.? Handle with `litellm).*", re.DOTALL)
KEY = re.compile(r"\b(sk|key|pk|gsk|xai|AIza)[-_][\w*.-]{8,}|AIza[\w-]{20,}")


MISREAD = (AttributeError, IndexError, KeyError, TypeError, json.JSONDecodeError)
"""Raised where an answer has another form than its reader expects; their words are of Python, not of the provider."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who was asked, for the sentences. `fix` says where the key belongs; `secrets` are masked."""

    model: str
    address: str
    fix: str
    secrets: tuple[str, ...]


def failure(error: Exception, asked: Asked) -> ModelError:
    """What to raise in place of anything litellm raised."""
    chain = list(_chain(error))
    if missing := next((one for one in chain if isinstance(one, ImportError)), None):
        fix = "Install swe-agent anew, with its dependencies."
        return Refused(f"litellm cannot be used: {missing}.", fix, billed=False)
    headers = next(
        (found for one in chain if (found := getattr(one, "litellm_response_headers", None)) is not None), None
    )
    said = _said(error, asked)
    if headers is None:
        return _unanswered(chain, asked, said)
    codes = [code for one in chain if isinstance(code := getattr(one, "status_code", None), int) and code >= 400]
    return _answered(codes[-1] if codes else 500, headers, asked, said)


def filtered(asked: Asked, usage: Usage | None) -> ModelError:
    """The provider's filter took the answer back, and charges for what there was of it."""
    what = f"The provider's content filter ended a reply of {asked.model}."
    return ModelError(what, OTHER_WORDS, usage=usage)


def redirected(target: str, asked: Asked) -> Refused:
    """The server redirects to another one, which was sent nothing."""
    shown = without_userinfo(_without_keys(clean(target), asked))[:LONGEST]
    what = f"{asked.address} redirects requests for {asked.model} to {shown}. Nothing was sent there."
    fix = f'If this is the right server, set the model\'s api_base to it in [models."{asked.model}"] of your config.'
    return Refused(what, fix, billed=False)


def limited(reached: Reason, asked: Asked, settings: Settings) -> SweAgentError:
    """What to raise where a reply was ended by a limit; the provider may charge for all of it."""
    if reached == "cancelled":
        return Cancelled("Interrupted while the model was answering.")
    who = f"{asked.model} at {asked.address}"
    if reached == "large":
        fix = "SWE_AGENT_MAX_REPLY allows larger ones."
        return ModelError(f"{who} sent a reply of more than {settings.max_reply}.", fix)
    if reached == "compressed":
        fix = "Turn compression off in the server, or in the proxy before it."
        return ModelError(f"{who} sent a compressed reply although compression was declined.", fix)
    seconds, variable = (
        (settings.first_timeout, "FIRST_TIMEOUT") if reached == "first" else (settings.model_timeout, "MODEL_TIMEOUT")
    )
    what = f"{who} sent no text, reasoning or arguments for {seconds:g} s."
    return ModelError(what, f"SWE_AGENT_{variable} allows more seconds.", retryable=True)


def broken(asked: Asked, what: str) -> ModelError:
    """An answer that began, and cannot be used."""
    return ModelError(f"{asked.model} at {asked.address} {what}.", retryable=True)


def _answered(status: int, headers: Mapping[str, str], asked: Asked, said: str) -> ModelError:
    """An error status with the provider's own words."""
    named = f"{asked.model} answered {status}: {said}."
    of_request = ModelError(named, OTHER_WORDS, billed=False)
    if status == 403 and DISLIKED.search(said):
        return of_request
    if status in (401, 403):
        refused = f"{asked.address} does not take the key for {asked.model} ({status}): {said}."
        if status == 403 and not ACCOUNT.search(said):
            return Forbidden(refused, asked.fix, of_request)
        return Refused(refused, asked.fix, billed=False)
    if status == 402 or (status in (400, 429) and UNPAID.search(said)):
        return Refused(
            f"The account for {asked.model} has nothing left ({status}): {said}.",
            "Top it up, or choose another model.",
            billed=False,
        )
    if status == 404:
        fix = "Mend the model's name, or its api_base in your config."
        return Refused(f"{asked.address} has no model {asked.model} (404): {said}.", fix, billed=False)
    if status in (400, 422) and TOO_MUCH.search(said) and "context" not in said.lower():
        fix = f"Lower its max_output: `swe-agent config set models.{asked.model}.max_output TOKENS`."
        return ModelError(named, fix, billed=False)
    if status == 413 or (status in (400, 422, 500) and OVERFLOW.search(said)):
        return ModelError(named, overflow=True, billed=False)
    if status >= 500 or status in AGAIN:
        wait = _wait(headers)
        limited = status in BUSY or (status == 503 and wait is not None)
        return ModelError(named, retryable=True, wait=wait, billed=status in GATEWAY, limited=limited)
    return ModelError(named, billed=False)


def _unanswered(chain: list[BaseException], asked: Asked, said: str) -> ModelError:
    """No status at all: no connection, silence, or an answer that broke off."""
    kinds = {type(one).__name__ for one in chain}
    texts = " ".join(str(one)[:MOST_READ] for one in chain)
    if kinds & {"ConnectError", "ConnectTimeout"} or (not kinds & CONNECTED and UNREACHED.search(texts)):
        fix = "Is the server running, and its api_base right?"
        return ModelError(f"{asked.address} cannot be reached for {asked.model}.", fix, retryable=True, billed=False)
    if kinds & {"ReadTimeout", "WriteTimeout", "PoolTimeout", "APITimeoutError", "Timeout"}:
        fix = "SWE_AGENT_MODEL_TIMEOUT allows more seconds of silence."
        return ModelError(f"{asked.model} at {asked.address} fell silent.", fix, retryable=True)
    if getattr(chain[0], "status_code", None) == 400:
        return ModelError(f"litellm does not send this to {asked.model}: {said}.", billed=False)
    if any(isinstance(one, MISREAD) and str(one) in str(chain[0]) for one in chain):
        return broken(asked, "sent an answer that is not of its protocol, which cannot be read")
    return broken(asked, f"broke off: {said}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and what it was raised from, outermost first."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and not any(one is known for known in seen):
            seen.append(one)
            yield one
            waiting += [getattr(one, "original_exception", None), one.__cause__, one.__context__]


def _said(error: Exception, asked: Asked) -> str:
    """The provider's own words on one line, short, without keys and what a terminal would obey."""
    text = hide(str(error)[:MOST_MASKED], asked.secrets, "***")[:MOST_READ]  # before a key is torn apart
    if found := SAID.search(text):
        text = _unquoted(found[1])
    text = OWN_ADVICE.sub("", text)
    while prefix := PREFIX.match(text):
        text = text[prefix.end() :]
    text = re.sub(r"<[^<>]*>", " ", without_userinfo(clean(text)))
    text = " ".join(text.removeprefix("b'").split()).rstrip("'. ")
    text = _without_keys(text, asked)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _without_keys(text: str, asked: Asked) -> str:
    """The text with a mark for each key, in all forms that `disguises` knows."""
    return KEY.sub("***", hide(text, asked.secrets, "***"))


def _unquoted(text: str) -> str:
    """The inside of a JSON string, also one that went through Python's repr of bytes."""
    try:
        return str(json.loads(f'"{text}"'.replace("\\'", "'"), strict=False))
    except ValueError:
        return text


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks to wait; a date is judged by the provider's own clock."""
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
