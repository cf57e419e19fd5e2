"""Jobs that wait for a machine, by urgency."""

# ruff: noqa: PERF401, PERF402

FUNCTION = "dispatch"


def dispatch(jobs, followers):
    """The order in which jobs run: the most urgent first; a job that is done brings its followers in."""
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
