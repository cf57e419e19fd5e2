"""Workers of the evaluator's server: its children, and the handling of work that a child leaves unfinished.

Standard library only, for the target's own Python (3.6 and later).
"""

import contextlib
import os
import shutil
import signal
import tempfile
import time

from .forked_sandbox import CPU_LIMIT_SIGNAL, Child, is_bounded_number, process_fields

BLOCKS = 40
"""Number of blocks after which a child is always replaced."""
FULL = 4
"""Factor by which the given time limits are multiplied for confirming a plausible candidate, and for running the
passing tests on the base."""
BUSY = 8
"""Factor by which a silent child gets more time if it is ready to run, since the machine may be busy."""
SPARE = 10.0
MOST_WAITS = 60.0
MOST_CHECKED, MOST_INSANE = 8, 20
"""Maximum number of the base's tests that a child runs in turn to check that its state is unchanged, and number of
changed children after which these checks stop, since the cause may be changed files, which affect all children."""


class Piece:
    """A unit of work for a child, of one of these kinds: `block` tries some candidates, `alone` tries one candidate,
    `confirmed` checks a plausible candidate by running its edited module again, `swapped` checks it by swapping its
    code, `unedited` runs its module again without the edit, and `steady` finds the tests that pass reliably.
    """

    def __init__(self, request, candidates, kind="block"):
        self.request, self.candidates, self.kind = request, candidates, kind

    def may_start(self):
        return self.kind == "steady" or self.request.trial.steady is not None

    def worker(self, server):
        return {"block": BlockWorker, "alone": BlockWorker, "steady": SteadyWorker}.get(self.kind, CheckWorker)(
            server, self
        )


class Worker:
    """A child that works for a request, with the time of its last message and the CPU seconds that it reported."""

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

    def receive(self):
        """Handle the messages of the child."""
        self.last = time.monotonic()
        for value in self.child.receive():
            if self in self.server.workers:
                self._receive_value(value)
        if self.child.ended and self in self.server.workers:
            self.end("crash")

    def _receive_value(self, value):
        if type(value) is dict:  # the code under test may have written anything
            self.cpu = float(value["cpu"]) if is_bounded_number(value.get("cpu")) else self.cpu
            self.handle(value)

    def works_for(self, id):
        """Return whether the child works for the host's request with that id."""
        return self.request is not None and self.request.id == id

    def is_stuck(self):
        """Return whether the child has been silent for too long; a child that is ready to run gets more time."""
        silent = time.monotonic() - self.last
        if silent < self.patience:
            return False
        return silent > self.patience * (BUSY if is_group_running(self.child.pid) else 1)

    def end(self, verdict):
        """End the child. `verdict` is the verdict on its current candidate, if the candidate is the cause."""
        self.drop()
        self.ended("timeout" if self.child.signal == CPU_LIMIT_SIGNAL else verdict)

    def drop(self):
        """End the child and discard its current work."""
        self.child.kill()
        self.cpu = 0.0
        self.server.workers.remove(self)
        with contextlib.suppress(OSError):  # the code under test may have removed this folder
            if self.folder and os.listdir(self.folder):
                shutil.rmtree(self.folder, ignore_errors=True)
                os.mkdir(self.folder)


class BlockWorker(Worker):
    """A worker that tries blocks of candidates one after the other.

    The verdicts on a block are held in `unsure` until a check finds the child unchanged; if it has changed, each
    candidate is tried alone.
    """

    def __init__(self, server, piece):
        self.trial = piece.request.trial
        self.waiting = []
        self.unsure = []
        self.has_verdicts = False
        self.alone = piece.kind == "alone"
        self.blocks = 0
        super().__init__(server, piece.request, piece.request.patience)
        self._send_block(piece)

    def work(self, emit, take):
        self.trial.bench.serve(emit, take)

    def _send_block(self, piece):
        self.request, self.patience = piece.request, piece.request.patience
        self.waiting = list(piece.candidates)
        self.blocks += 1
        passing = self.request.passing()
        tests = {"failing": self.request.failing, "passing": passing, "whole": self.request.whole}
        steady = [] if self.alone else self.trial.checked(passing)
        self.child.send({"candidates": self.waiting, "steady": steady, **tests})

    def handle(self, value):
        verdicts, again = value.get("verdicts"), value.get("again")
        if type(verdicts) is list and self._are_expected(verdicts):
            self.has_verdicts = True
            candidates, self.waiting = self.waiting[: len(verdicts)], self.waiting[len(verdicts) :]
            self._take_verdicts(candidates, verdicts)
        elif type(again) is int and 0 < again <= len(self.waiting):
            self.has_verdicts = True
            candidates, self.waiting = self.waiting[:again], self.waiting[again:]
            self._try_alone(candidates)
        elif "next" in value and not self.waiting:
            self._end_block(value.get("sane") is not False)
            piece = None
            if value["next"] is True and not self.alone and self.blocks < BLOCKS:
                piece = self.server.next_piece(self.trial)
            if piece is None:
                self.drop()
            else:
                self._send_block(piece)

    def _are_expected(self, verdicts):
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
            self._try_alone([candidate for candidate, _ in unsure])
        elif unsure:
            self.request.deliver([verdict for _, verdict in unsure])

    def _try_alone(self, candidates):
        for candidate in reversed(candidates):
            self.server.queue.appendleft(Piece(self.request, [candidate], "alone"))

    def ended(self, verdict):
        """Deliver the verdict on the current candidate if the data are checked after each one.

        Otherwise all candidates since the last check are tried alone.
        """
        self._end_block(bool(self.waiting) or self.child.done)  # if false, one of the base's tests ended the child
        if not self.waiting:
            return
        suspects = 0 if self.child.done and self.has_verdicts else self.trial.bench.between
        rest = self.waiting[suspects:]
        if rest:
            self.server.queue.appendleft(Piece(self.request, rest))
        if suspects == 1 or (suspects and self.alone):
            self.request.deliver([{"id": self.waiting[0]["id"], "verdict": verdict}])
        else:
            self._try_alone(self.waiting[:suspects])


