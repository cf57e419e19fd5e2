"""Line profiler of the target function: `performance.line_profiler JOB`.

JOB is a JSON file {"root", "path", "name", "calls": [files], "seconds", "is_whole", "out"}. Writes to `out`: {"lines":
[[line, runs, starts, seconds, types], ..], "calls": number of completed calls, "error"}. `runs` are all events of a
line, with the rounds of a loop in its head, and `starts` those at its beginning; `types` are the names of the local
variables' types there. With `is_whole`, all functions of the file are profiled, and a line has the time of what it
calls elsewhere only. `seconds` is the CPU time until the function's next line, including calls, minus the tracing
overhead measured beforehand. It is at least the time that a cheap line takes for as many runs. Standard library only,
for the target's own Python (3.7 and later).
"""

import dis
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
TYPED = 2  # starts of a line at which the types are read: those of the second one replace the first's


class Lines:
    """Tracer of the line events of some code objects in this thread."""

    def __init__(self, codes, file=None):
        self.codes, self.file = codes, file
        self.runs, self.starts, self.spent, self.others, self.types = {}, {}, {}, {}, {}
        self.line, self.since, self.offsets = None, 0.0, {}

    def has(self, code):
        return code in self.codes or code.co_filename == self.file

    def is_start(self, frame):
        """Return whether a line event is at the beginning of its line, which a loop in the line does not reach."""
        code = frame.f_code
        if code not in self.offsets:
            first = self.offsets[code] = {}
            for offset, line in dis.findlinestarts(code):
                first.setdefault(line, offset)
        return self.offsets[code].get(frame.f_lineno) == frame.f_lasti

    def call(self, frame, event, argument):
        if self.has(frame.f_code):
            return self.follow
        self.others[self.line] = self.others.get(self.line, 0) + 1
        return None

    def follow(self, frame, event, argument):
        now = clock()
        if self.line is not None:
            self.spent[self.line] = self.spent.get(self.line, 0.0) + now - self.since
        if event == "line":
            self.line = frame.f_lineno
            self.runs[self.line] = self.runs.get(self.line, 0) + 1
            if frame.f_code.co_name[0] != "<" and self.is_start(frame):
                self.starts[self.line] = starts = self.starts.get(self.line, 0) + 1
                if starts <= TYPED:
                    self.types[self.line] = {name: type(value).__name__ for name, value in frame.f_locals.items()}
        elif event == "return":
            self.line = frame.f_back.f_lineno if frame.f_back is not None and self.has(frame.f_back.f_code) else None
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
    code = function.__code__
    # A decorator may hide the function behind one of another file.
    is_own = os.path.realpath(code.co_filename) == os.path.realpath(os.path.join(job["root"], job["path"]))
    codes = nested_codes(code) if is_own else set()
    lines, ended, error = Lines(codes, code.co_filename if is_own and job["is_whole"] else None), 0, ""
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
        rows.append([line, runs, lines.starts.get(line, 0), seconds, lines.types.get(line, {})])
    with open(job["out"] + ".part", "w") as stream:
        json.dump({"lines": rows, "calls": ended, "error": error}, stream)
    os.replace(job["out"] + ".part", job["out"])
