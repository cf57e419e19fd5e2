"""The routes of the API: each of its parts is a module of functions under `@route`."""

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

MULTI_SEGMENT = {"path", "ref", "basehead", "branch"}
"""Variables that may hold a slash."""


@dataclass(slots=True)
class Call:
    """A request on a route: the variables of its path and the token."""

    hub: Hub
    request: Request
    pattern: str
    parts: dict[str, str]
    token: Token | None
    needs: tuple[str, ...]

    @property
    def repo(self) -> Repo:
        """The repository of the path. Refused with 404 if it does not exist or the token may not see it."""
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
        """Return the issue or pull request of the path. Raises Refused if it was moved or deleted."""
        issue = self.repo.numbered.get(int(number if number is not None else self.parts["issue_number"]))
        if issue is None:
            raise Refused(404)
        if isinstance(issue.gone, Issue):
            new_issue = issue.gone
            if new_issue.repo.private and not (self.token and new_issue.repo.has_access(self.me, "read")):
                raise Refused(404)
            raise moved(self.request, f"{new_issue.repo.api}/issues/{new_issue.number}")
        if issue.gone:
            raise Refused(410, "This issue was deleted")
        if not self.repo.has_issues and not isinstance(issue, Pull):
            raise Refused(410, "Issues has been disabled in this repository.")
        self.check_right(issue)
        return issue

    def check_right(self, issue: Issue) -> None:
        """Check the right to it: issues and pull requests share a path but need different permissions."""
        kind = "pull_requests" if isinstance(issue, Pull) else "issues"
        relevant = next((need for need in self.needs if need.startswith(kind)), "")
        access.check(self.token, self.repo, self.needs, relevant)

    def pull(self) -> Pull:
        pull = self.repo.numbered.get(int(self.parts["pull_number"]))
        if not isinstance(pull, Pull):
            raise Refused(404)
        return pull

    def require_push_access(self, message: str = "Must have push access to repository") -> None:
        if not access.can_push(self.token, self.repo):
            raise Refused(403, message)

    def page(self, entries: list[Any], shape: Callable[[Any], Any] = lambda entry: entry) -> Answer:
        """Return a page of a list, with links to the others, which name the repository by its id."""
        size = max(1, min(100, int(self.request.query.get("per_page", 30))))
        current = max(1, int(self.request.query.get("page", 1)))
        last = max(1, -(-len(entries) // size))
        pages = {"prev": current - 1, "next": current + 1, "last": last, "first": 1}
        link_pages = {
            name: page
            for name, page in pages.items()
            if (page > current) == (name in ("next", "last")) and page != current
        }
        path = self.hub.api + self.request.path
        if "owner" in self.parts:
            path = f"{self.hub.api}/repositories/{self.repo.id}{path_in_repository(self.request.path)}"
        links = [
            f'<{path}?{urlencode({**self.request.query, "page": page})}>; rel="{name}"'
            for name, page in link_pages.items()
            if 1 <= page <= last
        ]
        items = [shape(entry) for entry in entries[(current - 1) * size : current * size]]
        return Answer(200, items, {"Link": ", ".join(links)} if links else {})


def path_in_repository(path: str) -> str:
    """Return the part of a path after its repository."""
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
    """Register a function for `method` on `pattern`. `needs` are permissions, one of which suffices (`issues=read`)."""
    regex = re.sub(
        r"\\\{(\w+)\\\}",
        lambda name: f"(?P<{name[1]}>{'.+' if name[1] in MULTI_SEGMENT else '[^/]+'})",
        re.escape(pattern),
    )

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, pattern, re.compile(regex), needs, handler))
        return handler

    return register


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a request and its variables. Literal patterns take precedence over variables."""
    matches = [(route, match) for route in ROUTES if route.method == method and (match := route.regex.fullmatch(path))]
    if not matches:
        return None
    best, match = min(matches, key=lambda pair: len(pair[1].groups()) - len(pair[0].pattern) / 1000)
    return best, {name: unquote(value) for name, value in match.groupdict().items()}


def moved(request: Request, to: str) -> Refused:
    """Return the redirect to a new address: 301 for reading, else 307."""
    status = 301 if request.method in ("GET", "HEAD") else 307
    refused = Refused(status, Location=to)
    refused.answer.body["url"] = to
    return refused
