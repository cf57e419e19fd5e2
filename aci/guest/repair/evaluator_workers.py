"""Children of the evaluator's server at work, and what becomes of what one leaves undone.

Standard library only, for the target's own Python (3.6 and later).
"""

import contextlib
import os
import shutil
import signal
import tempfile
import time

from .sandbox import SLAIN, Child, number

BLOCKS = 40
"""A child is replaced after so many blocks, whatever it looks like."""
FULL = 4
"""A hit is confirmed, and the passing tests are seen to pass, with so many times the given limits."""
BUSY = 8
"""How many times longer a silent child is waited for that is ready to run: the machine may be busy."""
SPARE = 10.0
MOST_WAITS = 60.0
MOST_CHECKED, MOST_INSANE = 8, 20
"""Tests of the base that a child runs in turn to see that nothing was left behind, and after how many children where
something was nobody looks any more: it may be that files were changed, which all see."""


class Piece:
    """Work for a child: a `block` of candidates, one candidate `alone`, a hit to be `confirmed` with its module run
    again, `swapped` in, or its module run again `unedited`; or the `steady` tests to be found."""

    def __init__(self, request, candidates, kind="block"):
        self.request, self.candidates, self.kind = request, candidates, kind

    def may_begin(self):
        return self.kind == "steady" or self.request.trial.steady is not None

    def worker(self, server):
        return {"block": BlockWorker, "alone": BlockWorker, "steady": SteadyWorker}.get(self.kind, CheckWorker)(
            server, self
        )


class Worker:
    """A child at work for a request: when it last said something, and the CPU seconds that it has told."""

    uses_core = True

    def __init__(self, server, request, patience):
        self.server, self.request, self.patience = server, request, patience
        self.folder = server.free_folder() if self.uses_core else None
        self.cpu = 0.0
        self.last = time.monotonic()
        self.child = Child(self._begin)

    def _begin(self, emit, take):
        if self.folder:
            os.makedirs(self.folder, exist_ok=True)
            os.environ["TMPDIR"] = tempfile.tempdir = self.folder
        self.work(emit, take)

    def hear(self):
        """Take what the child says."""
        self.last = time.monotonic()
        for value in self.child.receive():
            if self in self.server.workers:
                self._take(value)
        if self.child.ended and self in self.server.workers:
            self.end("crash")

    def _take(self, value):
        if type(value) is dict:  # its code may have said anything
            self.cpu = float(value["cpu"]) if number(value.get("cpu")) else self.cpu
            self.told(value)

    def works_for(self, id):
        """Whether it works for the host's request of that number."""
        return self.request is not None and self.request.id == id

    def is_stuck(self):
        """Whether it has been silent for too long without being kept from running."""
        silent = time.monotonic() - self.last
        if silent < self.patience:
            return False
        return silent > self.patience * (BUSY if is_at_work(self.child.pid) else 1)

    def end(self, verdict):
        """The child has ended, or must. `verdict` is that of what it was at, if it was that which ended it."""
        self.drop()
        self.ended("timeout" if self.child.signal == SLAIN else verdict)

    def drop(self):
        """End the child; nobody cares for what it was at."""
        self.child.kill()
        self.cpu = 0.0
        self.server.workers.remove(self)
        with contextlib.suppress(OSError):  # the code under test may have removed it
            if self.folder and os.listdir(self.folder):
                shutil.rmtree(self.folder, ignore_errors=True)
                os.mkdir(self.folder)


