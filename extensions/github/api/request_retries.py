"""Retries of requests to GitHub, with bounded waiting times. PyGithub's own retries can take hours."""

from __future__ import annotations

from typing import Any, Self

from github import GithubException
from requests import TooManyRedirects
from urllib3 import BaseHTTPResponse, Retry
from urllib3.exceptions import MaxRetryError, ResponseError

LONGEST_WAIT = 60
"""Maximum number of seconds to wait if GitHub asks for a wait; for a longer wait, the user is asked to try again
later."""
TRIES_MORE = 2
BACKOFF = 0.25
"""urllib3's backoff factor in seconds: no wait before the first retry, twice this value before the second."""
MOST_REDIRECTS = 5
LIMITED = (403, 429)
FOLLOWED = 301
"""The only redirect status that PyGithub follows. PyGithub treats other redirects as success, so a write under a
repository's old name (307) would seem to succeed."""
MOVED = (FOLLOWED, 302, 307, 308)
TROUBLE = (500, 502, 503, 504)


class RetryPolicy(Retry):
    """The retry policy for GitHub.

    A request refused by a rate limit had no effect, so it is repeated after the time in `Retry-After`. A request that
    failed on the server may have had an effect, so only reads are repeated.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
    """

    _redirects = 0
    """Number of successive redirects so far; PyGithub would follow them without end."""

    @classmethod
    def usual(cls) -> Self:
        return cls(
            total=TRIES_MORE, backoff_factor=BACKOFF, allowed_methods={"GET", "HEAD"}, raise_on_status=False, redirect=0
        )

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        self._redirects = self._redirects + 1 if status_code == FOLLOWED else 0
        if self._redirects > MOST_REDIRECTS or (status_code in MOVED and not self._redirects):
            return True  # `increment` ends the retries
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
        """Return the policy for the next try.

        Raises MaxRetryError to pass the response on unchanged, TooManyRedirects, and GithubException for redirects that
        PyGithub does not follow.
        """
        if response is not None and response.status in MOVED:
            self._redirects = 0
            response.close()
            if response.status != FOLLOWED:
                raise GithubException(response.status)
            raise TooManyRedirects("it redirects without end")
        if response is not None and (self.get_retry_after(response) or 0) > LONGEST_WAIT:
            raise MaxRetryError(_pool, url or "", ResponseError("the wait is too long"))
        left = super().increment(method, url, response, error, _pool, _stacktrace)
        if response is not None:
            response.close()  # urllib3 would read the response's body, which may never end
        return left
