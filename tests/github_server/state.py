"""State of users and repositories on the fake server, which tests change by these methods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.github_server.objects import git
from tests.github_server.threads import Issue, Pull

if TYPE_CHECKING:
    from tests.github_server.hub import Hub

LEVELS = {"": 0, "none": 0, "read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}


@dataclass(slots=True)
class User:
    login: str
    id: int
    kind: str = "User"
    deleted: bool = False


@dataclass(slots=True, eq=False)
class Repo:
    hub: Hub
    id: int
    owner: User
    name: str
    git: Path
    private: bool = False
    permissions: dict[str, str] = field(default_factory=dict)
    """The role of each login: read, triage, write, maintain or admin. The owner is an admin."""
    default_branch: str = "main"
    actions_may_open_pulls: bool = True
    has_issues: bool = True
    archived: bool = False
    parent: Repo | None = None
    """The repository that this one is a fork of."""
    drafts: bool = True
    """Whether its plan has draft pull requests."""
    protected: set[str] = field(default_factory=set)
    """Patterns of protected branches, to which no one can push."""
    rulesets: set[str] = field(default_factory=set)
    """The same for rulesets, whose errors read differently."""
    labels: dict[str, str] = field(default_factory=dict)
    """Colours of labels by name."""
    numbered: dict[int, Issue] = field(default_factory=dict)
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Workflow runs by number."""
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Jobs of workflow runs by number. `log` is the URL of a job's log, or "" if it has expired."""
    checks: list[dict[str, Any]] = field(default_factory=list)
    """Check runs as they were created."""

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    @property
    def url(self) -> str:
        return f"{self.hub.url}/{self.full_name}"

    @property
    def api(self) -> str:
        return f"{self.hub.api}/repos/{self.full_name}"

    def level(self, login: str) -> str:
        """Return a user's role in this repository."""
        if login == self.owner.login:
            return "admin"
        return self.permissions.get(login, "none" if self.private else "read")

    def has_access(self, login: str, level: str) -> bool:
        return LEVELS[self.level(login)] >= LEVELS[level]

    def sha(self, ref: str) -> str:
        """Return the commit of a ref, or "" if it does not exist."""
        return git(self.git, "rev-parse", "--quiet", "--verify", f"{ref}^{{commit}}", check=False).strip()

    def rename(self, name: str) -> None:
        self.hub.moved[self.full_name.lower()] = self
        self.name = name

    def issue(
        self,
        title: str,
        body: str | None = "",
        *,
        author: str = "ada",
        labels: Iterable[str] = (),
        at: str = "",
        association: str = "",
    ) -> Issue:
        hub, at = self.hub, self.hub.time(at)
        issue = Issue(self, self._number(), hub.next(), title, body, hub.user(author), at, at, association=association)
        self.numbered[issue.number] = issue
        for label in labels:
            self.labels.setdefault(label, "ededed")
            issue.label(label, at=at)
        return issue

    def pull(
        self,
        head: str,
        base: str = "",
        *,
        author: str = "ada",
        title: str = "A change",
        body: str | None = "",
        fork: Repo | None = None,
        draft: bool = False,
        at: str = "",
        association: str = "",
    ) -> Pull:
        hub, at = self.hub, self.hub.time(at)
        pull = Pull(
            self,
            self._number(),
            hub.next(),
            title,
            body,
            hub.user(author),
            at,
            at,
            association=association,
            head=head,
            head_repo=fork or self,
            base=base or self.default_branch,
            draft=draft,
        )
        pull.first_head = pull.head_sha or "0" * 40
        self.numbered[pull.number] = pull
        return pull

    def run(self, number: int, *, path: str = ".github/workflows/swe-agent.yml", **fields: Any) -> None:
        """Add a workflow run. `fields` are those of GitHub's object: `event`, `status`, `head_branch`, …"""
        self.runs[number] = {"path": path, "created_at": self.hub.time(), **fields}

    def job(self, number: int, run: int, *, name: str = "test", log: str = "", **fields: Any) -> None:
        """Add a failed job to a workflow run. `fields` are those of GitHub's object: `conclusion`, `steps`, …"""
        self.jobs[number] = {"run_id": run, "name": name, "log": log, **fields}

    @property
    def pulls(self) -> list[Pull]:
        return [issue for issue in self.numbered.values() if isinstance(issue, Pull)]

    def _number(self) -> int:
        return max(self.numbered, default=0) + 1
