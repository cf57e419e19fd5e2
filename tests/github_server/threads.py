"""State of issues, pull requests and comments on the fake server, which tests change by these methods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.github_server.objects import git

if TYPE_CHECKING:
    from tests.github_server.state import Repo, User


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
    edits: list[tuple[str, str]] = field(default_factory=list)
    """Times and texts of all states, if it was edited."""

    @property
    def url(self) -> str:
        return f"{self.issue.url}#issuecomment-{self.id}"

    def edit(self, body: str, at: str = "") -> None:
        self.edits = self.edits or [(self.at, self.body)]
        self.body, self.edited = body, self.issue.repo.hub.time(at)
        self.edits.append((self.edited, body))

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
    """True if it was deleted, or the issue that it was transferred to."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """The timeline without comments, which are added on request."""
    reactions: list[tuple[User, str]] = field(default_factory=list)
    edits: list[tuple[str, str | None]] = field(default_factory=list)
    """Times and texts of all states, if its text was edited."""

    @property
    def url(self) -> str:
        kind = "pull" if isinstance(self, Pull) else "issues"
        return f"{self.repo.url}/{kind}/{self.number}"

    def comment(self, author: str, body: str, *, at: str = "", association: str = "") -> Comment:
        hub, at = self.repo.hub, self.repo.hub.time(at)
        comment = Comment(hub.next(), self, hub.user(author), body, at, at, association)
        self.comments.append(comment)
        self.edited = max(self.edited, at)
        return comment

    def edit(self, *, title: str | None = None, body: str | None = None, at: str = "") -> None:
        old, self.edited = self.title, self.repo.hub.time(at)
        self.title = self.title if title is None else title
        if body is not None:
            self.edits = [*(self.edits or [(self.at, self.body)]), (self.edited, body)]
            self.body = body
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
        """Transfer the issue to another repository; the old address redirects there."""
        issue = to.issue(self.title, self.body, author=self.author.login, labels=self.labels, at=self.at)
        for comment in self.comments:
            issue.comment(comment.author.login, comment.body, at=comment.at)
        self.gone = issue
        return issue

    def mention(self, other: Issue, at: str = "", by: str = "") -> None:
        """Mention another issue, which adds an event to its timeline."""
        other.event("cross-referenced", by or self.author.login, at=at or self.at, source=self)

    def event(self, kind: str, actor: str, *, at: str = "", **more: Any) -> None:
        hub, at = self.repo.hub, self.repo.hub.time(at)
        self.events.append({"id": hub.next(), "event": kind, "actor": hub.user(actor), "created_at": at, **more})
        if kind != "cross-referenced":
            self.edited = max(self.edited, at)


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
    """The head when it was opened, which is used after the branch is deleted."""
    review: list[ReviewComment] = field(default_factory=list)
    reviews: list[dict[str, Any]] = field(default_factory=list)

    @property
    def head_sha(self) -> str:
        return (self.head_repo and self.head_repo.sha(f"refs/heads/{self.head}")) or self.first_head

    @property
    def base_sha(self) -> str:
        return self.repo.sha(f"refs/heads/{self.base}")

    def publish_head(self) -> None:
        """Make `refs/pull/N/head` the commit of the head, which may be in a fork."""
        if self.head_repo and self.head_repo.sha(f"refs/heads/{self.head}"):
            refs = f"+refs/heads/{self.head}:refs/pull/{self.number}/head"
            git(self.repo.git, "fetch", "-q", str(self.head_repo.git), refs)

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
        comment = ReviewComment(
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
        self.review.append(comment)
        return comment

    def merge(self, by: str = "", at: str = "") -> None:
        self.merged_at, self.merged_by = self.repo.hub.time(at), self.repo.hub.user(by or self.repo.owner.login)
        self.event("merged", self.merged_by.login, at=self.merged_at, commit_id=self.head_sha)
        self.close(None, self.merged_by.login, self.merged_at)
