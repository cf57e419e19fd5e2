"""Pull requests: listing, opening, updating, and review comments."""

from __future__ import annotations

import re
from typing import Any

from tests.github_server import access, shapes
from tests.github_server.contents import commit, files
from tests.github_server.issues import MOST, TOO_LONG, add_reaction, check_author, checked_body, sort_threads
from tests.github_server.objects import git
from tests.github_server.repositories import REPO
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route
from tests.github_server.state import Repo
from tests.github_server.threads import Pull, ReviewComment

PULL = REPO + "/pulls/{pull_number}"
READ, WRITE = "pull_requests=read", "pull_requests=write"


@route("GET", REPO + "/pulls", READ)
def list_pulls(call: Call) -> Answer:
    query = call.request.query
    pulls = [
        pull
        for pull in call.repo.pulls
        if query.get("state", "open") in ("all", pull.state)
        and query.get("base", pull.base) == pull.base
        and query.get("head", "").lower() in ("", _label(pull).lower(), pull.head.lower())
    ]
    return call.page(sort_threads(pulls, query), lambda pull: shapes.pull(pull, "pull-request-simple"))


def _label(pull: Pull) -> str:
    return f"{(pull.head_repo.owner if pull.head_repo else pull.author).login}:{pull.head}"


@route("POST", REPO + "/pulls", WRITE)
def create_pull(call: Call) -> Answer:
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
    if any(
        pull.state == "open" and (pull.head_repo, pull.head, pull.base) == (fork, name, base) for pull in repo.pulls
    ):
        raise _custom(f"A pull request already exists for {fork.owner.login if fork else owner}:{name}.")
    pull = repo.pull(
        name,
        base,
        author=call.me,
        title=str(body["title"]),
        body=body.get("body"),
        fork=fork,
        draft=bool(body.get("draft")),
    )
    pull.maintainer_can_modify = bool(body.get("maintainer_can_modify")) and fork is not repo
    _mention_issues(pull)
    return Answer(201, _full_pull(pull))


def _fork(call: Call, owner: str) -> Repo | None:
    if owner in ("", call.repo.owner.login):
        return call.repo
    return next((one for one in call.hub.repos.values() if one.parent is call.repo and one.owner.login == owner), None)


def _invalid(error: dict[str, Any]) -> Refused:
    return Refused(422, "Validation Failed", error)


def _custom(message: str) -> Refused:
    return _invalid({"resource": "PullRequest", "code": "custom", "message": message})


def _mention_issues(pull: Pull) -> None:
    """Add the pull request to the timeline of each issue that it names."""
    for number in dict.fromkeys(re.findall(r"(?<![\w/])#(\d+)\b", f"{pull.title}\n{pull.body}")):
        issue = pull.repo.numbered.get(int(number))
        if issue is not None and issue is not pull:
            pull.mention(issue)


@route("GET", PULL, READ)
def get_pull(call: Call) -> Answer:
    return Answer(200, _full_pull(call.pull()))


def _full_pull(pull: Pull) -> Any:
    changed_files = files(pull.repo, pull.base_sha, pull.head_sha) if pull.base_sha and pull.head_sha else []
    counts = {name: sum(file[name] for file in changed_files) for name in ("additions", "deletions")}
    return {**shapes.pull(pull), **counts, "changed_files": len(changed_files), "commits": len(_commits(pull))}


def _commits(pull: Pull) -> list[str]:
    return git(pull.repo.git, "rev-list", "--reverse", f"{pull.base_sha}..{pull.head_sha}", check=False).split()


@route("PATCH", PULL, WRITE)
def update_pull(call: Call) -> Answer:
    pull, body = call.pull(), call.body
    if pull.author.login != call.me and not access.can_push(call.token, call.repo):
        raise Refused(403, "Must have admin rights to Repository.")
    if len(body.get("body") or "") > MOST:
        raise _invalid({"resource": "PullRequest", **TOO_LONG})
    pull.edit(title=body.get("title"), body=body.get("body"))
    pull.base = body.get("base", pull.base)
    if body.get("state") == "closed" and pull.state == "open":
        pull.close(None, call.me)
    if body.get("state") == "open":
        pull.reopen()
    return Answer(200, _full_pull(pull))


@route("GET", PULL + "/files", READ)
def list_files(call: Call) -> Answer:
    pull = call.pull()
    return call.page(files(pull.repo, pull.base_sha, pull.head_sha))


