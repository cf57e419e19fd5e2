"""The time of the current request, and the earlier workflow run whose journal it continues."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from extensions.github.action.spend_record import Charge
from extensions.github.action.status_comment import StatusComment
from extensions.github.action_inputs import workflow_run
from extensions.github.api.github_client import translate_errors
from extensions.github.task.trigger_event import EVENTS, Trigger, utc
from trajectories.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from github.IssueEvent import IssueEvent
    from github.Repository import Repository

MOST = 1_000
"""Maximum number of an issue's events that are searched for the addition of the label."""


def request_time(place: Repository, trigger: Trigger) -> Trigger:
    """Return the trigger with its actual time if the event has no time or a later one.

    That is the start of the workflow run for a manual run, and the time when the label was added for a label.
    """
    if trigger.kind == "dispatch" and (run := _run(place, workflow_run())):
        return replace(trigger, at=utc(run["created_at"]))
    if trigger.kind != "labelled":
        return trigger
    with translate_errors(f"read the labels of #{trigger.number}"):
        latest_first = islice(place.get_issue(trigger.number).get_events().reversed, MOST)
        at = next((event.created_at for event in latest_first if _is_label_event(event, trigger)), None)
    return replace(trigger, at=utc(at.isoformat())) if at else trigger


def _is_label_event(event: IssueEvent, trigger: Trigger) -> bool:
    if event.event != "labeled" or event.actor is None or event.label is None:
        return False
    return event.actor.id == trigger.actor_id and event.label.name.casefold() == trigger.label.casefold()


def find_parent_run(
    place: Repository, name: str, pull: int, stickies: Mapping[int, StatusComment], *, asked: bool = False
) -> str:
    """Return the number of the latest other run of this workflow that left a journal for a pull request; "" if there is
    none. With `asked`, only runs that ended with questions count.

    The number comes from a comment, so the function checks that the run belongs to this workflow. Artifacts of other
    workflows may come from strangers: runs for pull requests from forks are also listed in this repository.
    """
    charges = [one for sticky in stickies.values() for one in sticky.charges]
    others = [one for one in charges if one.run not in ("", workflow_run())]
    known = [one for one in others if one.journal and one.pull == pull and one.asked >= asked]
    if not known:
        return ""
    latest: Charge = max(known, key=lambda one: (one.at, int(one.run)))
    run = _run(place, latest.run)
    own = os.environ.get("GITHUB_WORKFLOW_REF", "").partition("@")[0]
    if run is None or not own:
        return ""
    from_here = (run.get("head_repository") or {}).get("full_name", "").casefold() == name.casefold()
    path = str(run.get("path", "")).partition("@")[0]
    return latest.run if from_here and f"{name}/{path}" == own and run.get("event") in EVENTS else ""


def _run(place: Repository, number: str) -> Mapping[str, Any] | None:
    """Return a workflow run; None if it does not exist or the token may not read it (`actions: read`)."""
    if not number:
        return None
    try:
        with translate_errors(f"read the workflow's run {number}", "actions: read"):
            _, found = place.requester.requestJsonAndCheck("GET", f"{place.url}/actions/runs/{number}")
    except (UsageError, ConfigError):
        return None
    return dict(found)
