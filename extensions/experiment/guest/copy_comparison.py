"""Comparison of base and patch in copies of the reproducing tests with changed literals.

This is for tests whose calls cannot be recorded or varied: it compares what the changed functions return and leave in
their arguments, and how the test ends. `extensions/experiment/varied_tests.py` judges the rows.

Standard library only, for the target's own Python (3.6 and later).
"""

import os
import random
import shutil
import sys
import tempfile
import time
from functools import partial

from .answer_collection import clear_caches
from .base_version import load_files, restore_base
from .forked_sandbox import TimeUp, cpu_limit, run_forked
from .item_runners import run_watched
from .literal_variants import VariedTest, with_words
from .patch_comparison import is_special
from .value_text import shorten
from .watched_functions import FunctionWatch, ReachRecorder

TEST_SECONDS = 10.0
"""Maximum CPU seconds of a test."""
SLOWER, LEAST_SECONDS = 20, 0.2
"""Factor of the time limit of a copy over the test's own time, and the minimum limit in CPU seconds."""
LATE = 12
"""Number of runs that may exceed their time limit, or die, before a version gets no more copies."""
PROBED = 60
"""Maximum number of copies that change one value, to find the values that reach the changed functions."""
FEWEST = 3
"""Minimum number of copies of each test."""
SHARE, LEAST_EACH = 0.7, 0.001
"""Share of the time left for which copies are planned, and the minimum seconds assumed for each."""
PATIENCE = 10.0
"""Wall-clock seconds beyond its CPU seconds after which a silent run is killed."""
SLEEPING = 1.0
"""Seconds between two checks of a run that waits; if it waits at both, it has hung."""
DEEPER = 3
"""Factor of the recursion limit, as watched functions need more frames."""
END, ENDED = (-1, 0), "NoneType:ended"
"""The place of a test's end among its calls, and the answer there if no exception but a failed check ended it."""
LONGEST = 200
CHECKS = {"AssertionError", "Failed", "SkipTest", "Skipped"}
"""Exceptions of failed checks. Copies do not meet the tests' expectations, so that these say nothing."""


class Run:
    """What happened in a run: what each call got and answered (see `FunctionWatch`), then how the test ended.

    `cpu` are the CPU seconds of the test, and `wall` the seconds of the run.
    """

    def __init__(self, calls=(), cpu=0.0, wall=0.0):
        self._calls = {(place, number): (given, answer) for place, number, given, answer in calls}
        self.cpu, self.wall = cpu, wall

    def calls(self):
        return list(self._calls)

    def given(self, call):
        return self._calls.get(call, ("", ""))[0]

    def answer(self, call):
        return self._calls.get(call, ("", ""))[1]


