"""When the present run was asked for, and which earlier one holds the journal to go on from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from agent.github.client import asking
from agent.github.ledger_line import Charge
from agent.github.rules import workflow_run
from agent.github.sticky import Sticky
from agent.github.trigger import EVENTS, Trigger, utc
from trajectories.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from github.IssueEvent import IssueEvent
    from github.Repository import Repository

MOST = 1_000
"""Events of an issue that are looked through for its label."""


def asked_at(place: Repository, trigger: Trigger) -> Trigger:
    """The trigger, with its own time where the event has none or may have a later one: of a run by hand its
    beginning, of a label when it was put on."""
    if trigger.kind == "dispatch" and (run := _run(place, workflow_run())):
        return replace(trigger, at=utc(run["created_at"]))
    if trigger.kind != "labelled":
        return trigger
    with asking(f"read the labels of #{trigger.number}"):
        latest_first = islice(place.get_issue(trigger.number).get_events().reversed, MOST)
        at = next((event.created_at for event in latest_first if _is_it(event, trigger)), None)
    return replace(trigger, at=utc(at.isoformat())) if at else trigger


def _is_it(event: IssueEvent, trigger: Trigger) -> bool:
    if event.event != "labeled" or event.actor is None or event.label is None:
        return False
    return event.actor.id == trigger.actor_id and event.label.name.casefold() == trigger.label.casefold()


def parent_run(place: Repository, name: str, pull: int, stickies: Mapping[int, Sticky]) -> str:
    """The latest other run that left a journal for a pull request; "" where none did, or it is none of this workflow's.

    The number comes from a comment. What runs of other workflows leave may be a stranger's: one of a fork's pull
    request stands in this repository, too.
    """
    charges = [one for sticky in stickies.values() for one in sticky.charges]
    known = [one for one in charges if one.journal and one.pull == pull and one.run not in ("", workflow_run())]
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
    """A run of a workflow's; None where it is gone, or the token may not read it (`actions: read`)."""
    if not number:
        return None
    try:
        with asking(f"read the workflow's run {number}", "actions: read"):
            _, found = place.requester.requestJsonAndCheck("GET", f"{place.url}/actions/runs/{number}")
    except (UsageError, ConfigError):
        return None
    return dict(found)