class CheckWorker(Worker):
    """A worker that confirms a plausible candidate in a new process by running its edited module again.

    If the module cannot be run again, or the tests then fail even without the edit, the candidate is confirmed by
    swapping its code, as in the first trial.
    """

    def __init__(self, server, piece):
        self.piece = piece
        self.found = ""
        super().__init__(server, piece.request, FULL * piece.request.patience)

    def work(self, emit, take):
        request, bench, candidate = self.request, self.request.trial.bench, self.piece.candidates[0]
        failing, put = with_full_limits(request.failing), bench.editor.rerun
        if self.piece.kind == "swapped":
            put = bench.editor.swap
        elif self.piece.kind == "unedited":
            candidate, failing = dict(candidate, edits=[]), []
        bench.check(candidate, failing, with_full_limits(request.passing()), put, emit)

    def handle(self, value):
        if type(value.get("verdict")) is str:
            self.found = value["verdict"]

    def ended(self, verdict):
        found, kind = self.found or verdict, self.piece.kind
        runs_again, path = self.request.trial.runs_again, self.piece.candidates[0]["path"]
        if kind == "unedited":
            runs_again[path] = found == "plausible" and bool(self.request.passing())  # proves nothing without tests
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
    """A worker that finds the tests that pass on the base, their longest wait, and the data that they change.

    The data existed before the children were forked, so its object ids are the same in all of them.
    """

    def __init__(self, server, piece):
        self.found = {}
        self.waits = 0.0
        self.restless = []
        super().__init__(server, piece.request, FULL * piece.request.patience)

    def work(self, emit, take):
        self.request.trial.bench.steady(self.request.failing, with_full_limits(self.request.given), emit)

    def works_for(self, id):
        return False  # its results are for all requests with these tests

    def handle(self, value):
        steady = value.get("steady")
        if type(steady) is dict and all(map(is_bounded_number, steady.values())):
            self.found = steady
        if is_bounded_number(value.get("waits"), MOST_WAITS):
            self.waits = value["waits"]
        if type(value.get("restless")) is list:
            self.restless = [one for one in value["restless"] if type(one) is int]

    def ended(self, verdict):
        self.request.trial.bench.canary.snapshot.add_restless(self.restless)
        self.request.trial.add_result(self.request, self.found, self.waits)


class Job:
    """A request of a mode other than `evaluate`, as passed to the mode's function in a child."""

    def __init__(self, server, spec, emit):
        self.spec, self.tests, self.editor = spec, server.tests, server.editor
        self._emit = emit
        self._end = time.monotonic() + spec["seconds"]

    def answer(self, value):
        self._emit({"answer": value, "cpu": time.process_time()})

    def left(self):
        """Return the seconds left."""
        return self._end - time.monotonic()


class ModeWorker(Worker):
    """A worker that runs a mode and forwards its answers; it starts at once, without waiting for a free core."""

    uses_core = False

    def __init__(self, server, spec):
        self.spec = spec
        super().__init__(server, None, spec["seconds"] + SPARE)

    def work(self, emit, take):
        self.server.modes[self.spec["mode"]](Job(self.server, self.spec, emit))

    def works_for(self, id):
        return self.spec["id"] == id

    def drop(self):
        """End the worker and its own children, which are in other process groups."""
        with contextlib.suppress(OSError):
            os.kill(self.child.pid, signal.SIGSTOP)
            for pid in descendants(self.child.pid):
                os.kill(pid, signal.SIGKILL)
        super().drop()

    def handle(self, value):
        if "answer" in value:
            self.server.answer({"id": self.spec["id"], "answer": value["answer"]})

    def ended(self, verdict):
        self.server.answer({"id": self.spec["id"], "end": True})


def is_group_running(group):
    """Return whether a process of the group is ready to run or waiting for disk I/O."""
    return any(its_group == group and state in "RD" for _, state, _, its_group in _processes())


def descendants(pid):
    """Return the ids of the descendants of a process."""
    found = [pid]
    below = [(child, parent) for child, _, parent, _ in _processes()]
    for one in found:
        found.extend(child for child, parent in below if parent == one)
    return found[1:]


def _processes():
    """Yield (id, state, parent, group) of each process, if the system has /proc."""
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        fields = process_fields(int(name)) if name.isdigit() else []
        if fields:
            yield int(name), fields[0], int(fields[1]), int(fields[2])


def with_full_limits(limits):
    return [[name, FULL * limit] for name, limit in limits]
