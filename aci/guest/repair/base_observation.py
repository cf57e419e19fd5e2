"""What each test does on the base: its outcome and time, then, traced, its steps, types, and what it raised.

Standard library only, for the target's own Python (3.6 and later).
"""

import os
import resource
import time
from functools import partial

from .sandbox import TimeUp, cpu_limit, forked
from .trace import Tracer

TRACED = 1.0
SLOWER = 8
"""How many times more the failing tests have if the first of them is seen to be slow, and not to hang."""
FLOW = 12000
WORDS = 600


def observe(job):
    """Answer for each of `tests` (name, CPU limit), the ones that fail with the order of their steps. After the `first`
    so many only functions that failing ones ran are traced. Ends after `cpu` seconds of the tests' CPU."""
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
        look, answer = _looked(job, name, limit, only)
        if fails and number == 0 and answer["outcome"] == "timeout":
            again, found = _looked(job, name, SLOWER * limit, only)
            if found["outcome"] not in ("timeout", "died"):
                look, answer, slower = again, found, SLOWER
        if answer["outcome"] not in ("passed", "skipped"):
            forked(partial(_alone, look.traced, None, FLOW), answer.update, 3 * look.limit + 5)
            ran.update((path, line) for path, line in answer["functions"])
        del answer["functions"]
        job.answer(answer)


def _looked(job, name, limit, only):
    """A look at a test, and what it has come to."""
    answer = {"test": name, "outcome": "died", "seconds": limit, "lines": {}, "raised": [], "functions": []}
    look = Look(job.tests[name], job.editor.root, limit)
    if (
        forked(partial(_alone, look.both, only), answer.update, 3 * limit + 5) == "timeout"
        and answer["outcome"] == "died"
    ):
        answer["outcome"] = "timeout"
    return look, answer


def _alone(work, *arguments):
    """The last argument takes what the work, of the others, comes to."""
    arguments[-1](work(*arguments[:-1]))


def _used():
    """CPU seconds of the tests so far: all that has ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


class Look:
    """One test, looked at in a child."""

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
        try:
            with cpu_limit(min(self.limit, TRACED)):
                self.test.run()
        except TimeUp:
            pass
        finally:
            tracer.stop()
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
            kept = {number for number, _, _ in tracer.flow}
            answer["flow"] = list(tracer.flow)
            answer["calls"] = [[number, above] for number, above in tracer.calls.items() if number in kept]
        return answer

    def _places(self, error):
        """The frames of a traceback that lie under the root, innermost first, as [path, line]."""
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
