"""The stand-in itself: what tests hold in their hands."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.github_server import contents, events, issues, labels, pulls, repositories, runs, timeline
from tests.github_server.access import Token
from tests.github_server.description import violations_of_event
from tests.github_server.objects import git
from tests.github_server.request import Answer, Refused, Request
from tests.github_server.server import Server
from tests.github_server.service import answer
from tests.github_server.state import Repo, User
from tests.github_server.threads import Comment, Issue

PARTS = (contents, issues, labels, pulls, repositories, runs, timeline)
"""The modules that answer requests."""
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

    def hits(self, request: Request) -> bool:
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
        self.clock = datetime.now(UTC).replace(microsecond=0)
        """What time it is here. Each thing that is made takes a second."""
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
        """What was asked for but reading."""
        return [request for request in self.requests if request.method not in ("GET", "HEAD")]

    def env(self, actor: str = "ada", token: str = "", repo: Repo | None = None, action: bool = True) -> dict[str, str]:
        """The environment of an action, or of somebody who uses another server than github.com."""
        of = repo or (self._repos[0] if self._repos else None)
        shared = {"GITHUB_SERVER_URL": self.url, "GITHUB_API_URL": self.api, "GITHUB_TOKEN": token}
        if not action:
            return shared
        return shared | {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": actor,
            "GITHUB_TRIGGERING_ACTOR": actor,
            "GITHUB_REPOSITORY": of.full_name if of else "",
            "GITHUB_REPOSITORY_OWNER": of.owner.login if of else "",
            "GITHUB_RUN_ID": "7000000001",
            "GITHUB_RUN_NUMBER": "1",
            "GITHUB_RUN_ATTEMPT": "1",
        }

    def user(self, login: str, *, kind: str = "", deleted: bool | None = None) -> User:
        """Somebody by that name, made when first named."""
        made = self.users.setdefault(login, User(login, self.next(), "Bot" if login.endswith("[bot]") else "User"))
        made.kind = kind or made.kind
        made.deleted = made.deleted if deleted is None else deleted
        return made

    def token(self, text: str, login: str, permissions: Mapping[str, str] | None = None, *, app: bool = False) -> str:
        """Without `permissions` a classic token; with them a fine-grained one, or an `app`'s."""
        self.tokens[text] = Token(text, self.user(login), {} if app and permissions is None else permissions, app)
        return text

    def repo(
        self, full_name: str, git: Path | None = None, *, private: bool = False, fork_of: Repo | None = None
    ) -> Repo:
        """A repository whose objects are in the bare repository `git`; without one, in an empty one of its own."""
        owner, name = full_name.split("/")
        made = Repo(self, self.next(), self.user(owner), name, git or self._bare(full_name), private, parent=fork_of)
        self._repos.append(made)
        return made

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
        """The next `times` such requests are answered so, whatever they ask; with `page` those for that page of a list.
        Without a body in GitHub's usual words; `raw` is what something between GitHub and the client says."""
        usual = Refused(status).answer.body
        given = Answer(status, usual if body is None else body, headers or {}, raw, strange=raw is not None)
        self.faults.append(Fault(method, re.compile(path), page, given, times))

    def secondary(
        self, method: str, path: str, *, retry_after: int | None = 60, status: int = 403, times: int = 1
    ) -> None:
        """The secondary limit, as documented."""
        body = {
            "message": SECONDARY,
            "documentation_url": "https://docs.github.com/free-pro-team@latest/rest/overview/"
            "rate-limits-for-the-rest-api#about-secondary-rate-limits",
        }
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.fault(method, path, status=status, body=body, headers=headers, times=times)

    def rate(self, token: str = "", *, remaining: int = 0, seconds: int = 3600, status: int = 403) -> None:
        """What is left of a token's hour ("": of those without one), and when it begins anew."""
        from tests.github_server.service import quota

        found = quota(self, self.tokens.get(token))
        found.remaining, found.status = remaining, status
        found.reset = int(self.clock.timestamp()) + seconds

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
        """What the webhook says of something that just happened. `actor` is who did it, by default the author."""
        with self.lock:
            payload = events.payload(self, name, action, about, actor, label, inputs, ref)
        kind = f"{name}-{action}".strip("-").replace("_", "-")
        self.violations += [f"webhook {kind}: {found}" for found in violations_of_event(kind, payload)]
        return payload

    def picture(self, path: str, data: bytes, kind: str = "image/png") -> str:
        """Something that is on the server outside of the API; its address."""
        self.pictures[path] = kind, data
        return f"{self.url}{path}"

    def clone_url(self, repo: Repo) -> str:
        return f"{repo.url}.git"

    def next(self) -> int:
        self._number += 1
        return self._number

    def time(self, at: str = "") -> str:
        """`at`, or the time here, which goes on."""
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
        found = "\n".join(dict.fromkeys(self.violations))
        if found and error is not None:
            error.add_note(f"And GitHub's description of its API was not kept to:\n{found}")
        elif found:
            raise AssertionError(f"GitHub's description of its API was not kept to:\n{found}")

    def _bare(self, full_name: str) -> Path:
        path = self.folder / f"{full_name}.git"
        path.mkdir(parents=True)
        git(path, "init", "-q", "--bare", "-b", "main")
        return path
