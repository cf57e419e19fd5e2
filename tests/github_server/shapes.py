"""GitHub's JSON objects for users, repositories, issues, pull requests and comments."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from tests.github_server.schema_defaults import Json, with_defaults
from tests.github_server.state import Repo, User
from tests.github_server.threads import Comment, Issue, Pull, ReviewComment

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")


def user(account: User, hub: Any) -> Json | None:
    """Return None for a deleted account, as GitHub does in many places (in others it returns `ghost`)."""
    if account.deleted:
        return None
    fields = {
        "login": account.login,
        "id": account.id,
        "node_id": node("User", account.id),
        "gravatar_id": "",
        "html_url": f"{hub.url}/{'apps/' + account.login[:-5] if account.login.endswith('[bot]') else account.login}",
        "type": account.kind,
        "site_admin": False,
    }
    return with_defaults("simple-user", fields, f"{hub.api}/users/{account.login}")


def repository(repo: Repo, schema: str = "full-repository") -> Json:
    fields = {
        "id": repo.id,
        "node_id": node("Repository", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "owner": user(repo.owner, repo.hub),
        "private": repo.private,
        "visibility": "private" if repo.private else "public",
        "html_url": repo.url,
        "clone_url": f"{repo.url}.git",
        "git_url": f"git:{repo.url.partition(':')[2]}.git",
        "ssh_url": f"git@{repo.url.partition('//')[2]}.git",
        "svn_url": repo.url,
        "fork": repo.parent is not None,
        "archived": repo.archived,
        "has_issues": repo.has_issues,
        "has_discussions": False,
        "default_branch": repo.default_branch,
        "topics": [],
        "open_issues": sum(one.state == "open" for one in repo.numbered.values()),
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
        "pushed_at": "2020-01-01T00:00:00Z",
    }
    return with_defaults(schema, {**fields, "open_issues_count": fields["open_issues"]}, repo.api)


def label(repo: Repo, name: str) -> Json:
    return {
        "id": 1000 + sorted({*repo.labels, name}).index(name),
        "node_id": node("Label", len(name)),
        "url": f"{repo.api}/labels/{name}",
        "name": name,
        "color": repo.labels.get(name, "ededed"),
        "default": False,
        "description": None,
    }


def association(repo: Repo, user: User, explicit: str) -> str:
    """Return the author's relation to the repository, as GitHub adds it to every text."""
    if explicit or user.login == repo.owner.login:
        return explicit or "OWNER"
    if user.login in repo.permissions:
        return "COLLABORATOR"
    return "CONTRIBUTOR" if any(pull.merged_at and pull.author is user for pull in repo.pulls) else "NONE"


def issue(one: Issue, schema: str = "issue") -> Json:
    repo, base = one.repo, f"{one.repo.api}/issues/{one.number}"
    fields = _common(one) | {
        "url": base,
        "repository_url": repo.api,
        "labels_url": f"{base}/labels{{/name}}",
        "comments_url": f"{base}/comments",
        "events_url": f"{base}/events",
        "timeline_url": f"{base}/timeline",
        "comments": len(one.comments),
        "state_reason": one.reason,
        "closed_by": None,
        "performed_via_github_app": None,
        "reactions": reactions(one, base),
    }
    if isinstance(one, Pull):
        at = f"{repo.api}/pulls/{one.number}"
        fields["draft"] = one.draft
        fields["pull_request"] = {
            "url": at,
            "html_url": one.url,
            "diff_url": f"{one.url}.diff",
            "patch_url": f"{one.url}.patch",
            "merged_at": one.merged_at,
        }
    return with_defaults(schema, fields, base)


def _common(one: Issue) -> Json:
    """Return the fields that issues and pull requests share."""
    return {
        "id": one.id,
        "node_id": node("Issue", one.id),
        "number": one.number,
        "html_url": one.url,
        "title": one.title,
        "body": one.body,
        "user": user(one.author, one.repo.hub),
        "labels": [label(one.repo, name) for name in one.labels],
        "state": one.state,
        "locked": one.locked,
        "active_lock_reason": None,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "created_at": one.at,
        "updated_at": one.edited,
        "closed_at": one.closed_at,
        "author_association": association(one.repo, one.author, one.association),
    }


def pull(one: Pull, schema: str = "pull-request") -> Json:
    repo, base, issues = one.repo, f"{one.repo.api}/pulls/{one.number}", f"{one.repo.api}/issues/{one.number}"
    fields = _common(one) | {
        "url": base,
        "diff_url": f"{one.url}.diff",
        "patch_url": f"{one.url}.patch",
        "issue_url": issues,
        "comments_url": f"{issues}/comments",
        "review_comments_url": f"{base}/comments",
        "review_comment_url": f"{base}/comments{{/number}}",
        "commits_url": f"{base}/commits",
        "statuses_url": f"{repo.api}/statuses/{one.head_sha}",
        "draft": one.draft,
        "requested_reviewers": [],
        "requested_teams": [],
        "merged_at": one.merged_at,
        "merge_commit_sha": one.head_sha if one.merged_at else None,
        "head": side(one.head_repo, one.head, one.head_sha, one.author, repo),
        "base": side(repo, one.base, one.base_sha, repo.owner, repo),
        "auto_merge": None,
        "_links": {
            name: {"href": href}
            for name, href in {
                "self": base,
                "html": one.url,
                "issue": issues,
                "comments": f"{issues}/comments",
                "review_comments": f"{base}/comments",
                "review_comment": f"{base}/comments{{/number}}",
                "commits": f"{base}/commits",
                "statuses": f"{repo.api}/statuses/{one.head_sha}",
            }.items()
        },
    }
    if schema == "pull-request":
        fields |= {
            "comments": len(one.comments),
            "review_comments": len(one.review),
            "merged": bool(one.merged_at),
            "merged_by": user(one.merged_by, repo.hub) if one.merged_by else None,
            "mergeable_state": "clean",
            "maintainer_can_modify": one.maintainer_can_modify,
        }
    return with_defaults(schema, fields, base)


