"""The issue or the pull request that is asked about: as it is now, and unchanged since somebody asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.github.client import asking
from agent.github.rules import PREFIX, Rules
from agent.github.trigger import Skipped, Trigger, utc
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from github.PullRequest import PullRequest
    from github.Repository import Repository

_BRANCH = re.compile(rf"{re.escape(PREFIX)}issue-([1-9][0-9]{{0,9}})(?:-[0-9]{{1,4}})?")


@dataclass(frozen=True, slots=True)
class Subject:
    """`data` is the issue's JSON, which a pull request has, too. `issue` is the number of what is to be solved."""

    data: Mapping[str, Any]
    issue: int
    pull: PullRequest | None = None


def subject_of(place: Repository, name: str, trigger: Trigger, rules: Rules) -> Subject:
    """What the trigger is about. Raises Skipped where it is gone, shut, changed, or not for the Action."""
    number = trigger.number
    with gone(f"#{number} is not there any more."), asking(f"read #{number}"):
        data = place.get_issue(number).raw_data
    _check_open(data, name, trigger)
    _check_text(place, data, trigger)
    if trigger.kind == "labelled" and trigger.label.casefold() not in _labels(data):
        raise Skipped(f"The label {trigger.label} was taken off #{number} again.")
    if not trigger.on_pull:
        return Subject(data, number)
    with gone(f"#{number} is not there any more."), asking(f"read #{number}", "pull-requests: read"):
        pull = place.get_pull(number).complete()
    issue = _own(place, name, pull, rules)
    if trigger.head not in ("", pull.head.sha):
        raise Skipped(f"#{number} was pushed to after it was asked for: ask again.")
    return Subject(data, issue, pull)


def issue_of_branch(branch: str) -> int:
    """The number of the issue that a branch of ours is for; 0 for all other branches."""
    found = _BRANCH.fullmatch(branch)
    return int(found[1]) if found else 0


def is_own(pull: PullRequest, name: str, rules: Rules) -> bool:
    """Whether the bot opened it, from one of our branches in this very repository."""
    head, author = pull.head, pull.user.login if pull.user else ""
    same = head.repo is not None and head.repo.full_name.casefold() == name.casefold()
    return same and head.ref.startswith(PREFIX) and author.casefold() == rules.bot.casefold()


@contextmanager
def gone(reason: str) -> Iterator[None]:
    """What GitHub does not have is a reason to do nothing. Raises Skipped."""
    try:
        yield
    except UsageError as error:
        if error.__cause__ is None:  # none of GitHub's
            raise
        raise Skipped(reason) from error


def _check_open(data: Mapping[str, Any], name: str, trigger: Trigger) -> None:
    number = trigger.number
    where = str(data.get("repository_url", "")).casefold()
    if data.get("number") != number or not where.endswith(f"/repos/{name}".casefold()):
        raise Skipped(f"#{number} was moved to another repository.")
    if bool(data.get("pull_request")) != trigger.on_pull:
        raise Skipped(f"#{number} is a pull request: comment `/swe-agent …` there.")
    if data.get("state") != "open":
        raise Skipped(f"#{number} is closed.")
    if data.get("locked"):
        raise Skipped(f"#{number} is locked.")


def _check_text(place: Repository, data: Mapping[str, Any], trigger: Trigger) -> None:
    """Whoever asked, asked for what they read."""
    if trigger.text is not None and trigger.text != (str(data.get("title") or ""), str(data.get("body") or "")):
        raise Skipped(f"#{trigger.number} was edited after it was asked for: ask again for the new text.")
    if trigger.comment is None:
        return
    kind = "pulls" if trigger.kind == "review" else "issues"
    url = f"{place.url}/{kind}/comments/{trigger.comment['id']}"
    with gone("The comment that asked is not there any more."), asking("read the comment that asked"):
        _, now = place.requester.requestJsonAndCheck("GET", url)
    # the event's own time, for GitHub's is often a second after the making of a comment, of a review's more
    if now.get("body") != trigger.comment["body"] or utc(now["updated_at"]) > utc(trigger.comment["updated_at"]):
        raise Skipped("The comment that asked was edited: ask again in a new one.")


def _labels(data: Mapping[str, Any]) -> set[str]:
    return {str(label["name"] if isinstance(label, dict) else label).casefold() for label in data.get("labels", ())}


def _own(place: Repository, name: str, pull: PullRequest, rules: Rules) -> int:
    """The number of the issue that a pull request of ours is for. Raises Skipped for all others."""
    issue = issue_of_branch(pull.head.ref)
    if not issue or not is_own(pull, name, rules):
        raise Skipped(f"#{pull.number} is not a pull request of the Action's.")
    for branch, which in ((pull.head.ref, "its own branch"), (pull.base.ref, "the branch that it is for")):
        with gone(f"#{pull.number} cannot be gone on with: {which} is gone."), asking(f"read the branch {branch}"):
            place.get_branch(branch)
    return issue