class BlockWorker(Worker):
    """Tries candidates, block after block. The verdicts on a block are `unsure` until it has been seen that the child
    is as it was; if it is not, its candidates are tried alone."""

    def __init__(self, server, piece):
        self.trial = piece.request.trial
        self.waiting = []
        self.unsure = []
        self.judged = False
        self.alone = piece.kind == "alone"
        self.blocks = 0
        super().__init__(server, piece.request, piece.request.patience)
        self._give(piece)

    def work(self, emit, take):
        self.trial.bench.serve(emit, take)

    def _give(self, piece):
        self.request, self.patience = piece.request, piece.request.patience
        self.waiting = list(piece.candidates)
        self.blocks += 1
        passing = self.request.passing()
        tests = {"failing": self.request.failing, "passing": passing, "whole": self.request.whole}
        steady = [] if self.alone else self.trial.checked(passing)
        self.child.send({"candidates": self.waiting, "steady": steady, **tests})

    def told(self, value):
        verdicts, again = value.get("verdicts"), value.get("again")
        if type(verdicts) is list and self._are_ours(verdicts):
            self.judged = True
            candidates, self.waiting = self.waiting[: len(verdicts)], self.waiting[len(verdicts) :]
            self._take_verdicts(candidates, verdicts)
        elif type(again) is int and 0 < again <= len(self.waiting):
            self.judged = True
            candidates, self.waiting = self.waiting[:again], self.waiting[again:]
            self._alone(candidates)
        elif "next" in value and not self.waiting:
            self._end_block(value.get("sane") is not False)
            piece = None
            if value["next"] is True and not self.alone and self.blocks < BLOCKS:
                piece = self.server.next_piece(self.trial)
            if piece is None:
                self.drop()
            else:
                self._give(piece)

    def _are_ours(self, verdicts):
        return 0 < len(verdicts) <= len(self.waiting) and all(
            type(verdict) is dict and verdict.get("id") == candidate["id"] and type(verdict.get("verdict")) is str
            for candidate, verdict in zip(self.waiting, verdicts)
        )

    def _take_verdicts(self, candidates, verdicts):
        for candidate, verdict in zip(candidates, verdicts):
            if verdict["verdict"] == "plausible":
                self.server.queue.appendleft(Piece(self.request, [candidate], "confirmed"))
            else:
                self.unsure.append((candidate, verdict))

    def _end_block(self, sane):
        unsure, self.unsure = self.unsure, []
        if not sane:
            self.trial.insane += 1
            self._alone([candidate for candidate, _ in unsure])
        elif unsure:
            self.request.deliver([verdict for _, verdict in unsure])

    def _alone(self, candidates):
        for candidate in reversed(candidates):
            self.server.queue.appendleft(Piece(self.request, [candidate], "alone"))

    def ended(self, verdict):
        """What ended the child is known if it was looked at after each candidate; else those since the last look are
        tried alone."""
        self._end_block(bool(self.waiting) or self.child.done)  # else the base's tests have ended it
        if not self.waiting:
            return
        suspects = 0 if self.child.done and self.judged else self.trial.bench.between
        rest = self.waiting[suspects:]
        if rest:
            self.server.queue.appendleft(Piece(self.request, rest))
        if suspects == 1 or (suspects and self.alone):
            self.request.deliver([{"id": self.waiting[0]["id"], "verdict": verdict}])
        else:
            self._alone(self.waiting[:suspects])


class CheckWorker(Worker):
    """Sees whether a hit is one in a fresh process, with its module run again. Where that cannot be done, or the tests
    do not pass any more after it without any edit, the hit is tried once more as it was found."""

    def __init__(self, server, piece):
        self.piece = piece
        self.found = ""
        super().__init__(server, piece.request, FULL * piece.request.patience)

    def work(self, emit, take):
        request, bench, candidate = self.request, self.request.trial.bench, self.piece.candidates[0]
        failing, put = more(request.failing), bench.editor.rerun
        if self.piece.kind == "swapped":
            put = bench.editor.swap
        elif self.piece.kind == "unedited":
            candidate, failing = dict(candidate, edits=[]), []
        bench.check(candidate, failing, more(request.passing()), put, emit)

    def told(self, value):
        if type(value.get("verdict")) is str:
            self.found = value["verdict"]

    def ended(self, verdict):
        found, kind = self.found or verdict, self.piece.kind
        runs_again, path = self.request.trial.runs_again, self.piece.candidates[0]["path"]
        if kind == "unedited":
            runs_again[path] = found == "plausible" and bool(self.request.passing())  # else nothing shows it
        elif kind == "confirmed" and found == "invalid":
            runs_again[path] = False
        if kind != "swapped" and found != "plausible" and path not in runs_again:
            self._next("unedited")
        elif kind != "swapped" and not runs_again.get(path, True):
            self._next("swapped")
        else:
            sure = found == "plausible" and kind != "unedited"
            verdict = {"id": self.piece.candidates[0]["id"], "verdict": "plausible" if sure else "fluke"}
            self.request.deliver([verdict])

    def _next(self, kind):
        self.server.queue.appendleft(Piece(self.request, self.piece.candidates, kind))


