"""Evaluator of candidate edits: runs them against the repository's tests, tens of thousands per minute.

This module schedules the candidates and collects their results. `evaluator_process.py` is the connection to the
process in the workspace that runs them.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from aci.runtime.workspace import Workspace
from extensions.experiment.evaluator.evaluator_process import CandidateServer, ProcessEnded

SMALLEST_BATCH, LARGEST_BATCH = 64, 512
"""Minimum and maximum number of candidates per batch: few at first, since the best candidates come first and the search
may end with one of them."""
MOST_SENT = 2
"""Maximum number of batches sent at once: one runs while the next is built."""
FIRST = 1 / 8
"""Share of a test's time limit that a candidate gets in its first run. Most candidates that take longer never
finish."""
AGAIN = 1 / 8
"""Maximum number of late candidates that are rerun with the full limit after a batch, as a share of the batch size."""
PATIENT, MOST_PATIENT = 10.0, 1
"""While no candidate is plausible, candidates that timed out in only one test run again after each batch: up to
MOST_PATIENT of them, with PATIENT seconds per test. A test that hangs or fails early on the base gives no indication of
how long it takes when it passes."""


@dataclass(frozen=True, slots=True)
class FunctionSpan:
    """An outermost function of a file, by byte offsets: the line of its `def` starts at `start`, its body at `body`.

    `lines` are the line numbers of the first decorator and of the `def`.
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

    `score` is the likelihood estimated before it runs, `template` the name of its edit pattern.
    """

    path: str
    edits: tuple[tuple[int, int, str], ...]
    description: str
    line: int
    function: FunctionSpan | None = None
    score: float = 0.0
    template: str = ""

    @property
    def growth(self) -> int:
        """The number of bytes by which the file grows."""
        return sum(len(text.encode()) - (end - start) for start, end, text in self.edits)

    def apply(self, data: bytes) -> bytes:
        """Return the file's bytes with the edits applied."""
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
class TimeLimits:
    """Time limits of tests: CPU `seconds` by test name."""

    seconds: dict[str, float]

    def of(self, tests: Iterable[str], share: float = 1.0, least: float = 0.0) -> list[list[Any]]:
        """Return the name and limit of each test that has a limit."""
        return [[test, max(least, share * self.seconds[test])] for test in tests if test in self.seconds]


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """The result of a candidate.

    `verdict` is `plausible` (every test passes), `fail`, `timeout`, `slow` (a time-out, and the other failing tests
    pass), `crash`, `invalid` (cannot be run), `fluke` (passed, but not alone in a fresh process), or `late` (a time-out
    of a run with the short limit). `test` is the test that rejected it. `again`: it was `late` before, and this is its
    result with more time.
    """

    candidate: Candidate
    verdict: str
    test: str = ""
    again: bool = False


