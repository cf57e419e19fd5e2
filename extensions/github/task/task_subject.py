"""The issue or pull request of a request: its current state, checked to be unchanged since the request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from extensions.github.action_inputs import PREFIX, Rules
from extensions.github.api.github_client import translate_errors
from extensions.github.task.trigger_event import Trigger, TriggerSkipped, utc
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from github.PullRequest import PullRequest
    from github.Repository import Repository

_BRANCH = re.compile(rf"{re.escape(PREFIX)}issue-([1-9][0-9]{{0,9}})(?:-[0-9]{{1,4}})?")


@dataclass(frozen=True, slots=True)
class Subject:
    """The issue or pull request that a request is about. `data` is the issue's JSON, which pull requests also have; it
    includes the labels of the issue that a pull request is for. `issue` is the number to solve."""

    data: Mapping[str, Any]
    issue: int
    pull: PullRequest | None = None


def subject_of(place: Repository, name: str, trigger: Trigger, rules: Rules) -> Subject:
    """Return the issue or pull request that the trigger is about. Raises TriggerSkipped if it is gone, closed, changed
    or not the Action's."""
    number = trigger.number
    with skip_if_missing(f"#{number} no longer exists."), translate_errors(f"read #{number}"):
        data = place.get_issue(number).raw_data
    _check_open(data, name, trigger)
    _check_text(place, data, trigger)
    if trigger.kind == "labelled" and trigger.label.casefold() not in _labels(data):
        raise TriggerSkipped(f"The label {trigger.label} was removed from #{number} again.")
    if not trigger.on_pull:
        return Subject(data, number)
    with skip_if_missing(f"#{number} no longer exists."), translate_errors(f"read #{number}", "pull-requests: read"):
        pull = place.get_pull(number).complete()
    issue = _issue_of_own(place, name, pull, rules)
    if trigger.head not in ("", pull.head.sha):
        raise TriggerSkipped(f"#{number} got new commits after the request: ask again.")
    with (
        suppress(TriggerSkipped),
        skip_if_missing("A deleted issue has no labels."),
        translate_errors(f"read #{issue}"),
    ):
        data = {**data, "labels": [*data.get("labels", ()), *place.get_issue(issue).raw_data.get("labels", ())]}
    return Subject(data, issue, pull)


def issue_of_branch(branch: str) -> int:
    """Return the number of the issue that one of the Action's branches is for; 0 for other branches."""
    found = _BRANCH.fullmatch(branch)
    return int(found[1]) if found else 0


def is_own(pull: PullRequest, name: str, rules: Rules) -> bool:
    """Whether the bot opened the pull request, from one of the Action's branches in this repository."""
    head, author = pull.head, pull.user.login if pull.user else ""
    same = head.repo is not None and head.repo.full_name.casefold() == name.casefold()
    return same and head.ref.startswith(PREFIX) and author.casefold() == rules.bot.casefold()


@contextmanager
def skip_if_missing(reason: str) -> Iterator[None]:
    """Raise TriggerSkipped with `reason` if GitHub does not find an object that is requested within this context."""
    try:
        yield
    except UsageError as error:
        if error.__cause__ is None:  # the error does not come from GitHub
            raise
        raise TriggerSkipped(reason) from error


def _check_open(data: Mapping[str, Any], name: str, trigger: Trigger) -> None:
    number = trigger.number
    where = str(data.get("repository_url", "")).casefold()
    if data.get("number") != number or not where.endswith(f"/repos/{name}".casefold()):
        raise TriggerSkipped(f"#{number} was moved to another repository.")
    if bool(data.get("pull_request")) != trigger.on_pull:
        raise TriggerSkipped(f"#{number} is a pull request: comment `/swe-agent …` there.")
    if data.get("state") != "open":
        raise TriggerSkipped(f"#{number} is closed.")
    if data.get("locked"):
        raise TriggerSkipped(f"#{number} is locked.")


def _check_text(place: Repository, data: Mapping[str, Any], trigger: Trigger) -> None:
    """Raise TriggerSkipped if the text was edited after the request, which refers to the text at that time."""
    if trigger.text is not None and trigger.text != (str(data.get("title") or ""), str(data.get("body") or "")):
        raise TriggerSkipped(f"#{trigger.number} was edited after the request. Repeat the request to use the new text.")
    if trigger.comment is None:
        return
    kind = "pulls" if trigger.kind == "review" else "issues"
    url = f"{place.url}/{kind}/comments/{trigger.comment['id']}"
    with skip_if_missing("The requesting comment no longer exists."), translate_errors("read the requesting comment"):
        _, now = place.requester.requestJsonAndCheck("GET", url)
    # compare with the event's updated_at, which is often a second or more later than created_at
    if now.get("body") != trigger.comment["body"] or utc(now["updated_at"]) > utc(trigger.comment["updated_at"]):
        raise TriggerSkipped("The requesting comment was edited: ask again in a new one.")


def _labels(data: Mapping[str, Any]) -> set[str]:
    return {str(label["name"] if isinstance(label, dict) else label).casefold() for label in data.get("labels", ())}


def _issue_of_own(place: Repository, name: str, pull: PullRequest, rules: Rules) -> int:
    """Return the number of the issue that one of the Action's pull requests is for.

    Raises TriggerSkipped for other pull requests.
    """
    issue = issue_of_branch(pull.head.ref)
    if not issue or not is_own(pull, name, rules):
        raise TriggerSkipped(f"#{pull.number} is not a pull request of the Action.")
    for branch, which in ((pull.head.ref, "its own branch"), (pull.base.ref, "its target branch")):
        with (
            skip_if_missing(f"#{pull.number} cannot be continued: {which} was deleted."),
            translate_errors(f"read the branch {branch}"),
        ):
            place.get_branch(branch)
    return issue