class SteadyWorker(Worker):
    """Finds the tests that pass on the base, how long one waits there for something, and what of the data they change;
    ids are the same in all children, as it was there before them."""

    def __init__(self, server, piece):
        self.found = {}
        self.waits = 0.0
        self.restless = []
        super().__init__(server, piece.request, FULL * piece.request.patience)

    def work(self, emit, take):
        self.request.trial.bench.steady(self.request.failing, more(self.request.given), emit)

    def works_for(self, id):
        return False  # what it finds is for all requests with these tests

    def told(self, value):
        steady = value.get("steady")
        if type(steady) is dict and all(map(number, steady.values())):
            self.found = steady
        if number(value.get("waits"), MOST_WAITS):
            self.waits = value["waits"]
        if type(value.get("restless")) is list:
            self.restless = [one for one in value["restless"] if type(one) is int]

    def ended(self, verdict):
        self.request.trial.bench.canary.kept.rest(self.restless)
        self.request.trial.told(self.request, self.found, self.waits)


class Job:
    """A request of another mode, as its work sees it in a child."""

    def __init__(self, server, spec, emit):
        self.spec, self.tests, self.editor = spec, server.tests, server.editor
        self._emit = emit
        self._end = time.monotonic() + spec["seconds"]

    def answer(self, value):
        self._emit({"answer": value, "cpu": time.process_time()})

    def left(self):
        """Seconds."""
        return self._end - time.monotonic()


class ModeWorker(Worker):
    """Does what a mode does, and hands its answers on. It starts at once, beside those that try candidates."""

    uses_core = False

    def __init__(self, server, spec):
        self.spec = spec
        super().__init__(server, None, spec["seconds"] + SPARE)

    def work(self, emit, take):
        self.server.modes[self.spec["mode"]](Job(self.server, self.spec, emit))

    def works_for(self, id):
        return self.spec["id"] == id

    def drop(self):
        """End it with the children of its own, which are in groups of their own."""
        with contextlib.suppress(OSError):
            os.kill(self.child.pid, signal.SIGSTOP)
            for pid in descendants(self.child.pid):
                os.kill(pid, signal.SIGKILL)
        super().drop()

    def told(self, value):
        if "answer" in value:
            self.server.say({"id": self.spec["id"], "answer": value["answer"]})

    def ended(self, verdict):
        self.server.say({"id": self.spec["id"], "end": True})


def is_at_work(group):
    """Whether a process of the group is ready to run, or waits for a disk."""
    return any(its_group == group and state in "RD" for _, state, _, its_group in _processes())


def descendants(pid):
    """The processes that it started, and those that they started."""
    found = [pid]
    below = [(child, parent) for child, _, parent, _ in _processes()]
    for one in found:
        found.extend(child for child, parent in below if parent == one)
    return found[1:]


def _processes():
    """(id, state, parent, group) of each process, where the system tells them."""
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        try:
            with open("/proc/%d/stat" % int(name)) as stat:
                state, parent, group = stat.read().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):  # no process, or one that has ended
            continue
        yield int(name), state, int(parent), int(group)


def more(limits):
    return [[name, FULL * limit] for name, limit in limits]
