"""Line profiler of the target function: `performance.line_profiler JOB`.

JOB is a JSON file {"root", "path", "name", "calls": [files], "seconds", "out"}. Writes to `out`: {"lines": [[line,
runs, seconds, types], ..], "calls": number of completed calls, "error"}; `types` are the names of the local variables'
types where the line starts. `seconds` is the CPU time until the function's next
line, including calls, minus the tracing overhead measured beforehand. It is at least the time that a cheap line takes
for as many runs. Standard library only, for the target's own Python (3.7 and later).
"""

import inspect
import json
import os
import sys
import time
from itertools import islice

from extensions.experiment.guest.call_frames import nested_codes
from extensions.experiment.guest.subject_function import load_call, load_subject

clock = time.thread_time if hasattr(time, "thread_time") else time.process_time
MOST_ITEMS, PROBES, ROUNDS = 1000000, 2000, 5
TYPED = 2  # runs of a line before which the types are read: those of the second run replace the first's


class Lines:
    """Tracer of the line events of some code objects in this thread."""

    def __init__(self, codes):
        self.codes, self.runs, self.spent, self.others, self.types = codes, {}, {}, {}, {}
        self.line, self.since = None, 0.0

    def call(self, frame, event, argument):
        if frame.f_code in self.codes:
            return self.follow
        self.others[self.line] = self.others.get(self.line, 0) + 1
        return None

    def follow(self, frame, event, argument):
        now = clock()
        if self.line is not None:
            self.spent[self.line] = self.spent.get(self.line, 0.0) + now - self.since
        if event == "line":
            self.line = frame.f_lineno
            self.runs[self.line] = runs = self.runs.get(self.line, 0) + 1
            if runs <= TYPED:
                self.types[self.line] = {name: type(value).__name__ for name, value in frame.f_locals.items()}
        elif event == "return":
            self.line = None if frame.f_back is None or frame.f_back.f_code not in self.codes else frame.f_back.f_lineno
        self.since = clock()
        return self.follow


def probe(times):
    value = 0
    for _ in range(times):
        value = times
    return value


def probe_calls(times):
    for _ in range(times):
        nothing()


def nothing():
    pass


def cost():
    """Return the overhead of tracing a line and a call, and the time of a cheap line, in seconds (best of rounds)."""
    traced, plain, calls = [], [], []
    for _ in range(ROUNDS):
        lines = Lines({probe.__code__})
        sys.settrace(lines.call)
        probe(PROBES)
        sys.settrace(None)
        traced.append(sum(lines.spent.values()) / sum(lines.runs.values()))
        begun = clock()
        probe(PROBES)
        plain.append((clock() - begun) / (2 * PROBES))
        begun = clock()
        sys.settrace(Lines(()).call)
        probe_calls(PROBES)
        sys.settrace(None)
        middle = clock()
        probe_calls(PROBES)
        calls.append((2 * middle - begun - clock()) / PROBES)
    return max(min(traced) - min(plain), 0.0), max(min(calls), 0.0), max(min(plain), 1e-9)


def call(function, args, kwargs):
    """Call the function; run a returned coroutine, or take up to MOST_ITEMS items from a returned generator."""
    found = function(*args, **kwargs)
    if inspect.iscoroutine(found):
        import asyncio

        asyncio.run(found)
    elif inspect.isgenerator(found):
        for _ in islice(found, MOST_ITEMS):
            pass


def main(file):
    with open(file) as stream:
        job = json.load(stream)
    function, _ = load_subject(job["root"], job["path"], job["name"])
    function = inspect.unwrap(function)
    extra, extra_call, least = cost()
    lines, ended, error = Lines(nested_codes(function.__code__)), 0, ""
    until = time.monotonic() + job["seconds"]
    for recorded in job["calls"]:
        if time.monotonic() > until:
            error = "Time is up."
            break
        args, kwargs = load_call(recorded)
        lines.line = None
        sys.settrace(lines.call)
        try:
            call(function, args, kwargs)
        except Exception as raised:  # noqa: BLE001 - a call that raises has also done work
            sys.settrace(None)
            error = type(raised).__name__
        finally:
            sys.settrace(None)
        ended += 1
    rows = []
    for line, runs in sorted(lines.runs.items()):
        tracing = runs * extra + lines.others.get(line, 0) * extra_call
        seconds = max(lines.spent.get(line, 0.0) - tracing, runs * least)
        rows.append([line, runs, seconds, lines.types[line]])
    with open(job["out"] + ".part", "w") as stream:
        json.dump({"lines": rows, "calls": ended, "error": error}, stream)
    os.replace(job["out"] + ".part", job["out"])
