"""The two passes over a plan: forward for the earliest days, backward for the latest."""

from dataclasses import dataclass

from .graph import followers, in_order


@dataclass(frozen=True)
class Slot:
    """Days from ``start`` up to, but not with, ``finish``; the project starts on day 0."""

    start: int
    finish: int


def earliest(plan):
    """When each task can start and finish if none is late.

    Raises Cycle.
    """
    slots = {}
    for name in in_order(plan):
        task = plan[name]
        start = max((slots[earlier].finish for earlier in task.after), default=0)
        slots[name] = Slot(start, start + task.days)
    return slots


def project_end(plan):
    """The day on which the last task is done."""
    return max((slot.finish for slot in earliest(plan).values()), default=0)


def latest(plan):
    """When each task must start and finish so that the project does not end later.

    Raises Cycle.
    """
    slots = {}
    end = project_end(plan)
    waiting = followers(plan)
    for name in reversed(in_order(plan)):
        finish = max((slots[follower].start for follower in waiting[name]), default=end)
        slots[name] = Slot(finish - plan[name].days, finish)
    return slots
