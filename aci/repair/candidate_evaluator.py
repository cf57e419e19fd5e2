"""Runs edits of the repository's Python against its tests, tens of thousands a minute, in the workspace.

What tries them there is `aci/candidate_server.py`; here is which are tried when, and what came of them.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from aci.candidate_server import CandidateServer, ProcessEnded
from aci.workspace import Workspace

SMALLEST_BATCH, LARGEST_BATCH = 64, 512
"""Candidates sent at once: few at first, since the best come first and the search may end with one of them."""
SENT = 2
"""Batches under way: one is tried while the next is made."""
FIRST = 1 / 8
"""Share of a test's limit that a candidate has at its first try. Most of what takes longer never ends."""
AGAIN = 1 / 8
"""Of a batch's size, how many late candidates are tried with all their time after it."""
PATIENT, MOST_PATIENT = 10.0, 1
"""Seconds that a test may have, while none is plausible, for so many candidates after each batch with which only this
one does not end: a test that hangs or fails early on the base does not show how long it takes when it passes."""


@dataclass(frozen=True, slots=True)
class Function:
    """An outermost function of a file, in bytes: the line of its `def` starts at `start`, its body at `body`.

    `lines` are those of the first decorator and of the `def`.
    """

    name: str
    qualname: str
    lines: tuple[int, int]
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """Edits of one file, each (start, end, new text) in bytes, all inside `function` if there is one.

    `score` is how likely it seemed before it was run, `template` what made it.
    """

    path: str
    edits: tuple[tuple[int, int, str], ...]
    description: str
    line: int
    function: Function | None = None
    score: float = 0.0
    template: str = ""

    @property
    def growth(self) -> int:
        """By how many bytes the file grows."""
        return sum(len(text.encode()) - (end - start) for start, end, text in self.edits)

    def apply(self, data: bytes) -> bytes:
        """The file's bytes with the edits made."""
        for start, end, text in sorted(self.edits, reverse=True):
            data = data[:start] + text.encode() + data[end:]
        return data

    def job(self, id: int) -> dict[str, Any]:
        function = self.function
        return {
            "id": id,
            "path": self.path,
            "edits": [list(edit) for edit in self.edits],
            "function": function
            and {
                "name": function.name,
                "qualname": function.qualname,
                "lines": function.lines,
                "start": function.start,
                "body": function.body,
                "end": function.end,
            },
        }


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a test may run: `seconds` of CPU by test name."""

    seconds: dict[str, float]

    def of(self, tests: Iterable[str], share: float = 1.0, least: float = 0.0) -> list[list[Any]]:
        """Name and limit of the tests that have one."""
        return [[test, max(least, share * self.seconds[test])] for test in tests if test in self.seconds]


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a candidate: `plausible` (every test passes), `fail`, `timeout`, `slow` (a time-out, and the other
    failing tests pass), `crash`, `invalid` (cannot be run), `fluke` (passed, but not alone in a fresh process), or
    `late`: a time-out of a short try.

    `test` is the one that stopped it. `again`: it was `late` before, and this is what came of it with more time.
    """

    candidate: Candidate
    verdict: str
    test: str = ""
    again: bool = False


