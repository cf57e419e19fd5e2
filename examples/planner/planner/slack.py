"""How late a task may be, and which must not be late at all."""

from .graph import in_order
from .passes import earliest, latest


def slack(plan):
    """By how many days each task may be late without moving the project's end.

    Raises Cycle.
    """
    early, late = earliest(plan), latest(plan)
    return {name: late[name].start - early[name].start for name in plan}


def critical_path(plan):
    """The names of the tasks without slack, in the order of work."""
    days = slack(plan)
    return [name for name in in_order(plan) if days[name] == 0]
