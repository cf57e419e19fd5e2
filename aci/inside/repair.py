"""Evaluates edits against tests inside the target, thousands a minute: imports once, forks, swaps code, runs.

A job is a JSON file named by SWE_AGENT_JOB; answers are JSON lines appended to its `out`. Modes:

    trace      for each test: outcome, CPU seconds, the lines it ran, where it raised
    evaluate   for each candidate: `plausible`, or which test `fail`ed, or was `slow` after others had passed, or
               `timeout`, `crash`, `invalid`, `fluke`
    behave     for each plausible candidate: what it answers on inputs made from those seen in the tests

Standard library only, for the target's own Python (3.6 and later). Under pytest it is a plug-in (`plugin.py`),
for unittest `python -m swe_agent_repair.repair`.
"""

import json
import os
import sys
import time
from functools import partial

from . import behave
from .runners import unittest_tests
from .sandbox import TimeUp, cpu_limit, forked
from .swap import Canary, Editor
from .trace import LineTracer

GROUP = 24


class Job:
    """One run of the evaluator: `tests` maps a test's name to a runner of it, `spec` is the host's request."""

    def __init__(self, spec, tests):
        self.spec = spec
        self.tests = tests
        self.end = time.monotonic() + spec["seconds"]
        self.editor = Editor(spec["root"])
        self._out = open(spec["out"], "a")  # noqa: SIM115 - as long as the process lives

    def run(self):
        {"trace": self.trace, "evaluate": self.evaluate, "behave": self.behave}[self.spec["mode"]]()
        self.answer({"end": True})

    def answer(self, value):
        self._out.write(json.dumps(value) + "\n")
        self._out.flush()

    def left(self):
        return self.end - time.monotonic()

    # -- trace

    def trace(self):
        """Each test twice in a fresh child: plain for its time, then with the tracer."""
        for name, limit in self.spec["tests"]:
            if self.left() < 0:
                return
            if name not in self.tests:
                continue
            answer = {"test": name, "outcome": "died", "seconds": limit, "lines": {}, "raised": []}
            for observe, patience in ((self._time, limit), (self._trace, min(limit, 1.0))):
                forked(partial(self._emit, observe, name, patience), answer.update, 3 * patience + 5)
            self.answer(answer)

    def _emit(self, work, *arguments):
        *arguments, emit = arguments
        emit(work(*arguments))

    def _time(self, name, limit):
        started = time.process_time()
        try:
            with cpu_limit(limit):
                result, error = self.tests[name].run()
        except TimeUp:
            result, error = "timeout", None
        return {"outcome": result, "seconds": time.process_time() - started, "raised": self._places(error)}

    def _trace(self, name, limit):
        tracer = LineTracer(self.editor.root)
        tracer.start()
        try:
            with cpu_limit(limit):
                self.tests[name].run()
        except TimeUp:
            pass
        finally:
            tracer.stop()
        return {"lines": {path: sorted(numbers) for path, numbers in tracer.lines.items() if numbers}}

    def _places(self, error):
        """The frames of a traceback that lie under the root, innermost first, as [path, line]."""
        places = []
        trace = getattr(error, "__traceback__", None)
        prefix = os.path.join(self.editor.root, "")
        while trace is not None:
            path = os.path.realpath(trace.tb_frame.f_code.co_filename)
            if path.startswith(prefix):
                places.insert(0, [path[len(prefix) :].replace(os.sep, "/"), trace.tb_lineno])
            trace = trace.tb_next
        return places[:10]

    # -- evaluate

    def evaluate(self):
        self.failing = [(name, limit) for name, limit in self.spec["failing"] if name in self.tests]
        self.passing = [(name, limit) for name, limit in self.spec["passing"] if name in self.tests]
        if not self.failing:
            return
        self.patience = 2 + 5 * max(limit for _, limit in self.failing + self.passing)
        for candidate in self.spec["candidates"]:
            if candidate["function"]:
                self.editor.functions(candidate["path"], candidate["function"])
        steady = []
        forked(self._run_passing, steady.append, self.patience)
        self.passing = [(name, limit) for name, limit in self.passing if name in steady]
        self.canary = Canary(self.editor.modules(), self._data())
        started = time.process_time()
        self.canary.look()
        group = GROUP if time.process_time() - started < 0.005 else 1
        waiting = self.spec["candidates"]
        while waiting and self.left() > 0:
            done = self._group(waiting[:group])
            waiting = waiting[done:]

    def _run_passing(self, emit):
        """Emit the tests that pass on the base, in one process and in this order."""
        for name, limit in self.passing:
            try:
                with cpu_limit(limit):
                    result = self.tests[name].run()[0]
            except TimeUp:
                return
            if result == "passed":
                emit(name)

    def _data(self):
        return [data for data in (self.tests[name].data() for name, _ in self.failing + self.passing) if data]

    def _group(self, candidates):
        """Evaluate the first candidates in one child; answers how many have their verdict now."""
        verdicts = []
        ended = forked(partial(self._try_all, candidates), verdicts.append, self.patience)
        if ended != "done" and len(verdicts) < len(candidates):
            verdict = "timeout" if ended == "killed" else "crash"
            verdicts.append({"id": candidates[len(verdicts)]["id"], "verdict": verdict})
        for verdict in verdicts:
            if verdict["verdict"] == "plausible":
                candidate = next(one for one in candidates if one["id"] == verdict["id"])
                verdict["verdict"] = "plausible" if self._holds(candidate) else "fluke"
            self._prefer(verdict.get("test"))
            self.answer(verdict)
        return len(verdicts)

    def _prefer(self, killer):
        """The failing test that stops a candidate moves one place forward."""
        for place in range(1, len(self.failing)):
            if self.failing[place][0] == killer and self.failing[place][1] <= self.failing[place - 1][1]:
                self.failing[place - 1 : place + 1] = self.failing[place], self.failing[place - 1]

    def _try_all(self, candidates, emit):
        before = self.canary.look()
        for candidate in candidates:
            verdict, clean = self._try(candidate, self.editor.swap)
            emit(verdict)
            if not clean or self.canary.look() != before:
                return

    def _holds(self, candidate):
        """Whether a hit is one in a fresh child too: its whole module run again, or where that fails, swapped alone."""
        for put in (self.editor.rerun, self.editor.swap):
            verdicts = []
            forked(partial(self._emit, self._try, candidate, put), verdicts.append, self.patience)
            if verdicts and verdicts[0][0]["verdict"] != "invalid":
                return verdicts[0][0]["verdict"] == "plausible"
        return False

    def _try(self, candidate, put):
        """The verdict, and whether this process is fit for the next candidate."""
        verdict = {"id": candidate["id"], "verdict": "invalid"}
        clean = True
        try:
            put(candidate)
        except SyntaxError:
            return verdict, True
        except Exception:  # noqa: BLE001 - no swap possible, or the module cannot be run: then as a whole, and only for this one
            clean = False
            try:
                self.editor.rerun(candidate)
            except Exception:  # noqa: BLE001 - an edited module may raise anything when it is run
                return verdict, False
        for before, (name, limit) in enumerate(self.failing + self.passing):
            try:
                with cpu_limit(limit):
                    result = self.tests[name].run()[0]
            except TimeUp:
                return dict(verdict, verdict="slow" if before else "timeout", test=name), False
            if result != "passed":
                return dict(verdict, verdict="fail", test=name), clean
        return dict(verdict, verdict="plausible"), clean

    # -- behave

    def behave(self):
        candidates = self.spec["candidates"]
        names = [name for name in self.spec["tests"] if name in self.tests]
        inputs = behave.Inputs(self.editor, candidates[0], [self.tests[name] for name in names], self.spec["limit"])
        for candidate in candidates:
            if self.left() < 0:
                return
            answers = []
            forked(partial(inputs.answers, candidate), answers.append, 10)
            self.answer({"id": candidate["id"], "answers": answers})


def read_job():
    with open(os.environ["SWE_AGENT_JOB"]) as file:
        return json.load(file)


def main():
    spec = read_job()
    for folder in [*spec["folders"], spec["root"]]:
        sys.path.insert(0, os.path.realpath(os.path.join(spec["root"], folder)))
    os.chdir(spec["root"])
    Job(spec, unittest_tests(spec["names"])).run()


if __name__ == "__main__":
    main()
