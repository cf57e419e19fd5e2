"""The record of what a search has tried, so that an interrupted search can be resumed.

It stores a digest of each edit instead of a position in the stream of candidates. A resumed search may generate its
candidates in another order, since the load of the machine affects which tests can be traced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

from extensions.experiment.evaluator.candidate_evaluator import Candidate, CandidateResult, FunctionSpan

TRIED = "tried "
"""Beginning of the names of the recorded parts of a search."""
WIDTH = 4
"""Number of bytes in a digest. After 100,000 edits, one in 40,000 new edits is mistaken for an earlier one."""


class Memory(Protocol):
    """Storage for the tried edits, in parts that each consist of JSON data and the digests of edits."""

    def parts(self) -> Iterable[tuple[dict[str, Any], bytes]]: ...

    def keep(self, part: dict[str, Any], digests: bytes) -> None: ...


class NoMemory:
    """A memory that stores nothing, for a search that cannot be resumed."""

    def parts(self) -> Iterable[tuple[dict[str, Any], bytes]]:
        return ()

    def keep(self, part: dict[str, Any], digests: bytes) -> None:
        pass


@dataclass(frozen=True, slots=True)
class FirstHit:
    """The number of edits tried, and the CPU seconds used by the target program, when the first plausible edit was
    found."""

    count: int
    cpu: float


@dataclass
class SearchProgress:
    """The edits tried by this process and earlier ones: their number, their places, and the plausible edits in the
    order in which they were found.

    `cpu` is the number of CPU seconds used by the target program in earlier processes.
    """

    memory: Memory = field(default_factory=NoMemory)
    count: int = 0
    cpu: float = 0.0
    first: FirstHit | None = None
    places: set[tuple[str, int]] = field(default_factory=set)
    hits: list[Candidate] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._digests: set[bytes] = set()
        self._unsaved = bytearray()
        self._saved_hits = 0
        self._saved_places: set[tuple[str, int]] = set()
        for part, digests in self.memory.parts():
            self._take(part, digests)

    def _take(self, part: dict[str, Any], digests: bytes) -> None:
        found = [digests[at : at + WIDTH] for at in range(0, len(digests), WIDTH)]
        self._digests.update(found)
        self.count += len(found)
        self.cpu, self.first = part["cpu"], FirstHit(*part["first"]) if part["first"] else None
        self.places.update((path, line) for path, line in part["places"])
        self.hits += map(candidate_from, part["hits"])
        self._saved_hits, self._saved_places = len(self.hits), set(self.places)

    @property
    def least(self) -> list[Candidate]:
        """The plausible candidates that do not contain another plausible one; additional edits have no effect that a
        test detects."""
        return [hit for hit in self.hits if not _holds(hit, self.hits)]

    def knows(self, candidate: Candidate) -> bool:
        """Return whether a candidate can be skipped: an earlier process tried it, or it contains a plausible
        candidate."""
        known = bool(self._digests) and _digest(candidate) in self._digests
        return known or _holds(candidate, self.hits)

    def add(self, judged: CandidateResult, cpu: float) -> None:
        """Record a result. `cpu`: the CPU seconds used by the target program so far, including in earlier processes."""
        candidate = judged.candidate
        self.count += not judged.again
        self.places.add((candidate.path, candidate.line))
        if judged.verdict == "late":  # the candidate will be tried again, by this process or a later one
            return
        self._unsaved += _digest(candidate)
        if judged.verdict == "plausible":
            self.first = self.first or FirstHit(self.count, cpu)
            self.hits.append(candidate)

    def keep(self, cpu: float) -> None:
        """Store new results in the memory."""
        if not self._unsaved:
            return
        part = {
            "cpu": cpu,
            "first": astuple(self.first) if self.first else None,
            "places": sorted(self.places - self._saved_places),
            "hits": [asdict(hit) for hit in self.hits[self._saved_hits :]],
        }
        self.memory.keep(part, bytes(self._unsaved))
        self._unsaved.clear()
        self._saved_hits, self._saved_places = len(self.hits), set(self.places)


def _holds(candidate: Candidate, others: Iterable[Candidate]) -> bool:
    """Return whether a candidate contains all edits of another candidate, and more."""
    if len(candidate.edits) < 2:
        return False
    edits = set(candidate.edits)
    return any(one.path == candidate.path and edits > set(one.edits) for one in others)


def candidate_from(value: dict[str, Any]) -> Candidate:
    """Return a candidate from its JSON form."""
    function = value["function"]
    edits = tuple((start, end, text) for start, end, text in value["edits"])
    made = FunctionSpan(**{**function, "lines": tuple(function["lines"])}) if function else None
    return Candidate(**{**value, "edits": edits, "function": made})


def _digest(candidate: Candidate) -> bytes:
    return blake2b(repr((candidate.path, candidate.edits)).encode("utf-8", "replace"), digest_size=WIDTH).digest()
