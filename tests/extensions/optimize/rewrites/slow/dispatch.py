"""Dispatch of waiting jobs to a machine, by urgency."""

# ruff: noqa: PERF401, PERF402

FUNCTION = "dispatch"


def dispatch(jobs, followers):
    """Return the jobs in execution order: the most urgent first; a finished job adds its followers."""
    queue = []
    for job in jobs:
        queue.append(job)
    done = []
    while queue:
        queue.sort()
        urgency, name = queue.pop(0)
        if name in done:
            continue
        done.append(name)
        for follower in followers.get(name, []):
            queue.append((urgency + 1, follower))
    return done
