"""A reader of GitHub's API that caches answers with their ETags: unchanged answers do not count for the rate limit.

https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from aci.repository.disk_cache import Cache, CacheUnusable, cache_folder
from trajectories.errors import TryLater

if TYPE_CHECKING:
    from github import Github

    from agent.inputs.github_urls import Address

MOST_KEPT = 2_000
"""Maximum number of cached responses; the oldest are removed."""
LARGEST = 5_000_000
MOST_PAGES = 10
FULL = 100
"""Number of items on a full page."""
SCHEMA = "CREATE TABLE answers (key TEXT PRIMARY KEY, etag TEXT, link TEXT, body TEXT)"
_LAST = re.compile(r"[?&]page=(\d{1,6})[^>]*>;\s*rel=\"last\"")


class Answer(NamedTuple):
    etag: str
    link: str
    body: str


class Reader:
    """A reader for one server and one account.

    With `kept`, responses are cached in a folder that only the user can read; without it, or if the cache is unusable,
    every response comes from the server.
    """

    def __init__(self, client: Github, address: Address, kept: bool = True) -> None:
        self._requester = client.requester
        self._who = f"{address.api} {sha256(address.token.encode()).hexdigest() if address.token else ''}"
        self._cache: Cache | None = None
        if kept:
            with suppress(CacheUnusable):
                self._cache = Cache(cache_folder() / "github" / "answers.sqlite", SCHEMA, 1)

    def get(self, path: str) -> Any:
        """Return the data at a path of the API. Raises errors that `github_client.translate_errors` translates."""
        return self._parsed(self._fetch(path, {}).body)

    def pages(self, path: str) -> tuple[list[Any], int]:
        """Return the items of a list, and the number of pages that were left out.

        If a list has more than `MOST_PAGES` pages, only the first and the last ones are read.
        """
        answer = self._fetch(path, {"per_page": FULL})
        found = self._items(path, answer)
        last = _LAST.search(answer.link)
        count = int(last[1]) if last else 1
        half = MOST_PAGES // 2
        numbers = [n for n in range(2, count + 1) if n <= half or n > count - half]
        if not last and 'rel="next"' in answer.link:
            numbers = list(range(2, MOST_PAGES + 1))
        for number in numbers:
            answer = self._fetch(path, {"per_page": FULL, "page": number})
            found = found + self._items(path, answer)
            if not answer.link and not last:
                break
        return found, max(0, count - 1 - len(numbers)) if last else 0

    def _items(self, path: str, answer: Answer) -> list[Any]:
        found = self._parsed(answer.body)
        if not isinstance(found, list):
            raise _invalid_answer(path)
        return found

    def close(self) -> None:
        if self._cache is not None:
            self._cache.close()

    def _fetch(self, path: str, parameters: dict[str, Any]) -> Answer:
        key = f"{self._who} {path} {parameters}"
        known = self._cached(key)
        if known and "page" not in parameters and self._is_full(known):
            known = None
        headers = {"If-None-Match": known.etag} if known else {}
        status, received_headers, body = self._requester.requestJson("GET", path, parameters, headers)
        if status == 304 and known:
            return known
        if status >= 400:
            data = self._parsed(body) if body.startswith("{") else {"message": body[:200]}
            raise self._requester.createException(status, received_headers, data)
        if status != 200:
            raise TryLater(f"GitHub answered {status} for {path}.", "Try again.")
        answer = Answer(received_headers.get("etag", ""), received_headers.get("link", ""), body)
        self._parsed(body)
        self._store(key, answer)
        return answer

    def _is_full(self, first: Answer) -> bool:
        """Whether there may be more pages now than the cached response shows.

        A page's ETag does not change with later pages, and a 304 has no Link header
        (https://github.com/app-sre/github-mirror/pull/113).
        """
        found = self._parsed(first.body)
        return isinstance(found, list) and len(found) >= FULL

    def _cached(self, key: str) -> Answer | None:
        if self._cache is None:
            return None
        cache = self._cache
        with suppress(CacheUnusable):
            rows = cache.run_repairing(lambda: cache.read("SELECT etag, link, body FROM answers WHERE key = ?", (key,)))
            return Answer(*map(str, rows[0])) if rows else None
        return None

    def _store(self, key: str, answer: Answer) -> None:
        if self._cache is None or not answer.etag or len(answer.body) > LARGEST:
            return
        cache = self._cache

        def write() -> None:
            with cache.writing() as connection:
                connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", (key, *answer))
                newest = "(SELECT max(rowid) FROM answers)"  # a replaced row gets a new rowid
                connection.execute(f"DELETE FROM answers WHERE rowid <= {newest} - ?", (MOST_KEPT,))

        with suppress(CacheUnusable, UnicodeEncodeError):
            cache.run_repairing(write)

    def _parsed(self, body: str) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise _invalid_answer(self._requester.base_url) from None


def _invalid_answer(where: str) -> TryLater:
    return TryLater(f"GitHub's answer for {where} is invalid.", "Try again, or check GITHUB_API_URL.")
