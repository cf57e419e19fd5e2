"""Pull requests: listing, opening, and what is said on their lines."""

from __future__ import annotations

import re
from typing import Any

from tests.github_server import access, shapes
from tests.github_server.contents import commit, files
from tests.github_server.issues import MOST, TOO_LONG, checked_body, ordered, own, react
from tests.github_server.objects import git
from tests.github_server.repositories import REPO
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route
from tests.github_server.state import Repo
from tests.github_server.threads import Pull, ReviewComment

PULL = REPO + "/pulls/{pull_number}"
READ, WRITE = "pull_requests=read", "pull_requests=write"


@route("GET", REPO + "/pulls", READ)
def listed(call: Call) -> Answer:
    query = call.request.query
    found = [
        one
        for one in call.repo.pulls
        if query.get("state", "open") in ("all", one.state)
        and query.get("base", one.base) == one.base
        and query.get("head", "").lower() in ("", _label(one).lower(), one.head.lower())
    ]
    return call.page(ordered(found, query), lambda one: shapes.pull(one, "pull-request-simple"))


def _label(one: Pull) -> str:
    return f"{(one.head_repo.owner if one.head_repo else one.author).login}:{one.head}"


@route("POST", REPO + "/pulls", WRITE)
def opened(call: Call) -> Answer:
    repo, body, token = call.repo, call.body, call.token
    assert token is not None
    if token.user.login == "github-actions[bot]" and not repo.actions_may_open_pulls:
        raise Refused(403, "GitHub Actions is not permitted to create or approve pull requests.")
    owner, _, name = str(body.get("head", "")).rpartition(":")
    fork = _fork(call, owner)
    sha = fork.sha(f"refs/heads/{name}") if fork else ""
    if not sha:
        raise _invalid({"resource": "PullRequest", "field": "head", "code": "invalid"})
    base = str(body.get("base", ""))
    if not repo.sha(f"refs/heads/{base}"):
        raise _invalid({"resource": "PullRequest", "field": "base", "code": "invalid"})
    if fork is repo and git(repo.git, "rev-list", "-n", "1", f"{base}..{name}") == "":
        raise _custom(f"No commits between {base} and {name}")
    if len(body.get("body") or "") > MOST:
        raise _invalid({"resource": "PullRequest", **TOO_LONG})
    if not str(body.get("title", "")).strip():
        raise _invalid({"resource": "PullRequest", "code": "missing_field", "field": "title"})
    if body.get("draft") and not repo.drafts:
        raise Refused(422, "Draft pull requests are not supported in this repository.")
    if any(one.state == "open" and (one.head_repo, one.head, one.base) == (fork, name, base) for one in repo.pulls):
        raise _custom(f"A pull request already exists for {fork.owner.login if fork else owner}:{name}.")
    made = repo.pull(
        name,
        base,
        author=call.me,
        title=str(body["title"]),
        body=body.get("body"),
        fork=fork,
        draft=bool(body.get("draft")),
    )
    made.maintainer_can_modify = bool(body.get("maintainer_can_modify")) and fork is not repo
    _refer(made)
    return Answer(201, _whole(made))


def _fork(call: Call, owner: str) -> Repo | None:
    if owner in ("", call.repo.owner.login):
        return call.repo
    return next((one for one in call.hub.repos.values() if one.parent is call.repo and one.owner.login == owner), None)


def _invalid(error: dict[str, Any]) -> Refused:
    return Refused(422, "Validation Failed", error)


def _custom(message: str) -> Refused:
    return _invalid({"resource": "PullRequest", "code": "custom", "message": message})


def _refer(made: Pull) -> None:
    """An issue that a pull request names says so in its timeline."""
    for number in dict.fromkeys(re.findall(r"(?<![\w/])#(\d+)\b", f"{made.title}\n{made.body}")):
        other = made.repo.numbered.get(int(number))
        if other is not None and other is not made:
            made.refer(other)


