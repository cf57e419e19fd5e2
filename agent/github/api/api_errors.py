"""What GitHub refuses, in our words: each answer becomes one sentence, and one that says what to do."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from aci.view import clean, mask
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError

if TYPE_CHECKING:
    from github import GithubException
    from requests import RequestException

LONGEST = 300
"""Characters of the server's own words that are told."""
SECONDARY = re.compile(r"secondary rate limit|abuse detection|wait a few minutes|retry your request again later", re.I)
PRIMARY = re.compile(r"^api rate limit exceeded", re.I)


def refused(error: GithubException, what: str, needs: str = "", token: str = "GITHUB_TOKEN") -> SweAgentError:
    """`what`, `needs` and `token` as in `client.asking`."""
    headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
    said = message(error)
    match error.status:
        case 401:
            return ConfigError(
                f"GitHub does not know the token with which it was asked to {what}.",
                f"Set {token} anew, or unset it for what is public.",
            )
        case 429:
            return _limited(headers, said, what, token) or _slower("a minute", what)
        case 403:
            return _limited(headers, said, what, token) or _forbidden(headers, said, what, needs)
        case 404:
            return UsageError(
                f"GitHub has nothing there to {what}, or keeps it private.",
                f"Check the address, or use a token that may: {_needed(needs)}."
                if needs
                else f"Check the address, or set {token} to a token that may read it.",
            )
        case status if 300 <= status < 400:
            return UsageError(f"What GitHub was asked to {what} has another address now.", "Use its new address.")
        case status if 400 <= status < 500:
            told = f": {said}" if said else f" ({status})."
            return UsageError(f"GitHub refuses to {what}{told}", "")
        case status:
            return TryLater(f"GitHub has trouble: it answered {status} when asked to {what}.", "Try again later.")


def unreached(error: RequestException, what: str) -> SweAgentError:
    """Where no answer came."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        why = "its certificate is not trusted; REQUESTS_CA_BUNDLE names the certificates that are"
    elif isinstance(error, requests.exceptions.Timeout):
        why = "it was silent for too long"
    else:
        why = _innermost(error)
    return TryLater(f"GitHub could not be reached to {what}: {why}.", "Try again.")


def astray(error: RuntimeError, what: str) -> SweAgentError:
    """Where the server sends us on to another one, which gets no token of ours."""
    said = _told(str(error).partition(", ")[0])
    return ConfigError(
        f"GitHub sends us elsewhere when asked to {what}: {said}.", "Use the address that the server itself has."
    )


def message(error: GithubException) -> str:
    """GitHub's own words, and what it says of each fault; "" where it says nothing."""
    data: Any = error.data if isinstance(error.data, dict) else {}
    parts = [data.get("message")]
    faults = data.get("errors")
    for fault in faults if isinstance(faults, list) else [faults]:
        if isinstance(fault, dict):
            of = " ".join(str(fault[name]) for name in ("resource", "field", "code") if fault.get(name))
            parts.append(fault.get("message") or of)
        else:
            parts.append(fault)
    told = [_told(part).rstrip(".") for part in parts if isinstance(part, str) and part.strip()]
    return f"{'; '.join(dict.fromkeys(told))}." if told else ""


def _limited(headers: dict[str, str], said: str, what: str, token: str) -> TryLater | None:
    """One of GitHub's limits: so many requests an hour, or too many at once."""
    if headers.get("x-ratelimit-remaining") == "0" or PRIMARY.match(said):
        reset = headers.get("x-ratelimit-reset", "")
        until = f" until {_clock(int(reset))}" if reset.isdecimal() and len(reset) < 12 else ""
        limit = headers.get("x-ratelimit-limit", "")
        many = f"{limit} requests an hour" if limit.isdecimal() else "requests"
        fix = "Try again then."
        if limit.isdecimal() and int(limit) <= 60:
            fix = f"Try again then, or set {token}, which has a higher limit."
        return TryLater(f"GitHub's limit of {many} is used up{until}, so it does not let you {what}.", fix)
    wait = headers.get("retry-after", "")
    if wait or SECONDARY.search(said):
        seconds = f"{int(wait)} seconds" if wait.isdecimal() else "a minute"
        return _slower(seconds, what)
    return None


def _slower(wait: str, what: str) -> TryLater:
    return TryLater(f"GitHub asks to wait {wait}: it got too many requests to let you {what}.", "Try again then.")


def _forbidden(headers: dict[str, str], said: str, what: str, needs: str) -> ConfigError:
    if sso := re.search(r"url=(https://[^\s;]+)", headers.get("x-github-sso", "")):
        return ConfigError(
            f"GitHub does not let you {what}: the organisation wants the token to be authorised.",
            f"Open {_told(sso[1])}.",
        )
    accepted = _accepted(headers.get("x-accepted-github-permissions", ""))
    told = f": {said}" if said else "."
    fix = f"The token needs {_needed(needs) if needs else accepted}." if needs or accepted else "Use another token."
    return ConfigError(f"GitHub does not let you {what}{told}", fix)


def _accepted(header: str) -> str:
    """`issues=write,contents=read; pull_requests=write` as a workflow's `permissions` has it. One alternative of those
    between semicolons is enough."""
    alternatives = []
    for alternative in header.split(";"):
        rights = re.findall(r"([a-z_]{1,40})=([a-z]{1,10})", alternative)
        if rights:
            alternatives.append(" and ".join(f"`{name.replace('_', '-')}: {level}`" for name, level in rights))
    return " or ".join(alternatives)


def _needed(needs: str) -> str:
    return needs if "`" in needs else f"`{needs}`"


def _clock(seconds: int) -> str:
    return time.strftime("%H:%M UTC", time.gmtime(seconds))


def _innermost(error: BaseException) -> str:
    """What the operating system or the library below says, without addresses of objects and what was retried."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        inner = [one for one in (*error.args, getattr(error, "reason", None)) if isinstance(one, BaseException)]
        error = (inner or [error.__cause__ or error])[0]
    if isinstance(error, OSError) and error.strerror:
        return _told(error.strerror)
    told = re.sub(r"^<?[\w.]+(?:\([^)]*\))?(?: object at 0x\w+)?>?: ", "", str(error))
    return _told(re.sub(r"^\[Errno -?\d+\] ", "", told)).rstrip(".") or type(error).__name__


def _told(text: str) -> str:
    """Somebody else's words on one line."""
    line = " ".join(mask(clean(text)).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
