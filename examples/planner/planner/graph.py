"""Which task waits for which."""


class Cycle(ValueError):
    """Some tasks wait for each other, so none of them can ever start."""


def followers(plan):
    """For each task the names of those that wait for it, in the plan's order."""
    found = {name: [] for name in plan}
    for name in plan:
        for earlier in dict.fromkeys(plan[name].after):
            found[earlier].append(name)
    return found


def in_order(plan):
    """All names, each after those it waits for; otherwise as in the plan.

    Raises Cycle.
    """
    ordered = []
    done = set()
    waiting = list(plan)
    while waiting:
        ready = [name for name in waiting if done.issuperset(plan[name].after)]
        if not ready:
            raise Cycle("tasks wait for each other: {}".format(", ".join(waiting)))
        ordered += ready
        done.update(ready)
        waiting = [name for name in waiting if name not in done]
    return ordered
