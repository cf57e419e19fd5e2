"""The Action's single status comment on an issue or pull request, with its text and the spending record.

A comment counts as the status comment if the bot wrote it and it begins with the record's mark.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from extensions.github.action.spend_record import MARK, Charge, line, read, spent
from extensions.github.api.github_client import require_created, translate_errors
from extensions.github.pull_request.marked_comment import CUT, LONGEST, MOST, is_marked
from extensions.github.task.trigger_event import now
from extensions.github.text_escaping import cut
from trajectories.errors import TryLater

if TYPE_CHECKING:
    from github.IssueComment import IssueComment
    from github.Repository import Repository

NEEDS = "issues: write"


@dataclass(frozen=True, slots=True)
class StatusComment:
    """The status comment on issue or pull request `number`, and all charges there; `id` is 0 if there is no comment
    yet."""

    number: int
    id: int = 0
    text: str = ""
    charges: tuple[Charge, ...] = ()


def find(repository: Repository, number: int, bot: str) -> StatusComment:
    """Return the status comment. If simultaneous runs created several, return the oldest, with all charges."""
    found = StatusComment(number)
    with translate_errors(f"read the comments of #{number}"):
        for comment in islice(repository.get_issue(number).get_comments(), MOST):
            if is_marked(comment, bot, MARK):
                charges = (*found.charges, *read(comment.body, comment.html_url))
                first = found.id or comment.id, found.text or comment.body.partition("\n")[2].strip()
                found = StatusComment(number, *first, charges)
    merged: dict[tuple[str, str], Charge] = {}
    for one in found.charges:
        which = one.run or f"of #{one.pull}"  # older charges are summed up for each pull request
        merged.setdefault((which, one.at), one)  # the oldest comment is kept up to date, so its charges take precedence
    return replace(found, charges=tuple(merged.values()))


def update_comment(repository: Repository, sticky: StatusComment, text: str) -> StatusComment:
    """Show `text` in the existing status comment, or in a new one."""
    from github import UnknownObjectException

    head = f"{line(sticky.charges)}\n\n"
    shown = cut(text, LONGEST - len(head), CUT)
    with translate_errors(f"comment on #{sticky.number}", NEEDS):
        if sticky.id:
            try:
                _comment(repository, sticky.id).edit(f"{head}{shown}")
                return replace(sticky, text=shown)
            except UnknownObjectException:
                pass  # the comment was deleted
        posted = require_created(repository.get_issue(sticky.number).create_comment(f"{head}{shown}"))
    return replace(sticky, id=posted.id, text=shown)


def hold(repository: Repository, sticky: StatusComment, text: str, charge: Charge) -> StatusComment:
    """Announce that a run starts, and record its reservation as a charge."""
    return update_comment(repository, replace(sticky, charges=(*sticky.charges, charge)), text)


def settle(
    repository: Repository,
    sticky: StatusComment,
    text: str,
    run: str,
    dollars: float,
    *,
    pull: int = 0,
    journal: bool = False,
    pushed: str = "",
    asked: bool = False,
) -> StatusComment:
    """Show how a run ended and record what it cost; `pull`, `journal`, `pushed` and `asked` as in `Charge`.

    A repeated call loses neither the pull request nor spent dollars.
    """
    charges = list(sticky.charges)
    held = [place for place, one in enumerate(charges) if one.run == run]
    if not held:
        charges.append(Charge(run, now(), dollars))
    own = held[-1] if held else -1
    before = charges[own]
    most = max(0.0, before.spent or 0.0, dollars)
    charges[own] = replace(
        before,
        spent=most,
        pull=pull or before.pull,
        journal=journal,
        pushed=pushed or before.pushed,
        asked=asked,
    )
    return update_comment(repository, replace(sticky, charges=tuple(charges)), text)


def spent_on(repository: Repository, bot: str, day: str) -> float:
    """Return the dollars charged in the whole repository on a day (`2026-01-31`, UTC).

    Raises TryLater if more comments have changed since the start of that day than are searched.
    """
    since = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    charges: list[Charge] = []
    with translate_errors("read the day's comments"):
        changed = repository.get_issues_comments(sort="updated", direction="desc", since=since)
        for place, comment in enumerate(changed):
            if place >= MOST:
                raise TryLater("Too many comments changed today to sum up the day's spending.", "Try tomorrow.")
            if is_marked(comment, bot, MARK):
                charges += read(comment.body, comment.html_url)
    return spent(charges, day)


def remove(repository: Repository, sticky: StatusComment) -> None:
    """Delete the status comment."""
    with translate_errors(f"delete the status comment on #{sticky.number}", NEEDS):
        _comment(repository, sticky.id).delete()


def _comment(repository: Repository, number: int) -> IssueComment:
    """Return a comment object that can be changed with one request; PyGithub would first send a request to read the
    comment."""
    from github.IssueComment import IssueComment

    return IssueComment(repository.requester, url=f"{repository.url}/issues/comments/{number}", completed=False)
