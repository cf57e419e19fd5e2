"""The fake server's state, which tests configure and inspect."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.github_server.objects import git
from tests.github_server.request import Answer, Request
from tests.gitlab_server.server import Server

DEVELOPER = 30


@dataclass(slots=True)
class Note:
    id: int
    author: str
    body: str
    at: str
    system: bool = False
    internal: bool = False


@dataclass(slots=True)
class Issue:
    project: Project
    iid: int
    title: str
    body: str
    author: str
    at: str
    labels: tuple[str, ...] = ()
    confidential: bool = False
    moved_to: int | None = None
    """The id of the issue that replaces it, in another project."""
    notes: list[Note] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.project.url}/-/issues/{self.iid}"

    def note(self, author: str, body: str, **more: bool) -> Note:
        server = self.project.server
        note = Note(server.next(), author, body, server.time(), **more)
        self.notes.append(note)
        return note


@dataclass(slots=True)
class MergeRequest:
    project: Project
    """The project into which it is merged."""
    source: Project
    iid: int
    title: str
    body: str
    author: str
    at: str
    source_branch: str
    target_branch: str
    state: str = "opened"

    @property
    def url(self) -> str:
        return f"{self.project.url}/-/merge_requests/{self.iid}"


@dataclass(slots=True)
class Project:
    server: GitLab
    id: int
    path: str
    git: Path
    private: bool = False
    parent: Project | None = None
    archived: bool = False
    accepts_merge_requests: bool = True
    members: dict[str, int] = field(default_factory=dict)
    """Access levels by user name."""
    issues: list[Issue] = field(default_factory=list)
    merge_requests: list[MergeRequest] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.server.url}/{self.path}"

    def issue(self, title: str, body: str = "", author: str = "ada", **more: Any) -> Issue:
        issue = Issue(self, len(self.issues) + 1, title, body, author, self.server.time(), **more)
        self.issues.append(issue)
        return issue

    def merge_request(
        self,
        source_branch: str,
        title: str,
        body: str = "",
        author: str = "ada",
        source: Project | None = None,
        target_branch: str = "main",
        state: str = "opened",
    ) -> MergeRequest:
        iid, at = len(self.merge_requests) + 1, self.server.time()
        request = MergeRequest(self, source or self, iid, title, body, author, at, source_branch, target_branch, state)
        self.merge_requests.append(request)
        return request

    def upload(self, name: str, data: bytes) -> str:
        """Add a file to the project, and return its path in Markdown."""
        path = f"{self.server.next():032x}/{name}"
        self.uploads[path] = data
        return f"/uploads/{path}"

    def may_push(self, user: str) -> bool:
        return self.members.get(user, 0) >= DEVELOPER and not self.archived


@dataclass(slots=True)
class Fault:
    method: str
    path: re.Pattern[str]
    answer: Answer
    times: int


class GitLab:
    """GitLab on loopback, until the block is left. `root` is the path below which the server lies."""

    def __init__(self, folder: Path, root: str = "") -> None:
        self.folder = folder / "gitlab"
        self.root = root
        self.lock = threading.RLock()
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.tokens: dict[str, str] = {}
        """User names by token."""
        self.users: dict[str, int] = {}
        self.projects: list[Project] = []
        self.moved: dict[str, Project] = {}
        """Projects by an earlier path."""
        self.faults: list[Fault] = []
        self.clock = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self._number = 1000
        self._server = Server(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}{self.root}"

    @property
    def writes(self) -> list[Request]:
        """Requests that are not just reading."""
        return [request for request in self.requests if request.method not in ("GET", "HEAD")]

    def token(self, text: str, user: str) -> str:
        self.tokens[text] = user
        return text

    def user_id(self, name: str) -> int:
        return self.users.setdefault(name, self.next()) if name else 0

    def project(self, path: str, git: Path | None = None, parent: Project | None = None, **more: Any) -> Project:
        """A project with the objects of the bare repository `git`, or of a new empty one."""
        project = Project(self, self.next(), path, git or self._bare(path), parent=parent, **more)
        self.projects.append(project)
        return project

    def find(self, key: str) -> tuple[Project | None, bool]:
        """Return the project with this id or path, and whether the path is an earlier one."""
        for project in self.projects:
            if key == str(project.id) or key.lower() == project.path.lower():
                return project, False
        return self.moved.get(key.lower()), True

    def fault(
        self, method: str, path: str, status: int, body: Any = None, headers: Mapping[str, str] = {}, times: int = 1
    ) -> None:
        """Answer the next `times` matching requests with this answer; bytes are sent as they are, as by a proxy."""
        raw = body if isinstance(body, bytes) else None
        sent = None if raw is not None else body if body is not None else {"message": f"{status} Error"}
        self.faults.append(Fault(method, re.compile(path), Answer(status, sent, headers, raw, raw is not None), times))

    def next(self) -> int:
        self._number += 1
        return self._number

    def time(self) -> str:
        """Return the server's time, which advances."""
        self.clock += timedelta(seconds=1)
        return self.clock.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.close()
        violations = "\n".join(dict.fromkeys(self.violations))
        if violations and error is not None:
            error.add_note(f"The description of GitLab's API was also violated:\n{violations}")
        elif violations:
            raise AssertionError(f"The description of GitLab's API was violated:\n{violations}")

    def _bare(self, path: str) -> Path:
        folder = self.folder / f"{path}.git"
        folder.mkdir(parents=True)
        git(folder, "init", "-q", "--bare", "-b", "main")
        return folder
