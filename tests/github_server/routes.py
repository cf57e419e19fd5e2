"""Which function answers which request. A part of the API is a module of functions under `@route`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from tests.github_server import access
from tests.github_server.access import Token
from tests.github_server.request import Answer, Refused, Request
from tests.github_server.state import Repo
from tests.github_server.threads import Issue, Pull

if TYPE_CHECKING:
    from tests.github_server.hub import Hub

WIDE = {"path", "ref", "basehead", "branch"}
"""Variables that may hold a slash."""


@dataclass(slots=True)
class Call:
    """A request on its way to its answer: what its path names, and who asks."""

    hub: Hub
    request: Request
    pattern: str
    parts: dict[str, str]
    token: Token | None
    needs: tuple[str, ...]

    @property
    def repo(self) -> Repo:
        """The repository of the path; whoever may not see it gets a 404, as for one that is not there."""
        repo = self.hub.repos.get(f"{self.parts['owner']}/{self.parts['repo']}".lower())
        if repo is None:
            raise Refused(404)
        return repo

    @property
    def body(self) -> Any:
        return self.request.body if isinstance(self.request.body, dict) else {}

    @property
    def me(self) -> str:
        return self.token.user.login if self.token else ""

    def issue(self, number: str | int | None = None) -> Issue:
        """The issue or pull request of the path. Raises Refused where it moved or was deleted."""
        found = self.repo.numbered.get(int(number if number is not None else self.parts["issue_number"]))
        if found is None:
            raise Refused(404)
        if isinstance(found.gone, Issue):
            there = found.gone
            if there.repo.private and not (self.token and there.repo.may(self.me, "read")):
                raise Refused(404)
            raise moved(self.request, f"{there.repo.api}/issues/{there.number}")
        if found.gone:
            raise Refused(410, "This issue was deleted")
        if not self.repo.has_issues and not isinstance(found, Pull):
            raise Refused(410, "Issues has been disabled in this repository.")
        self.right_for(found)
        return found

    def right_for(self, found: Issue) -> None:
        """Issues and pull requests are at one address, but under two permissions."""
        kind = "pull_requests" if isinstance(found, Pull) else "issues"
        only = next((need for need in self.needs if need.startswith(kind)), "")
        access.check(self.token, self.repo, self.needs, only)

    def pull(self) -> Pull:
        found = self.repo.numbered.get(int(self.parts["pull_number"]))
        if not isinstance(found, Pull):
            raise Refused(404)
        return found

    def must_push(self, message: str = "Must have push access to repository") -> None:
        if not access.pushes(self.token, self.repo):
            raise Refused(403, message)

    def page(self, listed: list[Any], shape: Callable[[Any], Any] = lambda one: one) -> Answer:
        """A page of a list, and where the others are: GitHub names them by the repository's number."""
        size = max(1, min(100, int(self.request.query.get("per_page", 30))))
        at = max(1, int(self.request.query.get("page", 1)))
        last = max(1, -(-len(listed) // size))
        pages = {"prev": at - 1, "next": at + 1, "last": last, "first": 1}
        wanted = {
            name: page for name, page in pages.items() if (page > at) == (name in ("next", "last")) and page != at
        }
        path = self.hub.api + self.request.path
        if "owner" in self.parts:
            path = f"{self.hub.api}/repositories/{self.repo.id}{below(self.request.path)}"
        links = [
            f'<{path}?{urlencode({**self.request.query, "page": page})}>; rel="{name}"'
            for name, page in wanted.items()
            if 1 <= page <= last
        ]
        items = [shape(one) for one in listed[(at - 1) * size : at * size]]
        return Answer(200, items, {"Link": ", ".join(links)} if links else {})


def below(path: str) -> str:
    """What a path names in its repository."""
    return re.sub(r"^/(?:repos/[^/]+/[^/]+|repositories/\d+)", "", path)


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    pattern: str
    regex: re.Pattern[str]
    needs: tuple[str, ...]
    handler: Handler


ROUTES: list[Route] = []


def route(method: str, pattern: str, *needs: str) -> Callable[[Handler], Handler]:
    """The function answers `method` on `pattern`. `needs` are permissions, any of which will do (`issues=read`)."""
    regex = re.sub(
        r"\\\{(\w+)\\\}", lambda name: f"(?P<{name[1]}>{'.+' if name[1] in WIDE else '[^/]+'})", re.escape(pattern)
    )

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, pattern, re.compile(regex), needs, handler))
        return handler

    return register


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a request and its variables. What is named in full goes before what is a variable."""
    fitting = [(one, found) for one in ROUTES if one.method == method and (found := one.regex.fullmatch(path))]
    if not fitting:
        return None
    best, found = min(fitting, key=lambda pair: len(pair[1].groups()) - len(pair[0].pattern) / 1000)
    return best, {name: unquote(value) for name, value in found.groupdict().items()}


def moved(request: Request, to: str) -> Refused:
    """GitHub's answer for a thing that is at another address now: for reading 301, else 307."""
    status = 301 if request.method in ("GET", "HEAD") else 307
    refused = Refused(status, Location=to)
    refused.answer.body["url"] = to
    return refused