@route("GET", PULL + "/commits", READ)
def list_commits(call: Call) -> Answer:
    pull = call.pull()
    return call.page(_commits(pull), lambda sha: commit(pull.repo, sha))


@route("GET", PULL + "/reviews", READ)
def list_reviews(call: Call) -> Answer:
    return call.page(call.pull().reviews)


@route("POST", PULL + "/reviews", WRITE)
def create_review(call: Call) -> Answer:
    """Create a review whose remarks stand on lines of the diff; one that does not refuses them all."""
    pull, body = call.pull(), call.body
    if pull.locked and not access.can_push(call.token, call.repo):
        raise Refused(403, "Unable to create comment because issue is locked.")
    if body.get("event") == "COMMENT" and not str(body.get("body") or "").strip():
        raise Refused(422, "Unprocessable Entity", "Review cannot be empty")
    patches = {file["filename"]: file.get("patch", "") for file in files(pull.repo, pull.base_sha, pull.head_sha)}
    for comment in body.get("comments", ()):
        if len(comment["body"]) > MOST:
            raise Refused(422, "Unprocessable Entity", "Body is too long")
        if comment.get("line") not in _right_lines(patches.get(comment["path"], "")):
            raise Refused(422, "Unprocessable Entity", "Line could not be resolved")
    for comment in body.get("comments", ()):
        pull.review_comment(call.me, comment["body"], comment["path"], comment["line"])
    review = shapes.review(pull, call.me, str(body.get("body") or ""), "COMMENTED")
    pull.reviews.append(review)
    return Answer(200, review)


def _right_lines(patch: str) -> set[int]:
    """Return the lines of the new file that a patch shows."""
    found: set[int] = set()
    line = 0
    for text in patch.split("\n"):
        if start := re.match(r"@@ -\d+(?:,\d+)? \+(\d+)", text):
            line = int(start[1])
        elif text[:1] in ("+", " "):
            found.add(line)
            line += 1
    return found


@route("GET", PULL + "/comments", READ)
def list_review_comments(call: Call) -> Answer:
    since = call.request.query.get("since", "")
    comments = [comment for comment in call.pull().review if comment.edited >= since]
    return call.page(sort_threads(comments, {"direction": "asc", **call.request.query}), shapes.review_comment)


@route("POST", PULL + "/comments", WRITE)
def create_review_comment(call: Call) -> Answer:
    pull, body = call.pull(), call.body
    text = checked_body(call, "PullRequestReviewComment")
    return Answer(201, shapes.review_comment(pull.review_comment(call.me, text, body["path"], body.get("line"))))


@route("POST", PULL + "/comments/{comment_id}/replies", WRITE)
def create_review_reply(call: Call) -> Answer:
    pull = call.pull()
    parent = _review_comment(call)
    if parent.issue is not pull:
        raise Refused(404)
    if parent.reply_to:
        raise Refused(
            422,
            "Validation Failed",
            {"resource": "PullRequestReviewComment", "code": "invalid", "field": "in_reply_to"},
        )
    if pull.locked and not access.can_push(call.token, call.repo):
        raise Refused(403, "Unable to create comment because issue is locked.")
    text = checked_body(call, "PullRequestReviewComment")
    return Answer(
        201, shapes.review_comment(pull.review_comment(call.me, text, parent.path, parent.line, reply_to=parent))
    )


@route("GET", REPO + "/pulls/comments/{comment_id}", READ)
def get_review_comment(call: Call) -> Answer:
    return Answer(200, shapes.review_comment(_review_comment(call)))


@route("PATCH", REPO + "/pulls/comments/{comment_id}", WRITE)
def update_review_comment(call: Call) -> Answer:
    comment = check_author(call, _review_comment(call))
    comment.edit(checked_body(call, "PullRequestReviewComment"))
    return Answer(200, shapes.review_comment(comment))


@route("POST", REPO + "/pulls/comments/{comment_id}/reactions", WRITE)
def create_review_comment_reaction(call: Call) -> Answer:
    return add_reaction(call, _review_comment(call))


def _review_comment(call: Call) -> ReviewComment:
    number = int(call.parts["comment_id"])
    for pull in call.repo.pulls:
        for comment in pull.review:
            if comment.id == number:
                return comment
    raise Refused(404)