class Evaluator:
    """Runs candidates against tests in a workspace whose tests `command` runs. `names` are all that will be asked for.

    `tree` holds the files as they are to be when the process that tries candidates has died and begins anew. Raises
    UsageError where the tests cannot be run in one process, Cancelled when `cancel` is set, WorkspaceError where that
    process dies again and again.
    """

    def __init__(self, workspace: Workspace, command: str, names: Sequence[str], cancel: Event, tree: str = "") -> None:
        self.command = command
        self._server = CandidateServer(workspace, command, names, cancel, tree)
        self._late = _Late()

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what runs. May be called twice."""
        self._server.close()

    @property
    def cpu(self) -> float:
        """CPU seconds that the target's processes have used so far, those that run included."""
        return self._server.cpu

    @property
    def tick(self) -> Callable[[], None]:
        """Called at least each 0.25 s while answers are waited for."""
        return self._server.tick

    @tick.setter
    def tick(self, call: Callable[[], None]) -> None:
        self._server.tick = call

    def ask(self, job: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
        """What a `mode` of the target's answers to a job within so many seconds; also while candidates are drawn."""
        return self._server.ask(job, seconds)

    def evaluate(
        self,
        candidates: Iterator[Candidate],
        failing: Sequence[str],
        passing: Sequence[str],
        limits: Limits,
        until: Callable[[], bool] = lambda: False,
        last: bool = True,
    ) -> Iterator[Judged]:
        """Judge the candidates, drawn as they are needed, in their order; ends early once `until()` says so.

        One that is `late` comes again: some after each batch, those that passed most first, and if these are the
        `last` candidates all others in the end. Once one is plausible those that are less likely than it do not.
        """
        batches = _Batches(self._server, list(failing), list(passing), limits, self._late)
        try:
            yield from batches.run(candidates, until, last)
        finally:
            batches.drop()


class _Late:
    """Candidates that were late, those first with which only one test did not end in time."""

    def __init__(self) -> None:
        self._slow: deque[Candidate] = deque()
        self._others: deque[Candidate] = deque()

    def __bool__(self) -> bool:
        return bool(self._slow or self._others)

    def add(self, judged: Judged) -> None:
        (self._slow if judged.verdict == "slow" else self._others).append(judged.candidate)

    def take(self, count: int, least: float = 0.0) -> list[Candidate]:
        """The next so many that are at least so likely; neither they nor the less likely before them are late then."""
        found: list[Candidate] = []
        while self and len(found) < count:
            one = (self._slow or self._others).popleft()
            if one.score >= least:
                found.append(one)
        return found


class _Batch:
    """Candidates that were sent, and the verdicts on them as far as they have come."""

    def __init__(self, number: int, candidates: list[Candidate], turn: int) -> None:
        self.number, self.candidates, self.turn = number, candidates, turn
        self.verdicts: dict[int, tuple[str, str]] = {}
        self.told = 0

    def take(self, answer: dict[str, Any]) -> None:
        verdicts = answer.get("verdicts")
        for one in verdicts if isinstance(verdicts, list) else ():
            index = one.get("id") if isinstance(one, dict) else None
            if isinstance(index, int) and 0 <= index < len(self.candidates) and index not in self.verdicts:
                self.verdicts[index] = str(one.get("verdict")), str(one.get("test", ""))

    def ready(self) -> Iterator[Judged]:
        """Those that no one before them is waited for any more."""
        while self.told in self.verdicts:
            verdict, test = self.verdicts[self.told]
            self.told += 1
            yield Judged(self.candidates[self.told - 1], verdict, test, self.turn > 0)


class _Batches:
    """One call of `evaluate`. The order in which failing tests are run is that in which they stopped most candidates of
    the batches that were complete when this one was sent: it does not hang on how many cores there are."""

    def __init__(
        self, server: CandidateServer, failing: list[str], passing: list[str], limits: Limits, late: _Late
    ) -> None:
        self.server, self.passing, self.limits, self.late = server, passing, limits, late
        self.failing = failing
        self.kills: Counter[str] = Counter()
        self.sent: deque[_Batch] = deque()
        self.size = SMALLEST_BATCH
        self.slow: list[Candidate] = []
        self.hit: float | None = None
        """The likelihood of the first plausible candidate."""

    def run(self, candidates: Iterator[Candidate], until: Callable[[], bool], last: bool) -> Iterator[Judged]:
        ended = False
        while not until():
            while not ended and len(self.sent) < SENT:
                batch, ended = _drawn(candidates, self.size, until)
                if batch:
                    self._send(batch, 0)
                    self.size = min(2 * self.size, LARGEST_BATCH)
            if ended and last and self.late and len(self.sent) < SENT:
                self._send_late(LARGEST_BATCH)
            elif ended and last and not self.sent:
                self._send_slow()
            if not self.sent:
                return
            yield from self._answers(self.sent[0], until)

    def drop(self) -> None:
        """What is under way is not wanted any more."""
        for batch in self.sent:
            self.server.drop(batch.number)
        self.sent.clear()

    def _send(self, candidates: list[Candidate], turn: int) -> None:
        indices = range(len(candidates))
        self.sent.append(_Batch(self._request(candidates, indices, turn), candidates, turn))

    def _request(self, candidates: list[Candidate], indices: Iterable[int], turn: int) -> int:
        """Those of the candidates; for the first `turn`, with all their time, or with PATIENT seconds a test."""
        share, least = ((FIRST, 0.0), (1.0, 0.0), (1.0, PATIENT))[turn]
        order = sorted(self.failing, key=lambda test: -self.kills[test])
        job = {
            "mode": "evaluate",
            "whole": turn > 0,
            "failing": self.limits.of(order, share, least),
            "passing": self.limits.of(self.passing, share, least),
            "candidates": [candidates[index].job(index) for index in indices],
        }
        return self.server.request(job)

    def _send_late(self, count: int) -> None:
        if found := self.late.take(count, self.hit or 0.0):
            self._send(found, 1)

    def _send_slow(self) -> None:
        chosen, self.slow = self.slow[:MOST_PATIENT], self.slow[MOST_PATIENT:]
        if chosen and self.hit is None:
            self._send(chosen, 2)

    def _answers(self, batch: _Batch, until: Callable[[], bool]) -> Iterator[Judged]:
        """The verdicts on a batch, as they come; then it is done with."""
        while batch.told < len(batch.candidates):
            try:
                answer = self.server.next(batch.number, time.monotonic() + 0.2)
            except ProcessEnded:
                answer = self._one_by_one(batch, until)
            if answer is not None:
                batch.take(answer)
                for judged in batch.ready():
                    yield self._seen(judged, batch.turn)
            if until():
                return
            if answer is not None and "end" in answer:
                break
        self.sent.popleft()
        if self.late and batch.turn == 0:
            self._send_late(max(1, round(AGAIN * len(batch.candidates))))
        elif batch.turn == 1:
            self._send_slow()

    def _one_by_one(self, batch: _Batch, until: Callable[[], bool]) -> dict[str, Any]:
        """The answer for the rest of a batch that the process did not outlive: who ends it again alone is to blame."""
        verdicts: list[Any] = []
        for index in range(len(batch.candidates)):
            if index in batch.verdicts:
                continue
            if until():
                return {"verdicts": verdicts}
            try:
                number = self._request(batch.candidates, [index], batch.turn)
                answer: dict[str, Any] = {}
                while "end" not in answer:
                    answer = self.server.next(number, time.monotonic() + 0.2) or {}
                    told = answer.get("verdicts")
                    verdicts += told if isinstance(told, list) else []
            except ProcessEnded:
                verdicts.append({"id": index, "verdict": "crash"})
        return {"verdicts": verdicts, "end": True}

    def _seen(self, judged: Judged, turn: int) -> Judged:
        if judged.test:
            self.kills[judged.test] += 1
        if judged.verdict == "plausible" and self.hit is None:
            self.hit = judged.candidate.score
        if turn == 0 and judged.verdict in ("timeout", "slow"):
            self.late.add(judged)
        elif turn == 1 and judged.verdict == "slow":
            self.slow.append(judged.candidate)
        else:
            return judged
        return Judged(judged.candidate, "late", judged.test, judged.again)


def _drawn(candidates: Iterator[Candidate], size: int, until: Callable[[], bool]) -> tuple[list[Candidate], bool]:
    """The next so many candidates, fewer where `until()` says so, and whether there are no more."""
    found: list[Candidate] = []
    while len(found) < size and not (len(found) % 16 == 15 and until()):
        candidate = next(candidates, None)
        if candidate is None:
            return found, True
        found.append(candidate)
    return found, False