def run_of_pull(one: Pull, schema: str, number: int) -> Json:
    """Return the workflow run for the head of a pull request."""
    repo = one.repo
    minimal = repository(repo, "minimal-repository")
    person = {"name": one.author.login, "email": f"{one.author.login}@example.com"}
    fields = {
        "id": number,
        "node_id": node("WorkflowRun", number),
        "event": "pull_request",
        "status": "completed",
        "conclusion": "success",
        "head_branch": one.head,
        "head_sha": one.head_sha,
        "html_url": f"{repo.url}/actions/runs/{number}",
        "path": ".github/workflows/prove.yml",
        "created_at": one.at,
        "updated_at": one.at,
        "run_started_at": one.at,
        "head_commit": {
            "id": one.head_sha,
            "tree_id": one.head_sha,
            "message": one.title,
            "timestamp": one.at,
            "author": person,
            "committer": person,
        },
        "repository": minimal,
        "head_repository": repository(one.head_repo, "minimal-repository") if one.head_repo else None,
    }
    return with_defaults(schema, fields, f"{repo.api}/actions/runs/{number}")


def side(source: Repo | None, ref: str, sha: str, author: User, repo: Repo) -> Json:
    """Return the head or base of a pull request; `repo` is null if the fork was deleted."""
    owner = source.owner if source else author
    return {
        "label": f"{owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user(owner, repo.hub),
        "repo": repository(source, "repository") if source else None,
    }


def comment(one: Comment, schema: str = "issue-comment") -> Json:
    repo = one.issue.repo
    base = f"{repo.api}/issues/comments/{one.id}"
    fields = _comment_fields(one) | {
        "issue_url": f"{repo.api}/issues/{one.issue.number}",
        "performed_via_github_app": None,
        "reactions": reactions(one, base),
    }
    return with_defaults(schema, fields, base)


def review_comment(one: ReviewComment, schema: str = "pull-request-review-comment") -> Json:
    repo = one.issue.repo
    base, at = f"{repo.api}/pulls/comments/{one.id}", f"{repo.api}/pulls/{one.issue.number}"
    links = {"self": base, "html": one.url, "pull_request": at}
    fields = _comment_fields(one) | {
        "pull_request_url": at,
        "pull_request_review_id": one.id + 1,
        "path": one.path,
        "diff_hunk": "@@ -1 +1 @@",
        "commit_id": one.commit,
        "original_commit_id": one.commit,
        "line": one.line,
        "original_line": one.line,
        "position": one.line,
        "original_position": one.line or 1,
        "start_line": None,
        "original_start_line": None,
        "start_side": None,
        "side": "RIGHT",
        "reactions": reactions(one, base),
        "_links": {name: {"href": href} for name, href in links.items()},
    }
    if one.reply_to:
        fields["in_reply_to_id"] = one.reply_to.id
    return with_defaults(schema, fields, base)


def review(pull: Pull, login: str, body: str, state: str) -> Json:
    hub, base = pull.repo.hub, f"{pull.repo.api}/pulls/{pull.number}"
    number = hub.next()
    html = f"{pull.url}#pullrequestreview-{number}"
    fields = {
        "id": number,
        "node_id": node("PullRequestReview", number),
        "user": user(hub.user(login), hub),
        "body": body,
        "state": state,
        "html_url": html,
        "pull_request_url": base,
        "_links": {"html": {"href": html}, "pull_request": {"href": base}},
        "submitted_at": hub.time(),
        "commit_id": pull.head_sha,
        "author_association": association(pull.repo, hub.user(login), ""),
    }
    return with_defaults("pull-request-review", fields, f"{base}/reviews/{number}")


def _comment_fields(one: Comment) -> Json:
    return {
        "id": one.id,
        "node_id": node("IssueComment", one.id),
        "html_url": one.url,
        "body": one.body,
        "user": user(one.author, one.issue.repo.hub),
        "created_at": one.at,
        "updated_at": one.edited,
        "author_association": association(one.issue.repo, one.author, one.association),
    }


def reactions(one: Issue | Comment, base: str) -> Json:
    contents = [content for _, content in one.reactions]
    counts = {name: contents.count(name) for name in REACTIONS}
    return {"url": f"{base}/reactions", "total_count": len(contents), **counts}


def node(kind: str, number: int) -> str:
    return b64encode(f"{kind}{number}".encode()).decode()
