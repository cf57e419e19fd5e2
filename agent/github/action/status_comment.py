"""The one comment of ours on an issue or a pull request: what is shown there, and what was spent.

A comment is ours if the bot wrote it and it begins as ours do; one that anybody else wrote is text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from agent.github.client import asking, made
from agent.github.ledger_line import MARK, Charge, line, read, spent
from agent.github.neutral import cut
from agent.github.trigger import now
from trajectories.errors import TryLater

if TYPE_CHECKING:
    from github.IssueComment import IssueComment
    from github.Repository import Repository

LONGEST = 65_000
"""Characters of a comment; GitHub takes 65,536."""
MOST = 3_000
"""Comments that are looked through; an issue can have 2,500."""
CUT = "\n\n(The rest was too long.)"
NEEDS = "issues: write"


@dataclass(frozen=True, slots=True)
class Sticky:
    """Our comment on an issue or pull request `number` (`id` 0: there is none yet), and all charges there."""

    number: int
    id: int = 0
    text: str = ""
    charges: tuple[Charge, ...] = ()


def find(repository: Repository, number: int, bot: str) -> Sticky:
    """Our comment there. Of several, made by runs that began at once, the oldest is the one, with the charges of
    all."""
    found = Sticky(number)
    with asking(f"read the comments of #{number}"):
        for comment in islice(repository.get_issue(number).get_comments(), MOST):
            if is_ours(comment, bot):
                charges = (*found.charges, *read(comment.body, comment.html_url))
                first = found.id or comment.id, found.text or comment.body.partition("\n")[2].strip()
                found = Sticky(number, *first, charges)
    merged: dict[tuple[str, str], Charge] = {}
    for one in found.charges:
        which = one.run or f"of #{one.pull}"  # older ones are a sum for each pull request
        merged.setdefault((which, one.at), one)  # what is settled is so in the oldest, which is kept up to date
    return replace(found, charges=tuple(merged.values()))


def is_ours(comment: IssueComment, bot: str) -> bool:
    """Whether the bot wrote it, as its one comment."""
    author = comment.user.login if comment.user else ""
    return author.casefold() == bot.casefold() and (comment.body or "").startswith(MARK)


def put(repository: Repository, sticky: Sticky, text: str) -> Sticky:
    """Show `text` there: in the comment that there is, or in a new one."""
    from github import UnknownObjectException

    head = f"{line(sticky.charges)}\n\n"
    shown = cut(text, LONGEST - len(head), CUT)
    with asking(f"comment on #{sticky.number}", NEEDS):
        if sticky.id:
            try:
                _comment(repository, sticky.id).edit(f"{head}{shown}")
                return replace(sticky, text=shown)
            except UnknownObjectException:
                pass  # somebody deleted it
        posted = made(repository.get_issue(sticky.number).create_comment(f"{head}{shown}"))
    return replace(sticky, id=posted.id, text=shown)


def hold(repository: Repository, sticky: Sticky, text: str, charge: Charge) -> Sticky:
    """Say that a run begins, and charge what it may spend."""
    return put(repository, replace(sticky, charges=(*sticky.charges, charge)), text)


def settle(
    repository: Repository, sticky: Sticky, text: str, run: str, dollars: float, *, pull: int = 0, journal: bool = False
) -> Sticky:
    """Say how a run ended and what it cost: again, too, which loses no pull request and nothing that was spent. `pull`
    and `journal` as in `Charge`."""
    charges = list(sticky.charges)
    held = [place for place, one in enumerate(charges) if one.run == run]
    if not held:
        charges.append(Charge(run, now(), dollars))
    own = held[-1] if held else -1
    before = charges[own]
    most = max(0.0, before.spent or 0.0, dollars)
    charges[own] = replace(before, spent=most, pull=pull or before.pull, journal=journal)
    return put(repository, replace(sticky, charges=tuple(charges)), text)


def spent_on(repository: Repository, bot: str, day: str) -> float:
    """Dollars charged in the whole repository on a day (`2026-01-31`, UTC).

    Raises TryLater where more comments changed since than are looked through: then nobody knows.
    """
    since = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    charges: list[Charge] = []
    with asking("read the day's comments"):
        changed = repository.get_issues_comments(sort="updated", direction="desc", since=since)
        for place, comment in enumerate(changed):
            if place >= MOST:
                raise TryLater("So many comments changed today that the day's spending is not known.", "Try tomorrow.")
            if is_ours(comment, bot):
                charges += read(comment.body, comment.html_url)
    return spent(charges, day)


def remove(repository: Repository, sticky: Sticky) -> None:
    """Take our comment away."""
    with asking(f"delete our comment on #{sticky.number}", NEEDS):
        _comment(repository, sticky.id).delete()


def _comment(repository: Repository, number: int) -> IssueComment:
    """One to be changed in one request: PyGithub would read it first."""
    from github.IssueComment import IssueComment

    return IssueComment(repository.requester, url=f"{repository.url}/issues/comments/{number}", completed=False)
