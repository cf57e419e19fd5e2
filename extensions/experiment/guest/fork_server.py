"""The evaluator's server: a process that has imported and collected everything, and children that try candidates.

The host sends requests and receives answers as JSON lines; `evaluator_process.py` documents them. A request
of a mode other than `evaluate` runs in a child of its own. Candidates run in blocks, in as many children as there are
cores. A child continues with the next block as long as none of its candidates has left any side effects.

Standard library only, for the target's own Python (3.6 and later).
"""

import collections
import gc
import json
import os
import resource
import select
import shutil
import tempfile
import time

from .candidate_trials import Bench
from .code_swap import Editor
from .evaluator_workers import MOST_CHECKED, MOST_INSANE, ModeWorker, Piece, with_full_limits
from .forked_sandbox import PRIVATE_DESCRIPTORS, LineBuffer, core_count, line_writer, run_forked
from .state_canary import Canary, caches

BLOCK, PARTS = 24, 8
"""Maximum number of candidates in a block, and the number of blocks into which a smaller request is divided."""
REPORT_INTERVAL = 0.25
LOADING = 10.0
"""Maximum number of seconds for importing a module that no test has imported."""


class Server:
    """The evaluator's server.

    `tests` maps names to test runners, and `modes` maps names to functions called with a `Job` in a child. Temporary
    files of the children are created below `folder`. Requests are read from the descriptor `source`, and answers are
    written to the descriptor `sink`.
    """

    def __init__(self, root, folder, tests, modes, source, sink):
        self.tests, self.modes = tests, modes
        self.editor = Editor(root)
        self.queue = collections.deque()
        self.workers = []
        self.most = core_count()
        self.folders = [tempfile.mkdtemp(prefix="t", dir=folder) for _ in range(self.most)]
        self.trials = {}
        self.requests = {}
        self._source, self._write = source, line_writer(sink)
        self._lines = LineBuffer()
        self._last_answer = 0.0
        PRIVATE_DESCRIPTORS.update((source, sink))

    def run(self):
        """Serve requests until the host closes its end of the pipe."""
        self.answer({"tests": len(self.tests), "workers": self.most})
        try:
            while self._turn():
                pass
        finally:
            for worker in self.workers:
                worker.child.kill()
            for folder in self.folders:
                shutil.rmtree(folder, ignore_errors=True)

    def answer(self, value):
        value["cpu"] = self.cpu()
        self._last_answer = time.monotonic()
        self._write(value)

    def cpu(self):
        """Return the CPU seconds of all processes so far."""
        reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + reaped.ru_utime + reaped.ru_stime + sum(worker.cpu for worker in self.workers)

    def _turn(self):
        self._start_workers()
        children = [worker.child for worker in self.workers]
        by_inlet = {child.inlet(): child for child in children if child.unsent}
        ready, writable, _ = select.select([self._source, *children], list(by_inlet), [], REPORT_INTERVAL)
        for descriptor in writable:
            by_inlet[descriptor].send_rest()
        if self._source in ready and not self._receive():
            return False
        for worker in list(self.workers):
            if worker.child in ready:
                worker.receive()
            elif worker.is_stuck():
                worker.end("timeout")
        if time.monotonic() - self._last_answer > REPORT_INTERVAL:
            self.answer({})
        return True

    def _receive(self):
        """Read requests; return false at the end of input."""
        data = os.read(self._source, 1 << 18)
        for line in self._lines.take(data):
            spec = json.loads(line.decode())
            if spec["mode"] == "drop":
                self._drop(spec["id"])
            elif spec["mode"] == "evaluate":
                self._begin(spec)
            else:
                self.workers.append(ModeWorker(self, spec))
        return bool(data)

    def _begin(self, spec):
        request = Request(self, spec)
        self.requests[request.id] = request
        candidates = spec["candidates"]
        for path in sorted({candidate["path"] for candidate in candidates}):
            self._load(path)
        if spec["failing"] and not request.failing:  # none of the failing tests was collected
            request.deliver([{"id": candidate["id"], "verdict": "fail"} for candidate in candidates])
            return
        size = max(1, min(BLOCK, -(-len(candidates) // PARTS)))
        for start in range(0, len(candidates), size):
            self.queue.append(Piece(request, candidates[start : start + size]))
        if request.trial is None:
            request.trial = self.trials[request.key] = Trial(self, request)
        if not candidates:
            request.deliver([])

    def _load(self, path):
        """Import a module that is not loaded yet, provided that importing it in a child finishes in time."""
        if self.editor.is_missing(path):
            if run_forked(lambda emit: self.editor.load(path), lambda value: None, LOADING) == "done":
                self.editor.load(path)
            else:
                self.editor.skip(path)

    def _drop(self, id):
        request = self.requests.pop(id, None)
        if request:
            self.queue = collections.deque(
                piece for piece in self.queue if piece.request is not request or piece.kind == "steady"
            )  # other requests need the results on the base, too
        for worker in [one for one in self.workers if one.works_for(id)]:
            worker.drop()

    def _start_workers(self):
        """Start children while there is work that can start and a free core."""
        while sum(worker.uses_core for worker in self.workers) < self.most:
            piece = self.next_piece()
            if piece is None:
                return
            self.workers.append(piece.worker(self))

    def next_piece(self, trial=None):
        """Return the next piece of work that can start; if `trial` is given, only a block of this trial."""
        for place, piece in enumerate(self.queue):
            if piece.may_start():
                if trial is not None and not (piece.kind == "block" and piece.request.trial is trial):
                    return None
                del self.queue[place]
                return piece
        return None

    def free_folder(self):
        """Return a folder for temporary files that no other child uses."""
        taken = {worker.folder for worker in self.workers}
        return next((folder for folder in self.folders if folder not in taken), None)


class Request:
    """The host's request to evaluate candidates. Requests with the same tests share a `key` and a `Trial`."""

    def __init__(self, server, spec):
        self.server = server
        self.id = spec["id"]
        self.failing = [one for one in spec["failing"] if one[0] in server.tests]
        self.given = [one for one in spec["passing"] if one[0] in server.tests]
        self.key = json.dumps([sorted(name for name, _ in self.failing), [name for name, _ in self.given]])
        self.trial = server.trials.get(self.key)
        self.whole = spec.get("whole", False)
        self.left = len(spec["candidates"])

    @property
    def patience(self):
        """Seconds that a child may be silent, based on its tests' time limits and their waiting time on the base."""
        limit = max([limit for _, limit in self.failing + self.given] or [0.0])
        return (1.0 + 4 * limit + 2 * self.trial.waits) * (2 if self.whole else 1)

    def passing(self):
        return [one for one in self.given if one[0] in self.trial.steady]

    def deliver(self, verdicts):
        if self.server.requests.get(self.id) is self:
            self.left -= len(verdicts)
            end = {"end": True} if self.left <= 0 else {}
            self.server.answer(dict(end, id=self.id, verdicts=verdicts))
            if end:
                del self.server.requests[self.id]


class Trial:
    """State shared by requests with the same tests: those that pass reliably, and what is needed to try candidates.

    `steady` holds the tests that pass in all children when these run at the same time. If children interfere with each
    other, only one runs at a time.
    """

    def __init__(self, server, request):
        self.server = server
        self.steady = None
        self.costs = {}
        self.waits = 0.0
        self.insane = 0
        self.runs_again = {}  # maps a path to whether its module can be run again
        data = [server.tests[name].data() for name, _ in request.failing + request.given]
        _unfreeze()
        gc.collect()
        editor = server.editor
        canary = Canary(editor.modules(), [one for one in data if one])
        editor.index()
        self.bench = Bench(server.tests, editor, canary, caches(editor.root))
        _freeze()
        self._found = []
        self._ask(request, server.most)

    def _ask(self, request, count):
        self._awaited = count
        request.trial = self
        for _ in range(count):
            self.server.queue.appendleft(Piece(request, [], "steady"))

    def checked(self, passing):
        """Return the tests that check whether a child is unchanged, as [name, limit, CPU seconds on the base]."""
        few = [] if self.insane >= MOST_INSANE else passing[:MOST_CHECKED]
        return [[name, limit, self.costs[name]] for name, limit in with_full_limits(few)]

    def add_result(self, request, costs, waits):
        """Add the results of one child: the CPU seconds of the passing tests, and the longest wait of a test."""
        self._found.append(sorted(costs))
        self.costs.update(costs)
        self.waits = max(self.waits, waits)
        self._awaited -= 1
        if self._awaited:
            return
        if self._found.count(self._found[0]) == len(self._found):
            self.steady = set(self._found[0])
        else:
            self.server.most = 1
            self._found = []
            self._ask(request, 1)


def _freeze():
    """Share the memory of existing objects with the children; `gc.get_objects` no longer returns these objects."""
    if hasattr(gc, "freeze"):  # Python 3.7 and later
        gc.freeze()


def _unfreeze():
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()
