"""The evaluator's server: one process that has imported and collected all, and children that try candidates.

Requests come as JSON lines from the host, answers go to it; see `aci/candidate_server.py` for what they say.
A request of another mode than `evaluate` runs in a child of its own. Candidates run in blocks in as many children as
there are cores; a child goes on to the next block for as long as none of its candidates left anything behind.

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

from .canary import Canary, caches
from .sandbox import PRIVATE, Lines, cores, forked
from .swap import Editor
from .trying import Bench
from .workers import MOST_CHECKED, MOST_INSANE, ModeWorker, Piece, more

BLOCK, PARTS = 24, 8
"""Most candidates of a block, and into how many blocks a smaller request is divided."""
BEAT = 0.25
LOADING = 10.0
"""Seconds that the import of a module may take which no test has imported."""


class Server:
    """`tests` maps a test's name to a runner of it; `modes` a mode's name to what is called with a `Job` in a child.

    Temporary files of the children go below `folder`. Requests come from the descriptor `source`, answers go to `sink`.
    """

    def __init__(self, root, folder, tests, modes, source, sink):
        self.tests, self.modes = tests, modes
        self.editor = Editor(root)
        self.queue = collections.deque()
        self.workers = []
        self.most = cores()
        self.folders = [tempfile.mkdtemp(prefix="t", dir=folder) for _ in range(self.most)]
        self.trials = {}
        self.requests = {}
        self._source, self._sink = source, sink
        self._lines = Lines()
        self._said = 0.0
        PRIVATE.update((source, sink))

    def run(self):
        """Serve until the host says no more."""
        self.say({"tests": len(self.tests), "workers": self.most})
        try:
            while self._turn():
                pass
        finally:
            for worker in self.workers:
                worker.child.kill()
            for folder in self.folders:
                shutil.rmtree(folder, ignore_errors=True)

    def say(self, value):
        value["cpu"] = self.cpu()
        self._said = time.monotonic()
        data = (json.dumps(value) + "\n").encode()
        while data:
            data = data[os.write(self._sink, data) :]

    def cpu(self):
        """CPU seconds of all processes so far."""
        reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + reaped.ru_utime + reaped.ru_stime + sum(worker.cpu for worker in self.workers)

    def _turn(self):
        self._staff()
        children = [worker.child for worker in self.workers]
        taking = {child.inlet(): child for child in children if child.unsent}
        ready, takers, _ = select.select([self._source, *children], list(taking), [], BEAT)
        for descriptor in takers:
            taking[descriptor].go_on()
        if self._source in ready and not self._hear():
            return False
        for worker in list(self.workers):
            if worker.child in ready:
                worker.hear()
            elif worker.is_stuck():
                worker.end("timeout")
        if time.monotonic() - self._said > BEAT:
            self.say({})
        return True

    def _hear(self):
        """Take requests; false when there will be no more."""
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
        if spec["failing"] and not request.failing:  # nothing is left that an edit could mend
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
        """Import a module that is not there yet, if a child has come to the end of that."""
        if self.editor.is_missing(path):
            if forked(lambda emit: self.editor.load(path), lambda value: None, LOADING) == "done":
                self.editor.load(path)
            else:
                self.editor.pass_over(path)

    def _drop(self, id):
        request = self.requests.pop(id, None)
        if request:
            self.queue = collections.deque(
                piece for piece in self.queue if piece.request is not request or piece.kind == "steady"
            )  # what is found out of the base is for others, too
        for worker in [one for one in self.workers if one.works_for(id)]:
            worker.drop()

    def _staff(self):
        """Start children while there is work that may begin and a core for it."""
        while sum(worker.uses_core for worker in self.workers) < self.most:
            piece = self.next_piece()
            if piece is None:
                return
            self.workers.append(piece.worker(self))

    def next_piece(self, trial=None):
        """The next piece of work that may begin; for a child that worked for `trial`, one that it may go on with."""
        for place, piece in enumerate(self.queue):
            if piece.may_begin():
                if trial is not None and not (piece.kind == "block" and piece.request.trial is trial):
                    return None
                del self.queue[place]
                return piece
        return None

    def free_folder(self):
        """A folder for temporary files that no other child has."""
        taken = {worker.folder for worker in self.workers}
        return next((folder for folder in self.folders if folder not in taken), None)


class Request:
    """Candidates that the host asked about. `key` names its tests, which are tried out once for all such requests."""

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
        """Seconds that a child may be silent: for its tests, and for what they wait for as they do on the base."""
        limit = max([limit for _, limit in self.failing + self.given] or [0.0])
        return (1.0 + 4 * limit + 2 * self.trial.waits) * (2 if self.whole else 1)

    def passing(self):
        return [one for one in self.given if one[0] in self.trial.steady]

    def deliver(self, verdicts):
        if self.server.requests.get(self.id) is self:
            self.left -= len(verdicts)
            end = {"end": True} if self.left <= 0 else {}
            self.server.say(dict(end, id=self.id, verdicts=verdicts))
            if end:
                del self.server.requests[self.id]


class Trial:
    """The base with a set of tests: which of the passing ones pass in every child at the same time, and what is
    needed to try candidates. Tests that disturb each other are run by one child at a time."""

    def __init__(self, server, request):
        self.server = server
        self.steady = None
        self.costs = {}
        self.waits = 0.0
        self.insane = 0
        self.runs_again = {}  # path: whether its module can be run again
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
        """The tests that show whether a child is as it was: name, limit, CPU seconds on the base."""
        few = [] if self.insane >= MOST_INSANE else passing[:MOST_CHECKED]
        return [[name, limit, self.costs[name]] for name, limit in more(few)]

    def told(self, request, costs, waits):
        """What one child found: the CPU seconds of the tests that pass, and how long one waited."""
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
    """What is there now stays shared with the children. From then on `gc.get_objects` does not know it."""
    if hasattr(gc, "freeze"):  # 3.7
        gc.freeze()


def _unfreeze():
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()
