"""Translation of GitHub's errors: each becomes a sentence on what happened and one on what to do."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import clean_text
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError

if TYPE_CHECKING:
    from github import GithubException
    from requests import RequestException

LONGEST = 300
"""Maximum number of characters of the server's own message that are shown."""
SECONDARY = re.compile(r"secondary rate limit|abuse detection|wait a few minutes|retry your request again later", re.I)
PRIMARY = re.compile(r"^api rate limit exceeded", re.I)


def translate_refusal(error: GithubException, what: str, needs: str = "", token: str = "GITHUB_TOKEN") -> SweAgentError:
    """Return the error for a refusal; `what`, `needs` and `token` as in `github_client.translate_errors`."""
    headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
    said = message(error)
    match error.status:
        case 401:
            return ConfigError(
                f"GitHub rejects the token that was used to {what}.",
                f"Set {token} to a valid token, or unset it for public data.",
            )
        case 429:
            return _rate_limit_error(headers, said, what, token) or _wait_error("a minute", what)
        case 403:
            return _rate_limit_error(headers, said, what, token) or _forbidden(headers, said, what, needs)
        case 404:
            return UsageError(
                f"GitHub answers 404 to the request to {what}: it does not exist or is private.",
                f"Check the address, or use a token with {_needed(needs)}."
                if needs
                else f"Check the address, or set {token} to a token that may read it.",
            )
        case status if 300 <= status < 400:
            return UsageError(f"The address used to {what} has changed on GitHub.", "Use the new address.")
        case status if 400 <= status < 500:
            reason = f": {said}" if said else f" ({status})."
            return UsageError(f"GitHub refuses to {what}{reason}", "")
        case status:
            return TryLater(f"GitHub has a problem: it answered {status} when asked to {what}.", "Try again later.")


def connection_error(error: RequestException, what: str, host: str = "GitHub") -> SweAgentError:
    """Return the error for a request that got no response."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        why = "its certificate is not trusted; REQUESTS_CA_BUNDLE names a file of trusted ones"
    elif isinstance(error, requests.exceptions.Timeout):
        why = "it did not answer in time"
    else:
        why = _innermost(error)
    return TryLater(f"{host} could not be reached to {what}: {why}.", "Try again.")


def redirect_error(error: RuntimeError, what: str) -> SweAgentError:
    """Return the error for a redirect to another server, which does not get the token."""
    said = single_line(str(error).partition(", ")[0])
    return ConfigError(
        f"GitHub redirects to another server when asked to {what}: {said}.", "Use that server's own address."
    )


def message(error: GithubException) -> str:
    """Return GitHub's own message with its details on each error; "" without one."""
    data: Any = error.data if isinstance(error.data, dict) else {}
    parts = [data.get("message")]
    faults = data.get("errors")
    for fault in faults if isinstance(faults, list) else [faults]:
        if isinstance(fault, dict):
            of = " ".join(str(fault[name]) for name in ("resource", "field", "code") if fault.get(name))
            parts.append(fault.get("message") or of)
        else:
            parts.append(fault)
    lines = [single_line(part).rstrip(".") for part in parts if isinstance(part, str) and part.strip()]
    return f"{'; '.join(dict.fromkeys(lines))}." if lines else ""


def _rate_limit_error(headers: dict[str, str], said: str, what: str, token: str) -> TryLater | None:
    """Return the error for one of GitHub's rate limits (requests per hour, simultaneous requests), if it is one."""
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
        return _wait_error(seconds, what)
    return None


def _wait_error(wait: str, what: str) -> TryLater:
    return TryLater(f"GitHub requests a pause of {wait}: too many requests to let you {what}.", "Try again then.")


def _forbidden(headers: dict[str, str], said: str, what: str, needs: str) -> ConfigError:
    if sso := re.search(r"url=(https://[^\s;]+)", headers.get("x-github-sso", "")):
        return ConfigError(
            f"GitHub does not let you {what}: the organisation requires the token to be authorised.",
            f"Open {single_line(sso[1])}.",
        )
    accepted = _accepted(headers.get("x-accepted-github-permissions", ""))
    reason = f": {said}" if said else "."
    fix = f"The token needs {_needed(needs) if needs else accepted}." if needs or accepted else "Use another token."
    return ConfigError(f"GitHub does not let you {what}{reason}", fix)


def _accepted(header: str) -> str:
    """Return a header such as `issues=write,contents=read; pull_requests=write` in the notation of workflows.

    Semicolons separate alternatives, of which one is enough.
    """
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
    """Return the message of the innermost error, without memory addresses of objects and without details of retries."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        inner = [one for one in (*error.args, getattr(error, "reason", None)) if isinstance(one, BaseException)]
        error = (inner or [error.__cause__ or error])[0]
    if isinstance(error, OSError) and error.strerror:
        return single_line(error.strerror)
    text = re.sub(r"^<?[\w.]+(?:\([^)]*\))?(?: object at 0x\w+)?>?: ", "", str(error))
    return single_line(re.sub(r"^\[Errno -?\d+\] ", "", text)).rstrip(".") or type(error).__name__


def single_line(text: str) -> str:
    """Return untrusted text on one line, masked and shortened."""
    line = " ".join(mask_secrets(clean_text(text)).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