@route("GET", PULL, READ)
def one_pull(call: Call) -> Answer:
    return Answer(200, _whole(call.pull()))


def _whole(one: Pull) -> Any:
    changed = files(one.repo, one.base_sha, one.head_sha) if one.base_sha and one.head_sha else []
    counts = {name: sum(part[name] for part in changed) for name in ("additions", "deletions")}
    return {**shapes.pull(one), **counts, "changed_files": len(changed), "commits": len(_commits(one))}


def _commits(one: Pull) -> list[str]:
    return git(one.repo.git, "rev-list", "--reverse", f"{one.base_sha}..{one.head_sha}", check=False).split()


@route("PATCH", PULL, WRITE)
def edited(call: Call) -> Answer:
    one, body = call.pull(), call.body
    if one.author.login != call.me and not access.pushes(call.token, call.repo):
        raise Refused(403, "Must have admin rights to Repository.")
    if len(body.get("body") or "") > MOST:
        raise _invalid({"resource": "PullRequest", **TOO_LONG})
    one.edit(title=body.get("title"), body=body.get("body"))
    one.base = body.get("base", one.base)
    if body.get("state") == "closed" and one.state == "open":
        one.close(None, call.me)
    if body.get("state") == "open":
        one.reopen()
    return Answer(200, _whole(one))


@route("GET", PULL + "/files", READ)
def changed(call: Call) -> Answer:
    one = call.pull()
    return call.page(files(one.repo, one.base_sha, one.head_sha))


@route("GET", PULL + "/commits", READ)
def commits(call: Call) -> Answer:
    one = call.pull()
    return call.page(_commits(one), lambda sha: commit(one.repo, sha))


@route("GET", PULL + "/reviews", READ)
def reviews(call: Call) -> Answer:
    return call.page(call.pull().reviews)


@route("GET", PULL + "/comments", READ)
def review_comments(call: Call) -> Answer:
    since = call.request.query.get("since", "")
    found = [said for said in call.pull().review if said.edited >= since]
    return call.page(ordered(found, {"direction": "asc", **call.request.query}), shapes.review_comment)


@route("POST", PULL + "/comments", WRITE)
def commented(call: Call) -> Answer:
    one, body = call.pull(), call.body
    text = checked_body(call, "PullRequestReviewComment")
    return Answer(201, shapes.review_comment(one.review_comment(call.me, text, body["path"], body.get("line"))))


@route("POST", PULL + "/comments/{comment_id}/replies", WRITE)
def replied(call: Call) -> Answer:
    one = call.pull()
    to = _said(call)
    if to.issue is not one:
        raise Refused(404)
    if to.reply_to:
        raise Refused(
            422,
            "Validation Failed",
            {"resource": "PullRequestReviewComment", "code": "invalid", "field": "in_reply_to"},
        )
    if one.locked and not access.pushes(call.token, call.repo):
        raise Refused(403, "Unable to create comment because issue is locked.")
    text = checked_body(call, "PullRequestReviewComment")
    return Answer(201, shapes.review_comment(one.review_comment(call.me, text, to.path, to.line, reply_to=to)))


@route("GET", REPO + "/pulls/comments/{comment_id}", READ)
def review_comment(call: Call) -> Answer:
    return Answer(200, shapes.review_comment(_said(call)))


@route("PATCH", REPO + "/pulls/comments/{comment_id}", WRITE)
def review_comment_edited(call: Call) -> Answer:
    said = own(call, _said(call))
    said.edit(checked_body(call, "PullRequestReviewComment"))
    return Answer(200, shapes.review_comment(said))


@route("POST", REPO + "/pulls/comments/{comment_id}/reactions", WRITE)
def review_comment_reacted(call: Call) -> Answer:
    return react(call, _said(call))


def _said(call: Call) -> ReviewComment:
    number = int(call.parts["comment_id"])
    for one in call.repo.pulls:
        for said in one.review:
            if said.id == number:
                return said
    raise Refused(404)
