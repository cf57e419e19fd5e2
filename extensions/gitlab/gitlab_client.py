"""GitLab's REST API through requests: a client for a project, and the translation of its errors.

A token is sent to the API of its own server only: redirects are followed on that server and nowhere else. Sizes and
times of responses are limited.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin

from extensions.github.api.api_errors import connection_error, single_line
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError

if TYPE_CHECKING:
    from requests import Response

    from extensions.gitlab.gitlab_address import GitLabAddress

TIMEOUT, SECONDS = 30, 120.0
"""Maximum number of seconds to wait for the server, and for a whole response."""
MAX_BYTES = 32 << 20
"""Maximum number of bytes of a response."""
MAX_REDIRECTS = 3
PAGE_LENGTH, MAX_PAGES = 100, 30
JOB_TOKEN = "The token of a CI job (CI_JOB_TOKEN) may not do this. "


class GitLabClient:
    """Requests to the API of the server of `address`, with the user's token for that server if there is one."""

    def __init__(self, address: GitLabAddress) -> None:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

        self.address = address
        self._session = requests.Session()
        # without this, requests would use passwords from ~/.netrc
        self._session.auth = lambda request: request
        self._session.headers["User-Agent"] = "swe-agent"
        if address.token:
            self._session.headers["Authorization"] = f"Bearer {address.token}"
        retry = Retry(
            total=2,
            backoff_factor=0.5,
            status_forcelist=(502, 503),
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._session.close()

    def get(self, path: str, what: str, **query: Any) -> Any:
        """Return the JSON at a path of the API, such as `/projects/1`. `what` completes "GitLab does not let you …".

        Raises UsageError for missing objects and invalid requests, ConfigError for a missing permission or a wrong
        token, TryLater for rate limits, GitLab's own problems and timeouts.
        """
        return self._json(self.read(path, what, **query), what)

    def read(self, path: str, what: str, **query: Any) -> bytes:
        """Return the bytes at a path of the API. Raises what `get` raises."""
        return self._sent("GET", path, what, query=query)[0]

    def pages(self, path: str, what: str, **query: Any) -> tuple[list[dict[str, Any]], bool]:
        """Return the objects of a list, and whether all were read; at most `MAX_PAGES` pages are. Raises what `get`
        raises."""
        items: list[dict[str, Any]] = []
        for page in range(1, MAX_PAGES + 1):
            data, answer = self._sent("GET", path, what, query=query | {"per_page": PAGE_LENGTH, "page": page})
            listed = self._json(data, what)
            if not isinstance(listed, list):
                raise _invalid_answer(what)
            items += [item for item in listed if isinstance(item, dict)]
            if len(listed) < PAGE_LENGTH and not answer.headers.get("X-Next-Page"):
                return items, True
        return items, False

    def send(self, method: str, path: str, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create or change an object, and return it. Raises what `get` raises."""
        answered = self._json(self._sent(method, path, what, body=body)[0], what)
        if not isinstance(answered, dict):
            raise _invalid_answer(what)
        return answered

    def _sent(
        self, method: str, path: str, what: str, query: Mapping[str, Any] = {}, body: Mapping[str, Any] | None = None
    ) -> tuple[bytes, Response]:
        import requests

        from extensions.github.api.response_bodies import read_body

        url = f"{self.address.api}{path}"
        try:
            for _ in range(MAX_REDIRECTS + 1):
                answer = self._session.request(
                    method, url, params=query, json=body, timeout=TIMEOUT, stream=True, allow_redirects=False
                )
                with answer:
                    data = read_body(answer, MAX_BYTES, time.monotonic() + SECONDS)
                if not answer.is_redirect:
                    break
                url, query = urljoin(url, answer.headers["Location"]), {}
                if method != "GET" or not url.startswith(f"{self.address.api}/"):
                    raise ConfigError(
                        f"GitLab redirects to another address when asked to {what}: {single_line(url)}.",
                        "Use the project's current address.",
                    )
        except requests.RequestException as error:
            raise connection_error(error, what, "GitLab") from error
        if answer.status_code >= 300:
            raise self._refusal(answer, data, what)
        return data, answer

    def _refusal(self, answer: Response, data: bytes, what: str) -> SweAgentError:
        said, name = _message(data), self.address.token_name
        in_job = JOB_TOKEN if os.environ.get("GITLAB_CI") and not self.address.token else ""
        match answer.status_code:
            case 401 | 403 if not self.address.token:
                fix = f"{in_job}Set {name} to a token with the scope `api`."
                return ConfigError(f"GitLab requires a token to {what}.", fix)
            case 401:
                fix = f"Set {name} to a valid token, or unset it for public data."
                return ConfigError(f"GitLab rejects the token that was used to {what}.", fix)
            case 403:
                return ConfigError(
                    f"GitLab does not let you {what}{said or '.'}",
                    "The token needs the scope `api`, and its user or project the role Developer.",
                )
            case 404:
                return UsageError(
                    f"GitLab answers 404 to the request to {what}: it does not exist or is private.",
                    f"{in_job}Check the address, or set {name} to a token that may read it.",
                )
            case 429:
                wait = answer.headers.get("Retry-After", "")
                pause = f" for {wait} seconds" if wait.isdecimal() and len(wait) < 6 else ""
                return TryLater(f"GitLab's rate limit does not let you {what}{pause}.", "Try again then.")
            case status if status < 500:
                return UsageError(f"GitLab refuses to {what}{said or f' ({status}).'}", "")
            case status:
                return TryLater(f"GitLab has a problem: it answered {status} when asked to {what}.", "Try again later.")

    @staticmethod
    def _json(data: bytes, what: str) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise _invalid_answer(what) from None


def is_object(data: Any, **fields: type) -> bool:
    """Whether data is a JSON object whose fields have these types."""
    return isinstance(data, dict) and all(isinstance(data.get(name), kind) for name, kind in fields.items())


def without_quick_actions(text: str) -> str:
    """Return Markdown without lines that GitLab would carry out, such as `/approve` in a template of the repository."""
    return re.sub(r"(^|[\r\n])(\s*)/(?=[a-z])", r"\1\2\\/", text, flags=re.IGNORECASE)


def _message(data: bytes) -> str:
    """Return the server's own message as the end of a sentence; "" without one."""
    try:
        answered = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    said = (answered.get("message") or answered.get("error")) if isinstance(answered, dict) else None
    if isinstance(said, dict):
        said = "; ".join(f"{name} {value}" for name, value in said.items())
    elif isinstance(said, list):
        said = "; ".join(map(str, said))
    return f": {single_line(said).rstrip('.')}." if isinstance(said, str) and said.strip() else ""


def _invalid_answer(what: str) -> TryLater:
    return TryLater(f"GitLab gave an invalid answer when asked to {what}.", "Try again, or check GITLAB_HOST.")
