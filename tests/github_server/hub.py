"""The fake server's main object, which tests configure and inspect."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.github_server import checks, contents, events, issues, labels, pulls, repositories, runs, timeline
from tests.github_server.access import Token
from tests.github_server.description import violations_of_event
from tests.github_server.objects import git
from tests.github_server.request import Answer, Refused, Request
from tests.github_server.server import Server
from tests.github_server.service import answer
from tests.github_server.state import Repo, User
from tests.github_server.threads import Comment, Issue

ROUTE_MODULES = (checks, contents, issues, labels, pulls, repositories, runs, timeline)
"""The modules whose functions answer requests."""
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to "
    "GitHub Support for help, please include the request ID 0A0A:1B1B:2C2C:3D3D:4E4E."
)


@dataclass(slots=True)
class Fault:
    method: str
    path: re.Pattern[str]
    page: str
    answer: Answer
    times: int

    def matches(self, request: Request) -> bool:
        return (
            self.times > 0
            and self.method in (request.method, "*")
            and self.page in ("", request.query.get("page", ""))
            and self.path.search(request.path) is not None
        )


class Hub:
    """GitHub on loopback, until the block is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "hub"
        self.lock = threading.RLock()
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self.moved: dict[str, Repo] = {}
        self.quotas: dict[str, Any] = {}
        self.faults: list[Fault] = []
        self.pictures: dict[str, tuple[str, bytes]] = {}
        self.file_headers: dict[str, dict[str, str]] = {}
        """Additional headers of files outside of the API, by path."""
        self.clock = datetime.now(UTC).replace(microsecond=0)
        """The current time of the server. Each created object advances it by a second."""
        self._repos: list[Repo] = []
        self._number = 1000
        self._server = Server(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def api(self) -> str:
        return f"{self.url}/api/v3"

    @property
    def repos(self) -> dict[str, Repo]:
        return {repo.full_name.lower(): repo for repo in self._repos}

    @property
    def writes(self) -> list[Request]:
        """Requests that are not just reading."""
        return [request for request in self.requests if request.method not in ("GET", "HEAD")]

    def env(self, actor: str = "ada", token: str = "", repo: Repo | None = None, action: bool = True) -> dict[str, str]:
        """The environment of an action, or of a user of GitHub Enterprise."""
        repository = repo or (self._repos[0] if self._repos else None)
        shared = {"GITHUB_SERVER_URL": self.url, "GITHUB_API_URL": self.api, "GITHUB_TOKEN": token}
        if not action:
            return shared
        return shared | {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": actor,
            "GITHUB_TRIGGERING_ACTOR": actor,
            "GITHUB_REPOSITORY": repository.full_name if repository else "",
            "GITHUB_REPOSITORY_OWNER": repository.owner.login if repository else "",
            "GITHUB_RUN_ID": "7000000001",
            "GITHUB_RUN_NUMBER": "1",
            "GITHUB_RUN_ATTEMPT": "1",
        }

    def user(self, login: str, *, kind: str = "", deleted: bool | None = None) -> User:
        """Return the user with this login, and create it on first use."""
        user = self.users.setdefault(login, User(login, self.next(), "Bot" if login.endswith("[bot]") else "User"))
        user.kind = kind or user.kind
        user.deleted = user.deleted if deleted is None else deleted
        return user

    def token(self, text: str, login: str, permissions: Mapping[str, str] | None = None, *, app: bool = False) -> str:
        """Create a token: classic without `permissions`, fine-grained with them, or that of an `app`."""
        self.tokens[text] = Token(text, self.user(login), {} if app and permissions is None else permissions, app)
        return text

    def repo(
        self, full_name: str, git: Path | None = None, *, private: bool = False, fork_of: Repo | None = None
    ) -> Repo:
        """A repository with the objects of the bare repository `git`, or of a new empty one."""
        owner, name = full_name.split("/")
        repo = Repo(self, self.next(), self.user(owner), name, git or self._bare(full_name), private, parent=fork_of)
        self._repos.append(repo)
        return repo

    def fault(
        self,
        method: str,
        path: str,
        *,
        status: int = 500,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        raw: bytes | None = None,
        page: str = "",
    ) -> None:
        """Answer the next `times` matching requests with this fault; `page` restricts it to that page of a list.

        The default body is GitHub's for the status. `raw` is the body from a proxy between GitHub and the client.
        """
        default_body = Refused(status).answer.body
        answer = Answer(status, default_body if body is None else body, headers or {}, raw, from_proxy=raw is not None)
        self.faults.append(Fault(method, re.compile(path), page, answer, times))

    def secondary(
        self, method: str, path: str, *, retry_after: int | None = 60, status: int = 403, times: int = 1
    ) -> None:
        """Apply the secondary rate limit, as documented."""
        body = {
            "message": SECONDARY,
            "documentation_url": "https://docs.github.com/free-pro-team@latest/rest/overview/"
            "rate-limits-for-the-rest-api#about-secondary-rate-limits",
        }
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.fault(method, path, status=status, body=body, headers=headers, times=times)

    def rate(self, token: str = "", *, remaining: int = 0, seconds: int = 3600, status: int = 403) -> None:
        """Set the remaining requests of a token ("" for requests without one) and when the limit resets."""
        from tests.github_server.service import quota

        limit = quota(self, self.tokens.get(token))
        limit.remaining, limit.status = remaining, status
        limit.reset = int(self.clock.timestamp()) + seconds

    def event(
        self,
        name: str,
        action: str,
        about: Issue | Comment | Repo,
        *,
        actor: str = "",
        label: str = "",
        inputs: Mapping[str, Any] | None = None,
        ref: str = "",
    ) -> dict[str, Any]:
        """Return the webhook's payload for an event that just happened. `actor` defaults to the author."""
        with self.lock:
            payload = events.payload(self, name, action, about, actor, label, inputs, ref)
        kind = f"{name}-{action}".strip("-").replace("_", "-")
        self.violations += [f"webhook {kind}: {violation}" for violation in violations_of_event(kind, payload)]
        return payload

    def picture(self, path: str, data: bytes, kind: str = "image/png") -> str:
        """Add a file to the server, outside of the API, and return its URL."""
        self.pictures[path] = kind, data
        return f"{self.url}{path}"

    def clone_url(self, repo: Repo) -> str:
        return f"{repo.url}.git"

    def next(self) -> int:
        self._number += 1
        return self._number

    def time(self, at: str = "") -> str:
        """Return `at`, or the server's time, which advances."""
        if at:
            return at
        self.clock += timedelta(seconds=1)
        return self.clock.strftime("%Y-%m-%dT%H:%M:%SZ")

    def answer(self, request: Request) -> Answer:
        with self.lock:
            return answer(self, request)

    def close(self) -> None:
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        violations = "\n".join(dict.fromkeys(self.violations))
        if violations and error is not None:
            error.add_note(f"GitHub's API description was also violated:\n{violations}")
        elif violations:
            raise AssertionError(f"GitHub's API description was violated:\n{violations}")

    def _bare(self, full_name: str) -> Path:
        path = self.folder / f"{full_name}.git"
        path.mkdir(parents=True)
        git(path, "init", "-q", "--bare", "-b", "main")
        return path
