"""What is asked of GitHub once more, and how long we wait for it. PyGithub's own patience ends after hours."""

from __future__ import annotations

from typing import Any, Self

from github import GithubException
from requests import TooManyRedirects
from urllib3 import BaseHTTPResponse, Retry
from urllib3.exceptions import MaxRetryError, ResponseError

LONGEST_WAIT = 60
"""Seconds that GitHub may ask us to wait; for more, the user is told to come again."""
TRIES_MORE = 2
BACKOFF = 0.25
"""Seconds of urllib3's backoff: it waits twice as long before the second try, and not before the first."""
MOST_HOPS = 5
LIMITED = (403, 429)
FOLLOWED = 301
"""The one redirect that PyGithub follows. Others it takes for success: what is to be written under a repository's old
name (307) would seem done."""
MOVED = (FOLLOWED, 302, 307, 308)
TROUBLE = (500, 502, 503, 504)


class Patience(Retry):
    """A request that one limit or another refused was not heard: it is sent again when GitHub says so (`Retry-After`).
    What failed at the server may have been done: only what reads is asked again.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
    """

    _hops = 0
    """How often in turn the server has just sent us on; PyGithub would follow without end."""

    @classmethod
    def usual(cls) -> Self:
        return cls(
            total=TRIES_MORE, backoff_factor=BACKOFF, allowed_methods={"GET", "HEAD"}, raise_on_status=False, redirect=0
        )

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        self._hops = self._hops + 1 if status_code == FOLLOWED else 0
        if self._hops > MOST_HOPS or (status_code in MOVED and not self._hops):
            return True  # `increment` ends it
        if status_code in LIMITED:
            return has_retry_after
        return status_code in TROUBLE and method.upper() in ("GET", "HEAD")

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        """Raises MaxRetryError, upon which the answer is handed on as it is; TooManyRedirects, GithubException."""
        if response is not None and response.status in MOVED:
            self._hops = 0
            response.close()
            if response.status != FOLLOWED:
                raise GithubException(response.status)
            raise TooManyRedirects("it sends us on and on")
        if response is not None and (self.get_retry_after(response) or 0) > LONGEST_WAIT:
            raise MaxRetryError(_pool, url or "", ResponseError("too long a wait"))
        left = super().increment(method, url, response, error, _pool, _stacktrace)
        if response is not None:
            response.close()  # urllib3 would read its body to the end, which may never come
        return left
