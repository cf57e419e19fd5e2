"""What the gate hands on: the text as it was when somebody asked, with everybody's role as GitHub knows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aci.discussion import chosen
from agent.github.address import Address
from agent.github.askers import Rights
from agent.github.client import asking, connect
from agent.github.issue import MOST_DISCUSSED, author_of, comment_of, issue_of, linked
from agent.github.ledger_line import MARK
from agent.github.pictures import pictures_of
from agent.github.reading import FULL, Reader
from agent.github.rules import Rules
from agent.github.trigger import Trigger, utc
from trajectories.records import Comment, Issue

MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Discussion:
    """What was said before somebody asked, whose words are left out because they were edited since, and how many
    pages were not read."""

    comments: tuple[Comment, ...]
    edited: tuple[str, ...] = ()
    unread: int = 0

    @property
    def note(self) -> str:
        """Sentences on what is left out; "" where nothing is."""
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
        return f"{what} after somebody asked, and {'is' if count == 1 else 'are'} left out: {whose}."


def issue_as_of(
    here: Address, data: Mapping[str, Any], trigger: Trigger, rights: Rights, rules: Rules
) -> tuple[Issue, Discussion]:
    """The issue that is to be solved, with what was said and linked before."""
    place = f"/repos/{here.repository}/issues/{trigger.number}"
    (comments, events), unread = _read(here, f"{place}/comments", f"{place}/timeline")
    discussion = _before(comments, trigger, rights, rules)
    around = {one.url: one for event in events if _is_before(event, trigger) and (one := linked(event, here))}
    said = sorted([*discussion.comments, *(_trusted(one, rights) for one in around.values())], key=lambda one: one.at)
    kept = chosen(said, MOST_DISCUSSED, longest=MOST_DISCUSSED)
    issue = issue_of(data)
    images = pictures_of([issue.body, *(one.body for one in kept if not one.about)], here)
    trust = rights.trust(issue.author, issue.trust)
    return replace(issue, trust=trust, comments=kept, images=images), replace(discussion, comments=kept, unread=unread)


def thread_as_of(here: Address, trigger: Trigger, rights: Rights, rules: Rules) -> Discussion:
    """What was said on a pull request before; of a review's thread that thread alone, with the words that ask."""
    place = f"/repos/{here.repository}"
    lines, talk = f"{place}/pulls/{trigger.number}/comments", f"{place}/issues/{trigger.number}/comments"
    if trigger.kind != "review" or trigger.comment is None:
        (said, reviewed), unread = _read(here, talk, lines)
        found = _before([*said, *reviewed], trigger, rights, rules)
        kept = chosen(found.comments, MOST_DISCUSSED, longest=MOST_DISCUSSED)
        return replace(found, comments=kept, unread=unread)
    (reviewed,), unread = _read(here, lines)
    root = thread_root(trigger)
    thread = [one for one in reviewed if root in (one["id"], one.get("in_reply_to_id"))]
    found = _before(thread, trigger, rights, rules)
    asked = replace(comment_of(trigger.comment), trust="member")
    return replace(found, comments=(*found.comments, asked), unread=unread)


def thread_root(trigger: Trigger) -> int:
    """The first comment of the review's thread in which it was asked; 0 elsewhere."""
    comment = trigger.comment if trigger.kind == "review" else None
    return int(comment.get("in_reply_to_id") or comment["id"]) if comment else 0


def _read(here: Address, *paths: str) -> tuple[list[list[Any]], int]:
    """What is listed at each, and the number of pages that were left out of the longest."""
    client = connect(here)
    reader = Reader(client, here, kept=False)
    try:
        with asking("read what was said"):
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
    """Those from before, without our own and the one that asks."""
    asks = trigger.comment["id"] if trigger.comment else 0
    for one in comments:
        ours = author_of(one).casefold() == rules.bot.casefold() and str(one.get("body")).startswith(MARK)
        if not ours and one["id"] != asks and utc(one["created_at"]) < trigger.at:
            yield one


def _trusted(comment: Comment, rights: Rights) -> Comment:
    return replace(comment, trust=rights.trust(comment.author, comment.trust))


def _is_before(event: Any, trigger: Trigger) -> bool:
    """Whether what names the issue did so before, and has the words it had then."""
    source = (event.get("source") or {}).get("issue") or {} if isinstance(event, Mapping) else {}
    times = [source.get("updated_at"), event.get("created_at")] if source else []
    return bool(times) and all(at and utc(at) < trigger.at for at in times)