class Evaluator:
    """Runs candidates against the tests of a workspace. `names` are all tests that will be requested.

    `command` runs the tests. If the process that runs candidates dies, the files of `tree` are restored before it
    restarts. Raises UsageError if the tests cannot be run in one process, Cancelled when `cancel` is set, and
    WorkspaceError if the process keeps dying.
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
        """End the process. May be called twice."""
        self._server.close()

    @property
    def cpu(self) -> float:
        """CPU seconds used so far by the target's processes, including running ones."""
        return self._server.cpu

    @property
    def tick(self) -> Callable[[], None]:
        """A function that is called at least every 0.25 s while waiting for answers."""
        return self._server.tick

    @tick.setter
    def tick(self, call: Callable[[], None]) -> None:
        self._server.tick = call

    def ask(self, job: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
        """Run a job in one of the evaluator's modes and return its results within `seconds`; may be called during
        `evaluate`."""
        return self._server.ask(job, seconds)

    def evaluate(
        self,
        candidates: Iterator[Candidate],
        failing: Sequence[str],
        passing: Sequence[str],
        limits: TimeLimits,
        until: Callable[[], bool] = lambda: False,
        last: bool = True,
    ) -> Iterator[CandidateResult]:
        """Yield the results of the candidates in their order, drawing them as needed; end early once `until()` is true.

        A `late` candidate is run and yielded again. After each batch, some late candidates run again, first those on
        which only one test timed out; with `last`, the remaining ones run again at the end. Once a candidate is
        plausible, less likely ones are not retried.
        """
        batches = _Batches(self._server, list(failing), list(passing), limits, self._late)
        try:
            yield from batches.run(candidates, until, last)
        finally:
            batches.drop()


class _Late:
    """Queue of late candidates; those on which only one test timed out come first."""

    def __init__(self) -> None:
        self._slow: deque[Candidate] = deque()
        self._others: deque[Candidate] = deque()

    def __bool__(self) -> bool:
        return bool(self._slow or self._others)

    def add(self, result: CandidateResult) -> None:
        (self._slow if result.verdict == "slow" else self._others).append(result.candidate)

    def take(self, count: int, least: float = 0.0) -> list[Candidate]:
        """Remove and return the next `count` candidates with at least this score; candidates before them with a lower
        score are dropped."""
        found: list[Candidate] = []
        while self and len(found) < count:
            one = (self._slow or self._others).popleft()
            if one.score >= least:
                found.append(one)
        return found


class _Batch:
    """A batch of sent candidates, and the verdicts received so far."""

    def __init__(self, number: int, candidates: list[Candidate], turn: int) -> None:
        self.number, self.candidates, self.turn = number, candidates, turn
        self.verdicts: dict[int, tuple[str, str]] = {}
        self.reported = 0

    def take(self, answer: dict[str, Any]) -> None:
        verdicts = answer.get("verdicts")
        for one in verdicts if isinstance(verdicts, list) else ():
            index = one.get("id") if isinstance(one, dict) else None
            if isinstance(index, int) and 0 <= index < len(self.candidates) and index not in self.verdicts:
                self.verdicts[index] = str(one.get("verdict")), str(one.get("test", ""))

    def ready(self) -> Iterator[CandidateResult]:
        """Yield the results whose predecessors in the batch are all known, so that the order is kept."""
        while self.reported in self.verdicts:
            verdict, test = self.verdicts[self.reported]
            self.reported += 1
            yield CandidateResult(self.candidates[self.reported - 1], verdict, test, self.turn > 0)


class _Batches:
    """The batches of one call of `evaluate`.

    The failing tests that rejected the most candidates run first. Only the batches that are complete when a batch is
    sent affect this order, so that it does not depend on the number of cores.
    """

    def __init__(
        self, server: CandidateServer, failing: list[str], passing: list[str], limits: TimeLimits, late: _Late
    ) -> None:
        self.server, self.passing, self.limits, self.late = server, passing, limits, late
        self.failing = failing
        self.kills: Counter[str] = Counter()
        self.sent: deque[_Batch] = deque()
        self.size = SMALLEST_BATCH
        self.slow: list[Candidate] = []
        self.hit: float | None = None
        """The score of the first plausible candidate."""

    def run(self, candidates: Iterator[Candidate], until: Callable[[], bool], last: bool) -> Iterator[CandidateResult]:
        ended = False
        while not until():
            while not ended and len(self.sent) < MOST_SENT:
                batch, ended = _draw(candidates, self.size, until)
                if batch:
                    self._send(batch, 0)
                    self.size = min(2 * self.size, LARGEST_BATCH)
            if ended and last and self.late and len(self.sent) < MOST_SENT:
                self._send_late(LARGEST_BATCH)
            elif ended and last and not self.sent:
                self._send_slow()
            if not self.sent:
                return
            yield from self._answers(self.sent[0], until)

    def drop(self) -> None:
        """Cancel the batches that were sent."""
        for batch in self.sent:
            self.server.drop(batch.number)
        self.sent.clear()

    def _send(self, candidates: list[Candidate], turn: int) -> None:
        indices = range(len(candidates))
        self.sent.append(_Batch(self._request(candidates, indices, turn), candidates, turn))

    def _request(self, candidates: list[Candidate], indices: Iterable[int], turn: int) -> int:
        """Send these candidates for evaluation with the short limit (turn 0), the full limit (1), or PATIENT seconds
        per test (2)."""
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

    def _answers(self, batch: _Batch, until: Callable[[], bool]) -> Iterator[CandidateResult]:
        """Yield the results of a batch as they arrive, then remove it from those sent."""
        while batch.reported < len(batch.candidates):
            try:
                answer = self.server.next(batch.number, time.monotonic() + 0.2)
            except ProcessEnded:
                answer = self._one_by_one(batch, until)
            if answer is not None:
                batch.take(answer)
                for result in batch.ready():
                    yield self._record(result, batch.turn)
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
        """After the process has ended, run the rest of a batch one by one: a candidate on which it ends again counts as
        a crash."""
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
                    received = answer.get("verdicts")
                    verdicts += received if isinstance(received, list) else []
            except ProcessEnded:
                verdicts.append({"id": index, "verdict": "crash"})
        return {"verdicts": verdicts, "end": True}

    def _record(self, result: CandidateResult, turn: int) -> CandidateResult:
        if result.test:
            self.kills[result.test] += 1
        if result.verdict == "plausible" and self.hit is None:
            self.hit = result.candidate.score
        if turn == 0 and result.verdict in ("timeout", "slow"):
            self.late.add(result)
        elif turn == 1 and result.verdict == "slow":
            self.slow.append(result.candidate)
        else:
            return result
        return CandidateResult(result.candidate, "late", result.test, result.again)


def _draw(candidates: Iterator[Candidate], size: int, until: Callable[[], bool]) -> tuple[list[Candidate], bool]:
    """Return the next `size` candidates, fewer once `until()` is true, and whether there are no more."""
    found: list[Candidate] = []
    while len(found) < size and not (len(found) % 16 == 15 and until()):
        candidate = next(candidates, None)
        if candidate is None:
            return found, True
        found.append(candidate)
    return found, False
