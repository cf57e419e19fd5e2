"""Tries candidates against tests, many in one process, for as long as none leaves anything behind.

Standard library only, for the target's own Python (3.6 and later). Its work is done in children of the server.
"""

import os
import time

from .sandbox import TimeUp, cpu_limit, cut_in
from .surroundings import Surroundings, names_in

LOOKING = 0.0001
"""Seconds that a look at the data may cost for each candidate; one that costs more is for several."""
MOST_BETWEEN = 24
BEAT = 0.25
"""Seconds after which a child says that it lives."""
MOST_ALARMS = 2
"""A candidate that caught so many has gone on in ways that nobody knows."""
MODULE = 5.0
"""CPU seconds that a module may take to be run again."""
CHECKING = 1 / 16
"""Share of its time that a child may spend on seeing that the base's tests still pass."""


class Bench:
    """What a child needs to try candidates: the tests, the editor, the canary, the caches to be cleared."""

    def __init__(self, tests, editor, canary, caches):
        self.tests, self.editor, self.canary, self.caches = tests, editor, canary, caches
        self.names = names_in(editor.code())
        self.surroundings = None
        started = time.perf_counter()
        canary.look()
        self.between = max(1, min(MOST_BETWEEN, int((time.perf_counter() - started) / LOOKING)))
        """How many candidates are tried between two looks."""

    def serve(self, emit, take):
        """Try block after block; see `BlockWorker` in workers.py for what is said."""
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
        """Whether the process is fit for another block. Verdicts are told once the data are seen to be as before."""
        told = Beat(emit)
        waiting = []
        candidates = block["candidates"]
        for candidate in candidates:
            tests = block["failing"], block["passing"]
            verdict, fit = self.attempt(candidate, *tests, self.editor.swap, told, block["whole"])
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

    def attempt(self, candidate, failing, passing, put, told, whole=False):
        """The verdict, and whether this process is fit for the next candidate. `whole`: where one of the failing tests
        runs out of time the others are run too."""
        verdict = {"id": candidate["id"], "verdict": "invalid"}
        fit = True
        self.renew()
        try:
            with cpu_limit(MODULE):
                put(candidate)
        except (SyntaxError, ValueError):  # ValueError: a null byte, a number too long
            return verdict, True
        except TimeUp:
            return verdict, False
        except Exception:  # noqa: BLE001 - no swap possible, or the module cannot be run: then as a whole, and only for this one
            fit = False
            try:
                with cpu_limit(MODULE):
                    self.editor.rerun(candidate)
            except BaseException:  # noqa: BLE001 - an edited module may raise anything when it is run, SystemExit too
                return verdict, False
        for place, (name, limit) in enumerate(failing + passing):
            told()
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
        """Make what is outside of the repository's own data as it was, and of these what tests always change; forget
        what functions remembered."""
        for cache in self.caches:
            cache.cache_clear()
        self.canary.kept.put_back()
        if self.surroundings:
            self.surroundings.put_back()

    def run(self, name, limit):
        """The outcome of a test, and whether it ended as tests do: what was cut outside of the repository's own code
        may have left the test runner in the middle of something."""
        try:
            with cpu_limit(limit):
                return self.tests[name].run()[0], True
        except TimeUp:
            alarms, file = cut_in()
            own = os.path.realpath(file).startswith(os.path.join(self.editor.root, ""))
            return "timeout", alarms < MOST_ALARMS and own

    def check(self, candidate, failing, passing, put, emit):
        """Emit the verdict on a hit in this fresh process."""
        verdict = self.attempt(candidate, failing, passing, put, Beat(emit))[0]
        emit({"cpu": time.process_time(), "verdict": verdict["verdict"]})

    def steady(self, failing, passing, emit):
        """Emit the CPU seconds of the tests that pass on the base, in one process and in this order; how long a test
        waits there, in seconds of the clock beyond those; and what of the data all tests together change."""
        told = Beat(emit)
        passed = {}
        waits = 0.0
        for name, limit in passing:
            told()
            clock, cpu = time.monotonic(), time.process_time()
            outcome, sound = self.run(name, limit)
            cpu = time.process_time() - cpu
            waits = max(waits, time.monotonic() - clock - cpu)
            if outcome == "passed":
                passed[name] = cpu
            if not sound:
                break
        changed = self.canary.kept.changed()
        emit({"cpu": time.process_time(), "steady": passed, "waits": waits, "restless": changed})
        for name, limit in failing:
            clock, cpu = time.monotonic(), time.process_time()
            sound = self.run(name, limit)[1]
            waits = max(waits, time.monotonic() - clock - (time.process_time() - cpu))
            emit({"cpu": time.process_time(), "waits": waits, "restless": self.canary.kept.changed()})
            if not sound:
                break


class Check:
    """Sees now and then that the base's tests still pass in a child: what a candidate can leave behind is more than is
    looked at. They are run in turn, as many as a share of the child's time is enough for."""

    def __init__(self, bench):
        self.bench = bench
        self.saved = 0.0
        self.at = 0

    def __call__(self, tests, spent):
        """Whether tests were run, and all passed. `tests`: [name, limit, CPU seconds on the base]; `spent`: CPU seconds
        since the last call."""
        self.saved += CHECKING * spent
        checked = False
        for _ in tests:
            name, limit, cost = tests[self.at % len(tests)]
            if cost > self.saved:
                break
            self.saved -= cost
            self.at += 1
            if not checked:
                self.bench.editor.put_back()
            checked = True
            self.bench.renew()
            if self.bench.run(name, limit) != ("passed", True):
                return True, False
        return checked, True


class Beat:
    """Called often, it emits the CPU time now and then."""

    def __init__(self, emit):
        self.emit = emit
        self.last = time.monotonic()

    def __call__(self):
        now = time.monotonic()
        if now - self.last > BEAT:
            self.last = now
            self.emit({"cpu": time.process_time()})
