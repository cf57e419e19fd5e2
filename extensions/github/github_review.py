"""A review on a pull request: one comment that later reviews update, and remarks beside the lines of the diff.

Texts are a stranger's or a model's and are escaped. The comment is found by its mark and its author, since anybody can
write the mark. Nothing is written where there is nothing to say; an earlier comment is then updated to say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from agent.patch_checks.findings import RULES, Finding
from agent.patch_checks.sarif import fingerprints
from extensions.github.api.github_client import connect, require_created, translate_errors
from extensions.github.missing_permissions import OWN_TOKEN
from extensions.github.pull_request.marked_comment import MOST, NEEDS, is_marked, show_comment
from extensions.github.pull_request.proof_comment import STEPS, answer
from extensions.github.text_escaping import MOST_BULLETS, bullet_list, code, escape_markdown, format_name
from trajectories.errors import ConfigError, TryLater, UsageError
from trajectories.unified_diff import shown_lines

if TYPE_CHECKING:
    from github import Github
    from github.PullRequest import PullRequest, ReviewComment
    from github.Repository import Repository

    from agent.inputs.github_urls import Address
    from agent.patch_checks.review import Review

MARK = "<!-- swe-agent review -->"
REMARK = "<!-- swe-agent remark {} -->"
MOST_REMARKS = 20
"""Maximum number of remarks beside the code in one review."""
MOST_FILES = 3_000
"""Maximum number of changed files that GitHub lists."""
NO_REMARKS = "Nothing to remark on at this commit."
BASIS = (
    "The tests ran with the settings and the test configuration of the base, in a workspace without a network. "
    "Findings are measured unless they are the model's."
)


@dataclass(frozen=True, slots=True)
class Posted:
    """What was posted: the URL of the comment, or "", and the number of new remarks beside the code."""

    url: str = ""
    remarks: int = 0


def check_postable(address: Address) -> None:
    """Raise ConfigError without a token, and UsageError for a pull request that is not open."""
    if not address.token:
        raise ConfigError("--post needs a token for GitHub.", f"Set {address.token_name}.")
    client = connect(address)
    try:
        pull = _pull(client.withLazy(True).get_repo(address.repository), address.number)
        with translate_errors("read the pull request", "pull-requests: read"):
            state = pull.state
    finally:
        client.close()
    if state != "open":
        raise UsageError(f"{_name(address)} is {state}.", "Leave --post out.")


def post_review(address: Address, head: str, review: Review) -> Posted:
    """Post the review of the commit `head`.

    Raises TryLater if the pull request has a newer commit, UsageError if it was closed meanwhile, and what
    `translate_errors` raises.
    """
    client = connect(address)
    try:
        there = client.withLazy(True).get_repo(address.repository)
        pull = _pull(there, address.number)
        with translate_errors("read the pull request", "pull-requests: read"):
            state, latest = pull.state, pull.head.sha
        if state != "open":
            raise UsageError(f"{_name(address)} is {state}: nothing was posted.", "Leave --post out.")
        if latest != head:
            raise TryLater(f"{_name(address)} has a newer commit: nothing was posted.", "Review it again.")
        author = _own_login(client)
        text = f"{NO_REMARKS if review.is_silent else summary(review)}\n\n{code(head[:10])}"
        url = show_comment(there, address.number, author, MARK, text, only_update=review.is_silent)
        return Posted(url, _post_remarks(there, pull, head, author, review))
    finally:
        client.close()


def _pull(there: Repository, number: int) -> PullRequest:
    with translate_errors("read the pull request", "pull-requests: read"):
        return there.get_pull(number)


def _name(address: Address) -> str:
    return f"The pull request {address.repository}#{address.number}"


def _own_login(client: Github) -> str:
    """Return the login whose token is used. A workflow's own token may not ask for it."""
    from github import GithubException

    with translate_errors("read who the token belongs to"):
        try:
            return client.withLazy(False).get_user().login
        except GithubException as error:
            if error.status != 403:
                raise
            return OWN_TOKEN


def summary(review: Review) -> str:
    """Return the text of the comment: verdict, where to look first, findings by heading."""
    verdict = review.verdict
    parts = [f"**{escape_markdown(review.headline)}**", escape_markdown(review.incomplete)]
    if any(getattr(verdict, step) is not None for step in STEPS):
        values = {step: getattr(verdict, step) for step in STEPS} | {"compared": verdict.compared}
        rows = [f"| {words} | {answer(values, step)} |" for step, words in STEPS.items()]
        parts.append("\n".join(["| | |", "|---|---|", *rows]))
    if review.first:
        parts.append(f"**Look first at**\n\n{bullet_list(map(escape_markdown, review.first))}")
    for name, findings in review.groups.items():
        lines = [f"{_place(one)}{escape_markdown(one.text)}" for one in findings[:MOST_BULLETS]]
        more = [f"and {len(findings) - MOST_BULLETS} more"] if len(findings) > MOST_BULLETS else []
        parts.append("\n".join([f"**{name}**\n", *(f"- {line}" for line in [*lines, *more])]))
    return "\n\n".join(filter(None, [*parts, BASIS]))


def _place(one: Finding) -> str:
    line = f" line {one.line}" if one.line else ""
    return f"{format_name(one.path)}{line}: " if one.path else ""


def _post_remarks(there: Repository, pull: PullRequest, head: str, author: str, review: Review) -> int:
    """Post the remarks that the pull request does not have yet as one review, and return their number."""
    marked = zip(map(REMARK.format, fingerprints(review.findings)), review.findings, strict=True)
    placed = {mark: one for mark, one in marked if one.path and one.line}
    if not placed:
        return 0
    with translate_errors("read the changed files", "pull-requests: read"):
        lines = _github_lines(pull, {one.path for one in placed.values()})
        known = list(_known_marks(pull, author))
    new = (mark for mark, one in placed.items() if one.line in lines.get(one.path, ()) and mark not in known)
    chosen = {mark: placed[mark] for mark in islice(new, MOST_REMARKS)}
    if chosen:
        _create_review(there, pull, head, chosen)
    return len(chosen)


def _github_lines(pull: PullRequest, wanted: Iterable[str]) -> dict[str, frozenset[int]]:
    """Return the lines that GitHub's own diff shows of each file; it may have another base than the run."""
    left, found = set(wanted), {}
    for file in islice(pull.get_files(), MOST_FILES):
        if file.filename in left:
            found[file.filename] = shown_lines(file.patch or "")
            left.remove(file.filename)
        if not left:
            break
    return found


def _known_marks(pull: PullRequest, author: str) -> Iterator[str]:
    for comment in islice(pull.get_review_comments(), MOST):
        if is_marked(comment, author, REMARK.partition("{}")[0]):
            yield (comment.body or "").partition("\n")[0]


def _create_review(there: Repository, pull: PullRequest, head: str, chosen: Mapping[str, Finding]) -> None:
    from github.Commit import Commit

    comments: list[ReviewComment] = [
        {"path": one.path, "line": one.line, "side": "RIGHT", "body": f"{mark}\n{_remark(one)}"}
        for mark, one in chosen.items()
    ]
    words = "1 remark" if len(comments) == 1 else f"{len(comments)} remarks"
    with translate_errors(f"review #{pull.number}", NEEDS):
        commit = Commit(there.requester, attributes={"sha": head})  # without a request for it
        made = pull.create_review(commit=commit, body=f"{words} on this change.", event="COMMENT", comments=comments)
        require_created(made)


def _remark(one: Finding) -> str:
    return f"**{RULES[one.rule].name}.** {escape_markdown(one.text)}"
