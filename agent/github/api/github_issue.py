"""An issue as GitHub has it: its text, the discussion, what is linked with it, and its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aci.discussion import chosen
from agent.github.address import Address, address_of
from agent.github.client import asking, connect
from agent.github.hidden import Shown, line_shown, shown
from agent.github.pictures import pictures_of
from agent.github.reading import Reader
from trajectories.errors import TryLater, UsageError
from trajectories.records import Comment, Issue, Trust

MEMBERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
NOBODY = "ghost"
"""What GitHub calls users that were deleted."""
MOST_DISCUSSED = 200_000
"""Characters of comments that a run keeps; those that matter most."""
FIRST_LINES, FIRST_CHARACTERS = 6, 500
"""Of what is linked."""
Say = Callable[[str], object]


def fetch_issue(url: str, say: Say = lambda _: None) -> Issue:
    """The issue at `url`, with its comments, what refers to it, labels and pictures. `say` hears where it has gone to
    and what was not read.

    Raises UsageError for what is no issue there, ConfigError for a missing right, TryLater when GitHub does not answer
    or its limit is reached. The token goes to that server only.
    """
    if "/pull/" in url:
        raise UsageError(f"{url} is not the address of an issue but of a pull request.", "Give that of an issue.")
    address = address_of(url)
    client = connect(address)
    reader = Reader(client, address)
    try:
        with asking(f"read {address.issue_url}", token=address.token_name):
            data = reader.get(f"/repos/{address.repository}/issues/{address.number}")
            if not isinstance(data, dict) or not isinstance(data.get("title"), str):
                raise TryLater(f"GitHub's answer for {address.issue_url} is no issue.", "Try again.")
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
        say(f"Of {data.get('comments')} comments the first and the last were read.")
    return _put_together(data, comments, events, now)


def issue_of(data: Mapping[str, Any]) -> Issue:
    """From the JSON of an issue or a pull request: as a reader sees it, without comments and pictures."""
    title, body = line_shown(str(data.get("title") or "")), shown(str(data.get("body") or ""))
    labels = [each.get("name") if isinstance(each, Mapping) else each for each in data.get("labels") or ()]
    return Issue(
        title=title.text,
        body=str(Shown(body.text, title.removed + body.removed)),
        url=str(data.get("html_url") or ""),
        author=author_of(data),
        trust=trust_of(data),
        labels=tuple(line_shown(str(label)).text for label in labels if label),
    )


def comment_of(data: Mapping[str, Any], about: str = "") -> Comment:
    """From the JSON of a comment; `about` of one on a line of a pull request is its path and line."""
    if not about and data.get("path"):
        line = data.get("line") or data.get("original_line")
        about = line_shown(f"{data['path']}:{line}" if line else str(data["path"])).text
    return Comment(
        author=author_of(data),
        body=str(shown(str(data.get("body") or ""))),
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
    """By the role that GitHub gives the author in the repository in which it stands."""
    return "member" if data.get("author_association") in MEMBERS else "stranger"


def _put_together(data: Mapping[str, Any], comments: Sequence[Any], events: Sequence[Any], address: Address) -> Issue:
    issue = replace(issue_of(data), url=address.issue_url)
    if not issue.title and not shown(str(data.get("body") or "")).text.strip():
        raise UsageError(f"The issue at {address.issue_url} is empty.", "Write what goes wrong and what should happen.")
    said = [comment_of(each) for each in comments if isinstance(each, Mapping)]
    around = {each.url: each for event in events if (each := linked(event, address))}
    kept = chosen(sorted([*said, *around.values()], key=lambda each: each.at), MOST_DISCUSSED, longest=MOST_DISCUSSED)
    texts = [issue.body, *(each.body for each in kept if not each.about)]
    return replace(issue, comments=kept, images=pictures_of(texts, address))


def linked(event: object, address: Address) -> Comment | None:
    """The issue or pull request in which this one was named: its title, state and first lines.

    A role in another repository says nothing: there anybody is owner of his own. What stands in another one that is
    private is not taken: the user may read it, but not all who will read what is made of it.
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
    title = line_shown(str(source.get("title"))).text
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
    """Where the issue stands now, which GitHub's answer tells where its repository was renamed or the issue moved."""
    try:
        now = address_of(str(data.get("html_url") or ""))
    except UsageError:
        return address
    if now.server != address.server or now.issue_url.lower() == address.issue_url.lower():
        return address
    say(f"{address.issue_url} has moved to {now.issue_url}.")
    return now
