"""The issue's text at the time of the request, with each author's role according to GitHub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aci.issue_text.issue_discussion import select_comments
from agent.inputs.github_urls import Address
from extensions.github.action.spend_record import MARK
from extensions.github.action_inputs import Rules
from extensions.github.api.github_client import connect, translate_errors
from extensions.github.api.github_issue import MOST_DISCUSSED, author_of, comment_of, issue_of, linked_item
from extensions.github.api.issue_images import fetch_images
from extensions.github.api.response_cache import FULL, Reader
from extensions.github.task.requesters import Rights
from extensions.github.task.trigger_event import Trigger, utc
from trajectories.records import Comment, Issue

MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Discussion:
    """The comments from before the request, the authors of comments that are left out because they were edited
    afterwards, and the number of unread pages."""

    comments: tuple[Comment, ...]
    edited: tuple[str, ...] = ()
    unread: int = 0

    @property
    def note(self) -> str:
        """A message about comments that were left out or not read; "" if there are none."""
        long = f"At least {self.unread * FULL:,} comments or events in the middle were not read." if self.unread else ""
        return " ".join(filter(None, [self._edited, long]))

    @property
    def _edited(self) -> str:
        if not self.edited:
            return ""
        names = list(dict.fromkeys(self.edited))
        more = f" and {len(names) - MOST_NAMED} others" if len(names) > MOST_NAMED else ""
        count = len(self.edited)
        what = "A comment was edited" if count == 1 else f"{count} comments were edited"
        whose = f"{', '.join(names[:MOST_NAMED])}{more}"
        return f"{what} after the request and {'is' if count == 1 else 'are'} left out: {whose}."


def issue_at_request(
    here: Address, data: Mapping[str, Any], trigger: Trigger, rights: Rights, rules: Rules
) -> tuple[Issue, Discussion]:
    """Return the issue to solve, with the comments and links from before the request."""
    place = f"/repos/{here.repository}/issues/{trigger.number}"
    (comments, events), unread = _read(here, f"{place}/comments", f"{place}/timeline")
    discussion = _before(comments, trigger, rights, rules)
    around = {one.url: one for event in events if _is_before(event, trigger) and (one := linked_item(event, here))}
    said = sorted([*discussion.comments, *(_trusted(one, rights) for one in around.values())], key=lambda one: one.at)
    chosen = select_comments(said, MOST_DISCUSSED, longest=MOST_DISCUSSED)
    issue = issue_of(data)
    images = fetch_images([issue.body, *(one.body for one in chosen if not one.about)], here)
    trust = rights.trust(issue.author, issue.trust)
    return replace(issue, trust=trust, comments=chosen, images=images), replace(
        discussion, comments=chosen, unread=unread
    )


def thread_at_request(here: Address, trigger: Trigger, rights: Rights, rules: Rules) -> Discussion:
    """Return the comments on a pull request from before the request.

    For a request in a review thread, return that thread alone, with the request itself.
    """
    place = f"/repos/{here.repository}"
    lines, talk = f"{place}/pulls/{trigger.number}/comments", f"{place}/issues/{trigger.number}/comments"
    if trigger.kind != "review" or trigger.comment is None:
        (said, reviewed), unread = _read(here, talk, lines)
        found = _before([*said, *reviewed], trigger, rights, rules)
        chosen = select_comments(found.comments, MOST_DISCUSSED, longest=MOST_DISCUSSED)
        return replace(found, comments=chosen, unread=unread)
    (reviewed,), unread = _read(here, lines)
    root = thread_root(trigger)
    thread = [one for one in reviewed if root in (one["id"], one.get("in_reply_to_id"))]
    found = _before(thread, trigger, rights, rules)
    asked = replace(comment_of(trigger.comment), trust="member")
    return replace(found, comments=(*found.comments, asked), unread=unread)


def thread_root(trigger: Trigger) -> int:
    """Return the id of the first comment in the review thread that contains the request; 0 if the request is not in a
    review thread."""
    comment = trigger.comment if trigger.kind == "review" else None
    return int(comment.get("in_reply_to_id") or comment["id"]) if comment else 0


def _read(here: Address, *paths: str) -> tuple[list[list[Any]], int]:
    """Return the items of the list at each API path, and the largest number of unread pages of any list."""
    client = connect(here)
    reader = Reader(client, here, kept=False)
    try:
        with translate_errors("read the comments"):
            lists, unread = zip(*map(reader.pages, paths), strict=True)
            return list(lists), max(unread)
    finally:
        reader.close()
        client.close()


def _before(comments: Sequence[Any], trigger: Trigger, rights: Rights, rules: Rules) -> Discussion:
    found: list[Comment] = []
    edited: list[str] = []
    for one in _others(comments, trigger, rules):
        if utc(one["updated_at"]) >= trigger.at:
            edited.append(author_of(one))
        else:
            found.append(_trusted(comment_of(one), rights))
    return Discussion(tuple(sorted(found, key=lambda one: one.at)), tuple(edited))


def _others(comments: Sequence[Any], trigger: Trigger, rules: Rules) -> Iterator[Mapping[str, Any]]:
    """Yield the comments from before the request, except the Action's own comments and the comment that made the
    request."""
    asks = trigger.comment["id"] if trigger.comment else 0
    for one in comments:
        ours = author_of(one).casefold() == rules.bot.casefold() and str(one.get("body")).startswith(MARK)
        if not ours and one["id"] != asks and utc(one["created_at"]) < trigger.at:
            yield one


def _trusted(comment: Comment, rights: Rights) -> Comment:
    return replace(comment, trust=rights.trust(comment.author, comment.trust))


def _is_before(event: Any, trigger: Trigger) -> bool:
    """Whether an item linked the issue before the request and has not been edited since."""
    source = (event.get("source") or {}).get("issue") or {} if isinstance(event, Mapping) else {}
    times = [source.get("updated_at"), event.get("created_at")] if source else []
    return bool(times) and all(at and utc(at) < trigger.at for at in times)