def compare(job):
    """Emit `{"copies": [..]}`: a row for each call that the versions answer differently in the tests themselves, and
    for the same calls in their copies (see `_Trial.rows`).

    The job is that of `patch_comparison.compare`; `most` is the number of copies.
    """
    load_files(job)
    names = _reached_names(job)
    is_fixed = partial(is_special, constants=with_words(job.spec["constants"]))
    tests = [VariedTest(job.tests[name], is_fixed) for name in job.spec["tests"] if name in job.tests]
    tests = [test for test in tests if test.places]
    if not names or not tests:
        return
    folder = tempfile.mkdtemp()
    rows = []
    try:
        for number, test in enumerate(tests):
            seconds = max(0.0, job.left()) / (len(tests) - number)
            trial = _Trial(job, test, names, folder, time.monotonic() + seconds)
            found = trial.rows(max(FEWEST, job.spec["most"] // len(tests)))
            rows += [dict(row, copy="%d.%d" % (number, row["copy"])) for row in found]
        job.answer({"copies": rows})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reached_names(job):
    """Return the (path, qualified name) of the changed functions that the tests call, and of the functions through
    which they reach changed or new ones."""
    found = []

    def work(emit):
        given = job.spec["functions"] + job.spec["added"]
        edited = [one for function in given for one in job.editor.functions(function["path"], function)]
        recorder = ReachRecorder(job.editor.root, {one.__code__ for one in edited})
        for name in job.spec["tests"]:
            if name in job.tests:
                recorder.start(True)
                run_watched(job.tests[name], TEST_SECONDS, recorder)
        emit(recorder.names())

    run_forked(work, found.extend, max(1.0, job.left()))
    added = {(one["path"], one["qualname"]) for one in job.spec["added"]}
    return [name for name in map(tuple, found) if name not in added]


class _Trial:
    """The runs of a test and of its copies with both versions, until `end` on the monotonic clock."""

    def __init__(self, job, test, names, folder, end):
        self.job, self.test, self.names, self.folder, self.end = job, test, names, folder, end
        self.chance = random.Random("copies")
        self.limit = TEST_SECONDS
        self.wanted = None
        """The calls to record; None for all."""
        self.own = Run()
        self.known = set()
        """The kinds of answers in the test itself, with either version."""

    def rows(self, most):
        """Return a dict for each call that the versions answer differently in the test, then for the same calls in at
        most so many copies, unless these calls get there what they get in the test. The last one of a copy is for the
        test's end.

        `function`, `text` and `arguments` are as in `patch_comparison.py`, but the arguments are the values of the test
        that reach the calls. `base`, `again` and `patch` are the answers. The test itself is the `copy` 0, and its rows
        are not `made`. In a `whole` copy, all those values are others.
        """
        started = time.monotonic()
        patch = self._runs([{}], False, 2)[0]
        self.own = patch[0]
        self.limit = min(TEST_SECONDS, max(LEAST_SECONDS, SLOWER * self.own.cpu))
        base = self._runs([{}], True, 2)[0]
        now = time.monotonic()
        each = sum(run.wall for run in (*patch, *base))
        most = min(most, int((SHARE * (self.end - now) - 2 * (now - started - each)) / max(each, LEAST_EACH)))
        seeds = _differing_calls(base, patch)
        self.wanted = [call for call in seeds or () if call != END] or [one for one in self.own.calls() if one != END]
        self.known = {_kind(run.answer(call)) for run in (base[0], self.own) for call in [*self.wanted, END]}
        if not seeds or most < FEWEST:
            return []
        probes = self._probe(min(PROBED, most))
        used = sorted({place for changes, _ in probes for place in changes}, key=repr)
        copies = self._vary(used, probes, most)
        answers = self._runs([changes for changes, _ in copies], True, 2)
        arguments = [[type(one).__name__, repr(one)[:LONGEST], False] for one in self.test.values_with(used)]
        rows = [self._row(call, 0, {}, base, self.own) for call in seeds]
        for number, ((changes, run), versions) in enumerate(zip(copies, answers), 1):
            calls = [one for one in seeds if one == END or run.given(one) not in ("", self.own.given(one))]
            if calls:
                calls = [one for one in calls if one != END] + [END]
                whole = set(changes) == set(used)
                rows += [dict(self._row(call, number, changes, versions, run), whole=whole) for call in calls]
        return [dict(row, arguments=arguments) for row in rows]

    def _row(self, call, number, changes, base, patch):
        text = ", ".join("%r for %r" % (new, old) for (_, old), new in sorted(changes.items(), key=repr))
        return {
            "function": "" if call == END else self.names[call[0]][1],
            "text": shorten(text),
            "base": base[0].answer(call),
            "again": base[1].answer(call),
            "patch": patch.answer(call),
            "made": number > 0,
            "copy": number,
            "whole": False,
        }

    def _probe(self, most):
        """Return copies with one new value each that reach the calls, without values for which the patch fails as it
        does not in the test; each with its run. If there are too many values, the last copy has all others."""
        places = self.chance.sample(self.test.places, len(self.test.places))
        groups = [[place] for place in places[: most - 1]] * (2 if 2 * len(places) < most else 1)
        found = self._reaching([self.test.changes(group, self.chance) for group in [*groups, places[most - 1 :]]])
        return [
            (changes, run)
            for changes, run in found
            if all(_kind(run.answer(call)) in self.known for call in [*self.wanted, END] if run.answer(call)[:1] == "!")
        ]

    def _vary(self, used, probes, most):
        """Return at most so many copies, with their runs: one half has one new value each, in the others all values
        that reach the calls are new, and in half of these they relate as in the test."""
        if not used:
            return []
        probes = probes[: most // 2]
        made = [self.test.changes([self.chance.choice(used)], self.chance) for _ in range(most // 2 - len(probes))]
        for number in range(most - most // 2):
            change = self.test.aligned_changes if number % 2 else self.test.changes
            made.append(change(used, self.chance))
        return self._distinct(probes + self._reaching(made))

    def _reaching(self, copies):
        """Run copies with the patch; return those in which some call gets something new, with their runs."""
        copies = list({repr(sorted(changes.items(), key=repr)): changes for changes in copies if changes}.values())
        found = [(changes, runs[0]) for changes, runs in zip(copies, self._runs(copies, False, 1))]
        new = [any(run.given(one) not in ("", self.own.given(one)) for one in self.wanted) for _, run in found]
        return self._distinct([one for one, is_new in zip(found, new) if is_new])

    def _distinct(self, copies):
        """Return the copies without those whose calls get the same as those of another one."""
        return list({tuple(map(run.given, self.wanted)): (changes, run) for changes, run in reversed(copies)}.values())

    def _runs(self, copies, is_base, times):
        """Return the runs of each copy, a list of so many, with one version, which runs in a child."""
        found = []
        patience = max(1.0, min(times * (PATIENCE + self.limit), self.end - time.monotonic()))
        run_forked(partial(self._emit_runs, copies, is_base, times), found.append, patience)
        runs = [[Run(*one) for one in each] for each in found]
        return runs + [[Run()] * times] * (len(copies) - len(runs))

    def _emit_runs(self, copies, is_base, times, emit):
        if is_base:
            restore_base(self.job)
        clear_caches()
        watch = FunctionWatch(self.job.editor.root, self.names, self.wanted)
        watch.install()
        sys.setrecursionlimit(DEEPER * sys.getrecursionlimit())
        late = 0
        for changes in copies:
            runs = []
            for _ in range(times):
                if os.listdir(self.folder):
                    shutil.rmtree(self.folder, ignore_errors=True)
                    os.mkdir(self.folder)
                found, started = [], time.monotonic()
                run_forked(partial(self._emit_run, changes, watch), found.append, PATIENCE + self.limit, SLEEPING)
                runs.append([*(found[0] if found else ([], 0.0)), time.monotonic() - started])
            emit(runs)
            late += any(not calls or _is_late(calls) for calls, _, _ in runs)
            if late >= LATE or time.monotonic() > self.end:
                return

    def _emit_run(self, changes, watch, emit):
        os.environ["TMPDIR"] = tempfile.tempdir = self.folder
        self.test.apply(changes)
        started = time.process_time()
        try:
            with cpu_limit(self.limit):
                ended = _end(self.test.test.run()[1])
        except TimeUp:
            ended = "!late"
        cpu = time.process_time() - started
        emit([[[*call, *found] for call, found in [*watch.calls.items(), (END, ["", ended])]], cpu])


def _differing_calls(base, patch):
    """Return the first call of each function that the versions answer differently, with stable answers."""
    found = {}
    for call in patch[0].calls():
        old, new = base[0].answer(call), patch[0].answer(call)
        is_stable = old and old == base[1].answer(call) and new == patch[1].answer(call)
        if is_stable and old != new != "!late":
            found.setdefault(call[0], call)
    return list(found.values())


def _kind(answer):
    return answer.partition(":")[0]


def _is_late(calls):
    return any(answer == "!late" for _, _, _, answer in calls)


def _end(error):
    """Return how a test ended, as an answer."""
    if error is None or CHECKS.intersection(kind.__name__ for kind in type(error).__mro__):
        return ENDED
    return "!" + type(error).__name__
