"""A plan as a bar chart in plain text."""

from .passes import earliest
from .slack import critical_path, slack

BAR = "#"
MILESTONE = "+"


def _bar(slot):
    return " " * slot.start + (BAR * (slot.finish - slot.start) or MILESTONE)


def chart(plan):
    """One line a task: name, a star if it is critical, its slack in days, and a bar from start to finish."""
    if not len(plan):
        return ""
    slots, days = earliest(plan), slack(plan)
    critical = set(critical_path(plan))
    width = max(len(name) for name in plan)
    lines = []
    for name in plan:
        star = "*" if name in critical else " "
        lines.append("{:{}} {} {:2d} |{}".format(name, width, star, days[name], _bar(slots[name])))
    return "\n".join(lines) + "\n"
