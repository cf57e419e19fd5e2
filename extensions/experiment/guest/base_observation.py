"""Observation of each test on the base: outcome, time and exception, then a traced run for its steps and types.

Standard library only, for the target's own Python (3.6 and later).
"""

import os
import resource
import time
from functools import partial

from .forked_sandbox import TimeUp, cpu_limit, run_forked
from .item_runners import run_watched
from .line_tracer import Tracer

TRACED = 1.0
SLOWER = 8
"""Factor for the time limits of failing tests if the first of them is slow but does not hang."""
FLOW = 12000
WORDS = 600


def observe(job):
    """Emit an answer for each of `tests` (name, CPU limit); for failing tests, include the order of their steps.

    The first `first` tests are the failing ones. In the other tests, only functions that ran in failing tests are
    traced. The observation ends once the tests have used `cpu` seconds of CPU time.
    """
    first = job.spec.get("first")
    ran = set()
    slower = 1
    for number, (name, limit) in enumerate(job.spec["tests"]):
        if job.left() < 0 or _used() > job.spec["cpu"]:
            return
        if name not in job.tests:
            continue
        fails = first is not None and number < first
        only = None if fails or first is None else ran
        limit *= slower if fails else 1
        look, answer = _observe_test(job, name, limit, only)
        if fails and number == 0 and answer["outcome"] == "timeout":
            again, found = _observe_test(job, name, SLOWER * limit, only)
            if found["outcome"] not in ("timeout", "died"):
                look, answer, slower = again, found, SLOWER
        if answer["outcome"] not in ("passed", "skipped"):
            run_forked(partial(_emit_result, look.traced, None, FLOW), answer.update, 3 * look.limit + 5)
            ran.update((path, line) for path, line in answer["functions"])
        del answer["functions"]
        job.answer(answer)


def _observe_test(job, name, limit, only):
    """Observe a test in a child; return the `Look` and the answer."""
    answer = {"test": name, "outcome": "died", "seconds": limit, "lines": {}, "raised": [], "functions": []}
    look = Look(job.tests[name], job.editor.root, limit)
    if (
        run_forked(partial(_emit_result, look.both, only), answer.update, 3 * limit + 5) == "timeout"
        and answer["outcome"] == "died"
    ):
        answer["outcome"] = "timeout"
    return look, answer


def _emit_result(work, *arguments):
    """Call the last argument with the result of calling `work` with the other arguments."""
    arguments[-1](work(*arguments[:-1]))


def _used():
    """Return the CPU seconds of the tests that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


class Look:
    """The observation of one test in a child."""

    def __init__(self, test, root, limit):
        self.test = test
        self.root = root
        self.limit = limit

    def both(self, only):
        answer = self.plain()
        if answer["outcome"] == "passed":
            answer.update(self.traced(only, 0))
        return answer

    def plain(self):
        started = time.process_time()
        try:
            with cpu_limit(self.limit):
                result, error = self.test.run()
        except TimeUp:
            result, error = "timeout", None
        seconds = time.process_time() - started
        said = "" if error is None else type(error).__name__ + ": " + _text(error)
        return {"outcome": result, "seconds": seconds, "raised": self._places(error), "said": said}

    def traced(self, only, flow):
        tracer = Tracer(self.root, only, flow)
        tracer.start()
        run_watched(self.test, min(self.limit, TRACED), tracer)
        answer = {
            "lines": {path: sorted(lines) for path, lines in tracer.lines.items()},
            "steps": {path: sorted(steps) for path, steps in tracer.steps.items() if steps},
            "functions": sorted(tracer.functions),
            "types": [
                [path, line, {name: sorted(kinds) for name, kinds in names.items()}]
                for (path, line), names in tracer.types.items()
            ],
        }
        if flow:
            in_flow = {number for number, _, _ in tracer.flow}
            answer["flow"] = list(tracer.flow)
            answer["calls"] = [[number, above] for number, above in tracer.calls.items() if number in in_flow]
        return answer

    def _places(self, error):
        """Return the frames of a traceback that lie under the root, innermost first, as [path, line]."""
        places = []
        trace = getattr(error, "__traceback__", None)
        prefix = os.path.join(self.root, "")
        while trace is not None:
            path = os.path.realpath(trace.tb_frame.f_code.co_filename)
            if path.startswith(prefix):
                places.insert(0, [path[len(prefix) :].replace(os.sep, "/"), trace.tb_lineno])
            trace = trace.tb_next
        return places[:10]


def _text(error):
    try:
        return str(error)[:WORDS]
    except Exception:  # noqa: BLE001 - an exception of the code under test may refuse to be shown
        return ""
