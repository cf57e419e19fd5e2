"""What a run may spend, and that no other works on the same issue: held before it begins, settled when it is published.

Two that look at the same moment both see that nothing is held. So each looks again after it has held: of two comments
GitHub's numbers tell which was first, and the later goes back; of one, who finds its own gone (the other wrote last).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from agent.github.ledger_line import Charge, spent
from agent.github.rules import Rules, workflow_run
from agent.github.sticky import Sticky, find, hold, put, remove, spent_on
from agent.github.subject import gone
from agent.github.trigger import Skipped, now

if TYPE_CHECKING:
    from github.Repository import Repository

LEAST = 0.05
"""Dollars with less of which no run begins."""
ROUNDING = 1e-6
AROUND = 60
"""Minutes that gate, publishing and waiting for machines may take beside."""
MOST = 30
"""Comments whose charges are looked up for an issue: there, and on its pull requests."""


def charges_of(place: Repository, numbers: Iterable[int], bot: str) -> dict[int, Sticky]:
    """Our comments on issue and pull requests, and on those that came of them. Raises Skipped where they are too many
    to know what was spent."""
    found: dict[int, Sticky] = {}
    waiting = list(numbers)
    while waiting:
        number = waiting.pop(0)
        if number in found:
            continue
        if len(found) >= MOST:
            raise Skipped(f"So many pull requests came of #{min(found)} that what was spent is not known.")
        with suppress(Skipped), gone("An issue that was deleted has no ledger."):
            found[number] = find(place, number, bot)
            waiting += sorted({one.pull for one in found[number].charges if one.pull}, reverse=True)
    return found


def check_unasked(stickies: Iterable[Sticky], at: str) -> None:
    """An issue's event (its label, its opening) is dealt with once. Raises Skipped where a run began after it."""
    if any(one.at > at and one.run != workflow_run() for sticky in stickies for one in sticky.charges):
        raise Skipped("A run that began later has seen this already.")


def left(place: Repository, stickies: Iterable[Sticky], rules: Rules) -> float:
    """Dollars that a run may spend now. Raises Skipped where the issue's or the day's are used up."""
    on_issue = spent(one for sticky in stickies for one in sticky.charges)
    on_day = spent_on(place, rules.bot, now()[:10])
    for used, most, what in ((on_issue, rules.budget_per_issue, "issue"), (on_day, rules.budget_per_day, "day")):
        if most - used < min(LEAST, rules.budget):
            raise Skipped(f"The budget of ${most:.2f} for one {what} is used up.")
    room = min(rules.budget, rules.budget_per_issue - on_issue, rules.budget_per_day - on_day)
    return int(room * 10_000) / 10_000


def check_alone(stickies: Iterable[Sticky], rules: Rules) -> None:
    """Raises Skipped while another run works on it. One that is older than any may be has died."""
    since = datetime.now(UTC) - timedelta(minutes=rules.minutes + AROUND)
    oldest = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    for sticky in stickies:
        for one in sticky.charges:
            if one.spent is None and one.at > oldest and one.run != workflow_run():
                raise Skipped(f"Another run is at work on #{sticky.number}.")


def begin(place: Repository, sticky: Sticky, text: str, budget: float, rules: Rules) -> Sticky:
    """Hold the budget, and say that a run begins. Raises Skipped where another one was first."""
    own = Charge(workflow_run(), now(), budget)
    held = hold(place, sticky, text, own)
    seen = find(place, sticky.number, rules.bot)
    others = [one for one in seen.charges if one.spent is None and one not in sticky.charges and one != own]
    reason = ""
    if own not in seen.charges or (others and held.id != seen.id):  # `seen` is the oldest comment
        reason = f"Another run has begun on #{sticky.number}."
    elif spent_on(place, rules.bot, own.at[:10]) > rules.budget_per_day + ROUNDING:
        reason = f"The budget of ${rules.budget_per_day:.2f} for one day is used up."
    if reason:
        _withdraw(place, held, seen, own)
        raise Skipped(reason)
    return held


def _withdraw(place: Repository, held: Sticky, seen: Sticky, own: Charge) -> None:
    """Take back what was held: the comment that was made for it, or its charge."""
    if held.id != seen.id:
        remove(place, held)
    elif own in seen.charges:
        put(place, replace(seen, charges=tuple(one for one in seen.charges if one != own)), seen.text)
