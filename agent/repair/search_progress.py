"""What a search has tried so far, so that one that was cut off goes on where it stopped.

Remembered is a digest of each edit, not a place in the stream of candidates: which tests could be watched depends on
the machine's load, so a resumed search may meet its candidates in another order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

from aci.candidates import Candidate, Function, Judged

WIDTH = 4
"""Bytes of a digest: among 100,000 that were tried, one new edit in 40,000 is taken for one of them."""


class Memory(Protocol):
    """Where parts of what was tried are kept: JSON with digests beside it."""

    def parts(self) -> Iterable[tuple[dict[str, Any], bytes]]: ...

    def keep(self, part: dict[str, Any], digests: bytes) -> None: ...


class Forgetful:
    """Keeps nothing: the search is done in one go or not at all."""

    def parts(self) -> Iterable[tuple[dict[str, Any], bytes]]:
        return ()

    def keep(self, part: dict[str, Any], digests: bytes) -> None:
        pass


@dataclass(frozen=True, slots=True)
class First:
    """How many were tried, and the target's CPU seconds, when the first plausible one was found."""

    count: int
    cpu: float


@dataclass
class Tried:
    """What was tried, by this process or one before: how many, where, the plausible ones in their order.

    `cpu` are the target's seconds of the processes before.
    """

    memory: Memory = field(default_factory=Forgetful)
    count: int = 0
    cpu: float = 0.0
    first: First | None = None
    places: set[tuple[str, int]] = field(default_factory=set)
    hits: list[Candidate] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._digests: set[bytes] = set()
        self._unkept = bytearray()
        self._kept_hits = 0
        self._kept_places: set[tuple[str, int]] = set()
        for part, digests in self.memory.parts():
            self._take(part, digests)

    def _take(self, part: dict[str, Any], digests: bytes) -> None:
        found = [digests[at : at + WIDTH] for at in range(0, len(digests), WIDTH)]
        self._digests.update(found)
        self.count += len(found)
        self.cpu, self.first = part["cpu"], First(*part["first"]) if part["first"] else None
        self.places.update((path, line) for path, line in part["places"])
        self.hits += map(candidate_from, part["hits"])
        self._kept_hits, self._kept_places = len(self.hits), set(self.places)

    @property
    def least(self) -> list[Candidate]:
        """The plausible ones that hold no other one and more: what that adds mends nothing that a test sees."""
        return [hit for hit in self.hits if not _holds(hit, self.hits)]

    def knows(self, candidate: Candidate) -> bool:
        """Whether it need not be tried: an earlier process did, or it holds a plausible one."""
        known = bool(self._digests) and _digest(candidate) in self._digests
        return known or _holds(candidate, self.hits)

    def add(self, judged: Judged, cpu: float) -> None:
        """`cpu`: seconds that the target has used up to here, earlier processes included."""
        candidate = judged.candidate
        self.count += not judged.again
        self.places.add((candidate.path, candidate.line))
        if judged.verdict == "late":  # it comes again, if not in this process then in the next
            return
        self._unkept += _digest(candidate)
        if judged.verdict == "plausible":
            self.first = self.first or First(self.count, cpu)
            self.hits.append(candidate)

    def keep(self, cpu: float) -> None:
        """Let the memory have what is new."""
        if not self._unkept:
            return
        part = {
            "cpu": cpu,
            "first": astuple(self.first) if self.first else None,
            "places": sorted(self.places - self._kept_places),
            "hits": [asdict(hit) for hit in self.hits[self._kept_hits :]],
        }
        self.memory.keep(part, bytes(self._unkept))
        self._unkept.clear()
        self._kept_hits, self._kept_places = len(self.hits), set(self.places)


def _holds(candidate: Candidate, others: Iterable[Candidate]) -> bool:
    """Whether it is one of the others and more."""
    if len(candidate.edits) < 2:
        return False
    edits = set(candidate.edits)
    return any(one.path == candidate.path and edits > set(one.edits) for one in others)


def candidate_from(value: dict[str, Any]) -> Candidate:
    """A candidate as JSON has it."""
    function = value["function"]
    edits = tuple((start, end, text) for start, end, text in value["edits"])
    made = Function(**{**function, "lines": tuple(function["lines"])}) if function else None
    return Candidate(**{**value, "edits": edits, "function": made})


def _digest(candidate: Candidate) -> bytes:
    return blake2b(repr((candidate.path, candidate.edits)).encode("utf-8", "replace"), digest_size=WIDTH).digest()
