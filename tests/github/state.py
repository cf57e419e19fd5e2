"""What the stand-in remembers: users, repositories, issues, comments, pull requests. Tests change it by these methods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.github.objects import git

if TYPE_CHECKING:
    from tests.github.hub import Hub

LEVELS = {"": 0, "none": 0, "read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}


@dataclass(slots=True)
class User:
    login: str
    id: int
    kind: str = "User"
    deleted: bool = False


@dataclass(slots=True, eq=False)
class Comment:
    id: int
    issue: Issue
    author: User
    body: str
    at: str
    edited: str
    association: str = ""
    reactions: list[tuple[User, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.issue.url}#issuecomment-{self.id}"

    def edit(self, body: str, at: str = "") -> None:
        self.body, self.edited = body, self.issue.repo.hub.time(at)

    def delete(self) -> None:
        self.issue.comments.remove(self)


@dataclass(slots=True, eq=False)
class Issue:
    repo: Repo
    number: int
    id: int
    title: str
    body: str | None
    author: User
    at: str
    edited: str
    labels: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    state: str = "open"
    reason: str | None = None
    closed_at: str | None = None
    locked: bool = False
    association: str = ""
    gone: Issue | bool = False
    """True where it was deleted, or the issue that it is now."""
    happened: list[dict[str, Any]] = field(default_factory=list)
    """Its timeline but for the comments, which are written when they are asked for."""
    reactions: list[tuple[User, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        kind = "pull" if isinstance(self, Pull) else "issues"
        return f"{self.repo.url}/{kind}/{self.number}"

    def comment(self, author: str, body: str, *, at: str = "", association: str = "") -> Comment:
        hub, at = self.repo.hub, self.repo.hub.time(at)
        made = Comment(hub.next(), self, hub.user(author), body, at, at, association)
        self.comments.append(made)
        self.edited = max(self.edited, at)
        return made

    def edit(self, *, title: str | None = None, body: str | None = None, at: str = "") -> None:
        old, self.edited = self.title, self.repo.hub.time(at)
        self.title = self.title if title is None else title
        self.body = self.body if body is None else body
        if self.title != old:
            self.event("renamed", self.author.login, at=self.edited, rename={"from": old, "to": self.title})

    def label(self, name: str, by: str = "", at: str = "") -> None:
        if name not in self.labels:
            self.labels.append(name)
            self.event("labeled", by or self.author.login, at=at, label={"name": name, "color": "ededed"})

    def unlabel(self, name: str) -> None:
        self.labels.remove(name)

    def lock(self, reason: str | None = None) -> None:
        self.locked = True
        self.event("locked", self.repo.owner.login, lock_reason=reason)

    def close(self, reason: str | None = "completed", by: str = "", at: str = "") -> None:
        self.state, self.reason = "closed", reason
        self.closed_at = self.repo.hub.time(at)
        self.event("closed", by or self.author.login, at=self.closed_at, state_reason=reason)

    def reopen(self) -> None:
        self.state, self.reason, self.closed_at = "open", "reopened", None

    def delete(self) -> None:
        self.gone = True

    def transfer(self, to: Repo) -> Issue:
        """The same issue in another repository; the old address leads there."""
        made = to.issue(self.title, self.body, author=self.author.login, labels=self.labels, at=self.at)
        for comment in self.comments:
            made.comment(comment.author.login, comment.body, at=comment.at)
        self.gone = made
        return made

    def refer(self, other: Issue, at: str = "", by: str = "") -> None:
        """This one names the other: its timeline says so."""
        other.event("cross-referenced", by or self.author.login, at=at or self.at, source=self)

    def event(self, kind: str, actor: str, *, at: str = "", **more: Any) -> None:
        hub = self.repo.hub
        self.happened.append(
            {"id": hub.next(), "event": kind, "actor": hub.user(actor), "created_at": hub.time(at), **more}
        )


@dataclass(slots=True, eq=False)
class ReviewComment(Comment):
    path: str = ""
    line: int | None = 1
    reply_to: ReviewComment | None = None
    commit: str = ""

    @property
    def url(self) -> str:
        return f"{self.issue.url}#discussion_r{self.id}"

    def delete(self) -> None:
        assert isinstance(self.issue, Pull)
        self.issue.review.remove(self)


@dataclass(slots=True, eq=False)
class Pull(Issue):
    head: str = ""
    head_repo: Repo | None = None
    base: str = "main"
    draft: bool = False
    merged_at: str | None = None
    merged_by: User | None = None
    maintainer_can_modify: bool = False
    first_head: str = ""
    """The head when it was opened: what stands where the branch is gone."""
    review: list[ReviewComment] = field(default_factory=list)
    reviews: list[dict[str, Any]] = field(default_factory=list)

    @property
    def head_sha(self) -> str:
        return (self.head_repo and self.head_repo.sha(f"refs/heads/{self.head}")) or self.first_head

    @property
    def base_sha(self) -> str:
        return self.repo.sha(f"refs/heads/{self.base}")

    def review_comment(
        self,
        author: str,
        body: str,
        path: str,
        line: int | None = 1,
        *,
        reply_to: ReviewComment | None = None,
        at: str = "",
        association: str = "",
    ) -> ReviewComment:
        hub = self.repo.hub
        at = hub.time(at)
        made = ReviewComment(
            hub.next(),
            self,
            hub.user(author),
            body,
            at,
            at,
            association,
            path=path,
            line=line,
            reply_to=reply_to and (reply_to.reply_to or reply_to),
            commit=self.head_sha,
        )
        self.review.append(made)
        return made

    def merge(self, by: str = "", at: str = "") -> None:
        self.merged_at, self.merged_by = self.repo.hub.time(at), self.repo.hub.user(by or self.repo.owner.login)
        self.event("merged", self.merged_by.login, at=self.merged_at, commit_id=self.head_sha)
        self.close(None, self.merged_by.login, self.merged_at)


@dataclass(slots=True, eq=False)
class Repo:
    hub: Hub
    id: int
    owner: User
    name: str
    git: Path
    private: bool = False
    permissions: dict[str, str] = field(default_factory=dict)
    """What a login may do here: read, triage, write, maintain or admin. Its owner is an admin."""
    default_branch: str = "main"
    actions_may_open_pulls: bool = True
    has_issues: bool = True
    archived: bool = False
    fork: bool = False
    protected: set[str] = field(default_factory=set)
    """Branches that are protected: nobody pushes to them."""
    labels: dict[str, str] = field(default_factory=dict)
    """Colours by name."""
    numbered: dict[int, Issue] = field(default_factory=dict)

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
        """What somebody may do here, as a role."""
        if login == self.owner.login:
            return "admin"
        return self.permissions.get(login, "none" if self.private else "read")

    def may(self, login: str, level: str) -> bool:
        return LEVELS[self.level(login)] >= LEVELS[level]

    def sha(self, ref: str) -> str:
        """The commit of a ref; "" where there is none."""
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
        made = Issue(self, self._number(), hub.next(), title, body, hub.user(author), at, at, association=association)
        self.numbered[made.number] = made
        for label in labels:
            self.labels.setdefault(label, "ededed")
            made.label(label, at=at)
        return made

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
        made = Pull(
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
        made.first_head = made.head_sha or "0" * 40
        self.numbered[made.number] = made
        return made

    @property
    def pulls(self) -> list[Pull]:
        return [one for one in self.numbered.values() if isinstance(one, Pull)]

    def _number(self) -> int:
        return max(self.numbered, default=0) + 1
