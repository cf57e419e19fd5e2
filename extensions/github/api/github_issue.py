"""An issue on GitHub: its text, discussion, linked issues and pull requests, and images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aci.issue_text.issue_discussion import select_comments
from agent.inputs.github_urls import Address, address_of
from extensions.github.api.github_client import connect, translate_errors
from extensions.github.api.hidden_text import VisibleText, visible_line, visible_text
from extensions.github.api.issue_images import fetch_images
from extensions.github.api.response_cache import Reader
from trajectories.errors import TryLater, UsageError
from trajectories.records import Comment, Issue, Trust

MEMBERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
NOBODY = "ghost"
"""GitHub's name for deleted users."""
MOST_DISCUSSED = 200_000
"""Maximum number of characters of comments that a run keeps; the most relevant comments are selected."""
FIRST_LINES, FIRST_CHARACTERS = 6, 500
"""Maximum number of lines and characters of a linked issue or pull request."""
Say = Callable[[str], object]


def fetch_issue(url: str, say: Say = lambda _: None) -> Issue:
    """Return the issue at `url`, with its comments, references to it, labels and images.

    `say` is called if the issue has moved or comments were not read. Raises UsageError if `url` is not an issue,
    ConfigError for a missing permission, TryLater if GitHub does not answer or its rate limit is reached. The token is
    sent only to the server of `url`.
    """
    if "/pull/" in url:
        what = f"{url} is not the address of an issue but of a pull request."
        raise UsageError(what, "Give the address of an issue.")
    address = address_of(url)
    client = connect(address)
    reader = Reader(client, address)
    try:
        with translate_errors(f"read {address.issue_url}", token=address.token_name):
            data = reader.get(f"/repos/{address.repository}/issues/{address.number}")
            if not isinstance(data, dict) or not isinstance(data.get("title"), str):
                raise TryLater(f"GitHub's answer for {address.issue_url} is not an issue.", "Try again.")
            if "pull_request" in data:
                raise UsageError(f"{address.issue_url} is a pull request.", "Give the address of an issue.")
            now = _moved(data, address, say)
            place = f"/repos/{now.repository}/issues/{now.number}"
            comments, unread = reader.pages(f"{place}/comments") if data.get("comments") != 0 else ([], 0)
            events, _ = reader.pages(f"{place}/timeline")
    finally:
        reader.close()
        client.close()
    if unread:
        say(f"Only the first and the last of {data.get('comments')} comments were read.")
    return _put_together(data, comments, events, now)


def issue_of(data: Mapping[str, Any]) -> Issue:
    """Return the issue from the JSON of an issue or pull request: its visible text, without comments and images."""
    title, body = visible_line(str(data.get("title") or "")), visible_text(str(data.get("body") or ""))
    labels = [each.get("name") if isinstance(each, Mapping) else each for each in data.get("labels") or ()]
    return Issue(
        title=title.text,
        body=str(VisibleText(body.text, title.removed + body.removed)),
        url=str(data.get("html_url") or ""),
        author=author_of(data),
        trust=trust_of(data),
        labels=tuple(visible_line(str(label)).text for label in labels if label),
    )


def comment_of(data: Mapping[str, Any], about: str = "") -> Comment:
    """Return the comment from a comment's JSON; for a comment on a line of a pull request, `about` is its path and
    line."""
    if not about and data.get("path"):
        line = data.get("line") or data.get("original_line")
        about = visible_line(f"{data['path']}:{line}" if line else str(data["path"])).text
    return Comment(
        author=author_of(data),
        body=str(visible_text(str(data.get("body") or ""))),
        at=str(data.get("created_at") or ""),
        role=str(data.get("author_association") or ""),
        trust=trust_of(data),
        about=about,
        url=str(data.get("html_url") or ""),
    )


def author_of(data: Mapping[str, Any]) -> str:
    user = data.get("user")
    return str(user.get("login") or NOBODY) if isinstance(user, Mapping) else NOBODY


def trust_of(data: Mapping[str, Any]) -> Trust:
    """Return the trust level for the author's role in the repository, as GitHub reports it."""
    return "member" if data.get("author_association") in MEMBERS else "stranger"


def _put_together(data: Mapping[str, Any], comments: Sequence[Any], events: Sequence[Any], address: Address) -> Issue:
    issue = replace(issue_of(data), url=address.issue_url)
    if not issue.title and not visible_text(str(data.get("body") or "")).text.strip():
        fix = "Describe what goes wrong and what should happen."
        raise UsageError(f"The issue at {address.issue_url} is empty.", fix)
    said = [comment_of(each) for each in comments if isinstance(each, Mapping)]
    around = {each.url: each for event in events if (each := linked_item(event, address))}
    kept = select_comments(
        sorted([*said, *around.values()], key=lambda each: each.at), MOST_DISCUSSED, longest=MOST_DISCUSSED
    )
    texts = [issue.body, *(each.body for each in kept if not each.about)]
    return replace(issue, comments=kept, images=fetch_images(texts, address))


def linked_item(event: object, address: Address) -> Comment | None:
    """Return the issue or pull request that mentions the issue: its title, state and first lines.

    A role in another repository is ignored, since anyone can own a repository. Items from other private repositories
    are left out: the user may read them, but readers of the run's output may not.
    """
    if not isinstance(event, Mapping) or event.get("event") != "cross-referenced":
        return None
    source = event.get("source")
    source = source.get("issue") if isinstance(source, Mapping) else None
    if not isinstance(source, Mapping) or not source.get("html_url"):
        return None
    where = source.get("repository")
    where = where if isinstance(where, Mapping) else {}
    name = str(where.get("full_name") or "")
    ours = name.lower() == address.repository.lower()
    if not ours and where.get("private") is not False:
        return None
    comment = comment_of(source, about=" ")
    title = visible_line(str(source.get("title"))).text
    about = f"{'' if ours else name}#{source.get('number')}, {_state(source)}: {title}"
    lines = [line for line in comment.body.splitlines() if line.strip()]
    body = "\n".join(lines[:FIRST_LINES])
    body = body if len(body) <= FIRST_CHARACTERS else f"{body[:FIRST_CHARACTERS]}…"
    comment = replace(comment, about=about, body=body)
    return comment if ours else replace(comment, trust="stranger", role="")


def _state(source: Mapping[str, Any]) -> str:
    pull = source.get("pull_request")
    if not isinstance(pull, Mapping):
        return f"{source.get('state')} issue"
    return f"{'merged' if pull.get('merged_at') else source.get('state')} pull request"


def _moved(data: Mapping[str, Any], address: Address, say: Say) -> Address:
    """Return the issue's current address from GitHub's response, which differs if the repository was renamed or the
    issue was moved."""
    try:
        now = address_of(str(data.get("html_url") or ""))
    except UsageError:
        return address
    if now.server != address.server or now.issue_url.lower() == address.issue_url.lower():
        return address
    say(f"{address.issue_url} has moved to {now.issue_url}.")
    return now
