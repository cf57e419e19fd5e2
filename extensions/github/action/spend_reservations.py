"""Reservations: a run reserves its budget and its issue before it starts, and settles both when its result is
published.

Two runs that check at the same moment both find nothing reserved, so each checks again after its reservation. If both
created a comment, the one with the higher number withdraws. If both edited the same comment, the one whose charge was
overwritten withdraws.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from extensions.github.action.spend_record import Charge, spent
from extensions.github.action.status_comment import StatusComment, find, hold, remove, spent_on, update_comment
from extensions.github.action_inputs import Rules, workflow_run
from extensions.github.task.task_subject import skip_if_missing
from extensions.github.task.trigger_event import TriggerSkipped, now

if TYPE_CHECKING:
    from github.Repository import Repository

LEAST = 0.05
"""Minimum budget in dollars with which a run starts."""
ROUNDING = 1e-6
AROUND = 60
"""Minutes for the gate job, publishing and waiting for runners, in addition to solving."""
MOST = 30
"""Maximum number of status comments that are read for an issue: its own and those of its pull requests."""


def charges_of(place: Repository, numbers: Iterable[int], bot: str) -> dict[int, StatusComment]:
    """Return the status comments on the given issues and pull requests and on the pull requests that they led to.

    Raises TriggerSkipped if there are too many to sum up the spending.
    """
    found: dict[int, StatusComment] = {}
    waiting = list(numbers)
    while waiting:
        number = waiting.pop(0)
        if number in found:
            continue
        if len(found) >= MOST:
            raise TriggerSkipped(f"#{min(found)} has too many pull requests; its spending cannot be calculated.")
        with suppress(TriggerSkipped), skip_if_missing("An issue that was deleted has no ledger."):
            found[number] = find(place, number, bot)
            waiting += sorted({one.pull for one in found[number].charges if one.pull}, reverse=True)
    return found


def check_unhandled(stickies: Iterable[StatusComment], at: str) -> None:
    """Raise TriggerSkipped if a run has started since the issue was labelled or opened, because such an event is
    handled only once."""
    if any(one.at > at and one.run != workflow_run() for sticky in stickies for one in sticky.charges):
        raise TriggerSkipped("A later run has handled this already.")


def remaining_budget(place: Repository, stickies: Iterable[StatusComment], rules: Rules) -> float:
    """Return the dollars that a run may spend now. Raises TriggerSkipped if the issue's or day's budget is used up."""
    on_issue = spent(one for sticky in stickies for one in sticky.charges)
    on_day = spent_on(place, rules.bot, now()[:10])
    for used, most, what in ((on_issue, rules.budget_per_issue, "issue"), (on_day, rules.budget_per_day, "day")):
        if most - used < min(LEAST, rules.budget):
            raise TriggerSkipped(f"The budget of ${most:.2f} for one {what} is used up.")
    room = min(rules.budget, rules.budget_per_issue - on_issue, rules.budget_per_day - on_day)
    return int(room * 10_000) / 10_000


def check_alone(stickies: Iterable[StatusComment], rules: Rules) -> None:
    """Raise TriggerSkipped if another run is working on the same issue. A run past the time limit counts as dead, and
    so does one that started later than now by as much: the clock of a runner was wrong."""
    limit = timedelta(minutes=rules.minutes + AROUND)
    oldest, latest = ((datetime.now(UTC) + away).strftime("%Y-%m-%dT%H:%M:%SZ") for away in (-limit, limit))
    for sticky in stickies:
        for one in sticky.charges:
            if one.spent is None and oldest < one.at < latest and one.run != workflow_run():
                raise TriggerSkipped(f"Another run is working on #{sticky.number}.")


def reserve(
    place: Repository, sticky: StatusComment, text: str, budget: float, rules: Rules, *, ci: bool = False
) -> StatusComment:
    """Reserve the budget and announce the run; `ci` if it starts because CI failed. Raises TriggerSkipped if another
    run reserved first."""
    own = Charge(workflow_run(), now(), budget, ci=int(ci))
    held = hold(place, sticky, text, own)
    seen = find(place, sticky.number, rules.bot)
    others = [one for one in seen.charges if one.spent is None and one not in sticky.charges and one != own]
    reason = ""
    if own not in seen.charges or (others and held.id != seen.id):  # `seen` is the oldest comment
        reason = f"Another run has started on #{sticky.number}."
    elif spent_on(place, rules.bot, own.at[:10]) > rules.budget_per_day + ROUNDING:
        reason = f"The budget of ${rules.budget_per_day:.2f} for one day is used up."
    if reason:
        _withdraw(place, held, seen, own)
        raise TriggerSkipped(reason)
    return held


def _withdraw(place: Repository, held: StatusComment, seen: StatusComment, own: Charge) -> None:
    """Withdraw a reservation: delete the comment created for it, or remove its charge."""
    if held.id != seen.id:
        remove(place, held)
    elif own in seen.charges:
        update_comment(place, replace(seen, charges=tuple(one for one in seen.charges if one != own)), seen.text)
