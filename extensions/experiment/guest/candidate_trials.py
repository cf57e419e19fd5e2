"""Trials of candidates against tests: one process tries many candidates, as long as none of them has side effects.

They run in children of the server. Standard library only, for the target's own Python (3.6 and later).
"""

import os
import time

from .forked_sandbox import TimeUp, alarm_state, cpu_limit
from .global_state import Surroundings, names_in

CHECK_SECONDS = 0.0001
"""Seconds per candidate for checking the data for changes; a slower check is made once for several candidates."""
MOST_BETWEEN = 24
REPORT_INTERVAL = 0.25
"""Seconds between two reports of a child's CPU time."""
MOST_ALARMS = 2
"""Number of alarms after which a process is not reused, since a candidate that catches alarms may have any effect."""
MODULE = 5.0
"""Maximum number of CPU seconds for running a module again."""
CHECKING = 1 / 16
"""Share of its time that a child may spend on checking that the base's tests still pass."""


class Bench:
    """Everything that a child needs to try candidates: tests, editor, canary, and the caches to be cleared."""

    def __init__(self, tests, editor, canary, caches):
        self.tests, self.editor, self.canary, self.caches = tests, editor, canary, caches
        self.names = names_in(editor.code())
        self.surroundings = None
        started = time.perf_counter()
        canary.look()
        self.between = max(1, min(MOST_BETWEEN, int((time.perf_counter() - started) / CHECK_SECONDS)))
        """Number of candidates tried between two checks of the data."""

    def serve(self, emit, take):
        """Try blocks of candidates one after the other; `BlockWorker` in evaluator_workers.py handles the messages."""
        self.surroundings = Surroundings(self.editor.modules(), self.names)
        before = self.canary.look()
        check = Check(self)
        while True:
            block = take()
            if block is None:
                return
            started = time.process_time()
            if not self._block(block, before, emit):
                return
            checked, sane = check(block["steady"], time.process_time() - started)
            clean = not checked or self.canary.look() == before
            emit({"cpu": time.process_time(), "sane": sane, "next": sane and clean})
            if not (sane and clean):
                return

    def _block(self, block, before, emit):
        """Try a block; return whether this process can be used for another one.

        Verdicts are emitted once the data have been found unchanged.
        """
        report = CpuTimeReport(emit)
        waiting = []
        candidates = block["candidates"]
        for candidate in candidates:
            tests = block["failing"], block["passing"]
            verdict, fit = self.attempt(candidate, *tests, self.editor.swap, report, block["whole"])
            waiting.append(verdict)
            if fit and len(waiting) < self.between and candidate is not candidates[-1]:
                continue
            clean = self.canary.look() == before
            sure = clean or len(waiting) == 1
            emit({"cpu": time.process_time(), **({"verdicts": waiting} if sure else {"again": len(waiting)})})
            if not clean or not fit:
                return False
            waiting = []
        return True

    def attempt(self, candidate, failing, passing, put, report, whole=False):
        """Return the verdict, and whether this process can be used for the next candidate.

        `whole`: if one of the failing tests times out, still run the others.
        """
        verdict = {"id": candidate["id"], "verdict": "invalid"}
        fit = True
        self.renew()
        try:
            with cpu_limit(MODULE):
                put(candidate)
        except (SyntaxError, ValueError):  # ValueError: the code contains a null byte or too long a number
            return verdict, True
        except TimeUp:
            return verdict, False
        except Exception:  # noqa: BLE001 - not swappable: run the module again, and use this process for no other candidate
            fit = False
            try:
                with cpu_limit(MODULE):
                    self.editor.rerun(candidate)
            except BaseException:  # noqa: BLE001 - an edited module may raise anything when it is run, SystemExit too
                return verdict, False
        for place, (name, limit) in enumerate(failing + passing):
            report()
            outcome, sound = self.run(name, limit)
            fit = fit and sound
            if outcome == "timeout":
                rest = failing[place + 1 :] if whole else []
                alone = (place or rest) and all(self.run(*one)[0] == "passed" for one in rest)
                return dict(verdict, verdict="slow" if alone else "timeout", test=name), fit and not rest
            if outcome != "passed":
                return dict(verdict, verdict="fail", test=name), fit
        return dict(verdict, verdict="plausible"), fit

    def renew(self):
        """Restore the state outside the repository's data, and the data that tests always change; clear the caches."""
        for cache in self.caches:
            cache.cache_clear()
        self.canary.snapshot.restore()
        if self.surroundings:
            self.surroundings.restore()

    def run(self, name, limit):
        """Return the outcome of a test, and whether it ended cleanly.

        A timeout outside the repository's own code may have interrupted the test runner itself.
        """
        try:
            with cpu_limit(limit):
                return self.tests[name].run()[0], True
        except TimeUp:
            alarms, file = alarm_state()
            own = os.path.realpath(file).startswith(os.path.join(self.editor.root, ""))
            return "timeout", alarms < MOST_ALARMS and own

    def check(self, candidate, failing, passing, put, emit):
        """Emit the verdict on a plausible candidate, which is checked again in this new process."""
        verdict = self.attempt(candidate, failing, passing, put, CpuTimeReport(emit))[0]
        emit({"cpu": time.process_time(), "verdict": verdict["verdict"]})

    def steady(self, failing, passing, emit):
        """Emit the CPU seconds of the tests that pass on the base, in one process and in this order.

        Also emit the longest wait of a test (wall-clock time minus CPU time), and the data that all tests change.
        """
        report = CpuTimeReport(emit)
        passed = {}
        waits = 0.0
        for name, limit in passing:
            report()
            clock, cpu = time.monotonic(), time.process_time()
            outcome, sound = self.run(name, limit)
            cpu = time.process_time() - cpu
            waits = max(waits, time.monotonic() - clock - cpu)
            if outcome == "passed":
                passed[name] = cpu
            if not sound:
                break
        changed = self.canary.snapshot.changed()
        emit({"cpu": time.process_time(), "steady": passed, "waits": waits, "restless": changed})
        for name, limit in failing:
            clock, cpu = time.monotonic(), time.process_time()
            sound = self.run(name, limit)[1]
            waits = max(waits, time.monotonic() - clock - (time.process_time() - cpu))
            emit({"cpu": time.process_time(), "waits": waits, "restless": self.canary.snapshot.changed()})
            if not sound:
                break


class Check:
    """A periodic check that the base's tests still pass in a child, as the canary cannot detect every change.

    The tests are run in turn, as many as fit in a share of the child's time.
    """

    def __init__(self, bench):
        self.bench = bench
        self.saved = 0.0
        self.at = 0

    def __call__(self, tests, spent):
        """Return whether tests were run, and whether all of those passed.

        `tests`: [name, limit, CPU seconds on the base]; `spent`: CPU seconds since the last call.
        """
        self.saved += CHECKING * spent
        checked = False
        for _ in tests:
            name, limit, cost = tests[self.at % len(tests)]
            if cost > self.saved:
                break
            self.saved -= cost
            self.at += 1
            if not checked:
                self.bench.editor.restore()
            checked = True
            self.bench.renew()
            if self.bench.run(name, limit) != ("passed", True):
                return True, False
        return checked, True


class CpuTimeReport:
    """Called often, emits the CPU time at intervals of at least REPORT_INTERVAL seconds."""

    def __init__(self, emit):
        self.emit = emit
        self.last = time.monotonic()

    def __call__(self):
        now = time.monotonic()
        if now - self.last > REPORT_INTERVAL:
            self.last = now
            self.emit({"cpu": time.process_time()})
