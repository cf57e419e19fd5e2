"""The order in which candidates are tried: the likeliest first, each generated only when its turn comes."""

from __future__ import annotations

import hashlib
import heapq
import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import count, islice

from extensions.experiment.evaluator.candidate_evaluator import Candidate
from extensions.experiment.evaluator.condition_probes import ConditionProber
from extensions.experiment.evaluator.spectrum import Spectrum
from extensions.experiment.source.source_file import Source
from extensions.repair import templates as package
from extensions.repair.analysis.suspicious_statements import Suspect
from extensions.repair.candidates.editable_statements import Place, editable_places
from extensions.repair.candidates.multi_place_edits import MultiPlaceEdits
from extensions.repair.candidates.prepared_sites import TemplateSites
from extensions.repair.candidates.template_site import Drafts, TemplateSite
from extensions.repair.candidates.template_weights import (
    FAILURES,
    KINDS,
    UNRAISED,
    Template,
    Weights,
    fitted_weights,
    kind_of,
)

MANY = ("pair", "twin")
"""The template names of candidates that edit several places."""
PAIRED = (150, 1500)
"""Numbers of single edits after which pairs of these edits are also tried."""
STRAYING = 20
"""Maximum number of consecutive candidates that edit code outside the target location, before the template is no
longer used there."""
Make = Callable[[TemplateSite], Drafts]


@cache
def templates() -> dict[str, Make]:
    """Return all templates by name: the public functions that the modules of `extensions.repair.templates` define."""
    found: dict[str, Make] = {}
    for module in pkgutil.iter_modules(package.__path__):
        part = importlib.import_module(f"{package.__name__}.{module.name}")
        own = {name: value for name, value in vars(part).items() if getattr(value, "__module__", "") == part.__name__}
        found |= {name: value for name, value in own.items() if callable(value) and not name.startswith("_")}
    return found


def order_candidates(
    sources: Sequence[Source],
    suspects: Sequence[Suspect],
    spectrum: Spectrum,
    prober: ConditionProber | None = None,
    hints: Sequence[str] = (),
    expected_exceptions: tuple[str, ...] = (),
    weights: Weights | None = None,
) -> Iterator[Candidate]:
    """Yield candidates in descending order of P(place) P(template | kind of statement, kind of failure) P(nth draft |
    template).

    Candidates that produce the same text as an earlier one are left out. The candidates and their order depend only on
    the arguments. `prober` determines the values of conditions while the tests run. `hints` are literals from the tests
    or the issue, as source text. `expected_exceptions` are the names of exceptions that failing tests expect but that
    were not raised.
    """
    weights = weights or fitted_weights()
    spots = TemplateSites(sources, spectrum, prober, hints, expected_exceptions)
    return _Merge(sources, editable_places(sources, suspects, weights), spots, weights, failure_kind(spectrum)).run()


def failure_kind(spectrum: Spectrum) -> str:
    """Return the most common way in which tests fail, one of FAILURES."""
    kinds = Counter(
        "hang" if one.outcome in ("timeout", "died") else "raise" if one.raised else "value" for one in spectrum.failing
    )
    return max(FAILURES, key=lambda kind: kinds[kind])


class _Merge:
    """A lazy merge of streams, one for each place and template, ordered by the highest possible score of their next
    items.

    When the number of single edits reaches a number in PAIRED, a stream of pairs of these edits is added.
    """

    def __init__(
        self, sources: Sequence[Source], places: Sequence[Place], spots: TemplateSites, weights: Weights, failure: str
    ) -> None:
        self.sources, self.places, self.spots, self.weights = sources, iter(places), spots, weights
        factors = UNRAISED if spots.expected_exceptions else {}
        self.streams = {
            kind: [
                (weights.template(name).of(kind, failure) * factors.get(name, 1.0), weights.template(name), name, make)
                for name, make in templates().items()
            ]
            for kind in (*KINDS, "Other")
        }
        self.most = max(weight * one.nth(0) for row in self.streams.values() for weight, one, _, _ in row)
        self.queue: list[tuple[float, int, _Stream | _Several | Candidate]] = []
        self.numbers = count()
        self.data = {source.path: source.data for source in sources}
        self.pairs = MultiPlaceEdits(sources)
        self.seen: set[bytes] = set()

    def run(self) -> Iterator[Candidate]:
        singles: list[Candidate] = []
        for candidate in self._merged():
            yield candidate
            if len(singles) < PAIRED[-1] and candidate.template not in MANY:
                singles.append(candidate)
                if len(singles) in PAIRED:
                    known = max((one for one in PAIRED if one < len(singles)), default=0)
                    self._push(_Several(self.pairs.of(list(singles), known), self.weights.pair))

    def _merged(self) -> Iterator[Candidate]:
        place = next(self.places, None)
        while self.queue or place is not None:
            while place is not None and (not self.queue or self._worth(place) * self.most >= -self.queue[0][0]):
                self._open(place)
                place = next(self.places, None)
            worth, _, item = heapq.heappop(self.queue)
            if isinstance(item, Candidate):
                yield item
                continue
            candidate = item.next()
            if candidate is None:
                continue
            self._push(item)
            if not self._is_new(candidate):
                continue
            if candidate.score < -worth:
                self._push(candidate)
            else:
                yield candidate

    def _worth(self, place: Place) -> float:
        return float(place.suspicion**self.weights.place)

    def _open(self, place: Place) -> None:
        spot = self.spots.at(place)
        for weight, template, name, make in self.streams[kind_of(place.statement)]:
            self._push(_Stream(place, name, template, weight * self._worth(place), make(spot)))

    def _push(self, item: _Stream | _Several | Candidate) -> None:
        heapq.heappush(self.queue, (-item.score, next(self.numbers), item))

    def _is_new(self, candidate: Candidate) -> bool:
        data = self.data[candidate.path]
        least = _least(data, *_joined(data, candidate.edits))
        if least is None:
            return False
        key = hashlib.blake2b(b"%a %d %d " % (candidate.path, *least[:2]) + least[2], digest_size=16).digest()
        if key in self.seen:
            return False
        self.seen.add(key)
        return True


class _Stream:
    """A stream of the candidates that a template produces at a place."""

    def __init__(self, place: Place, name: str, template: Template, weight: float, drafts: Drafts) -> None:
        self.place, self.name, self.template, self.weight, self.drafts = place, name, template, weight, drafts
        self.drawn = 0.0

    @property
    def score(self) -> float:
        """The likelihood of the next draft."""
        return self.weight * self.template.nth(self.drawn)

    def next(self) -> Candidate | None:
        """Return the next candidate, or None at the end of the stream or after STRAYING consecutive candidates outside
        the location."""
        place = self.place
        drafts = islice((draft for draft in self.drafts if draft is not None), STRAYING)
        draft = next((draft for draft in drafts if place.holds(draft.edits)), None)
        if draft is None:
            return None
        score = self.score * draft.weight
        self.drawn += draft.weight
        path, line = place.source.path, place.statement.lineno
        return Candidate(path, draft.edits, draft.what, line, place.function, score, self.name)


class _Several:
    """A stream of candidates that edit several places, with their scores multiplied by `share`."""

    def __init__(self, candidates: Iterator[Candidate], share: float) -> None:
        self.candidates, self.share = candidates, share
        self.waiting = next(candidates, None)

    @property
    def score(self) -> float:
        return self.share * self.waiting.score if self.waiting else 0.0

    def next(self) -> Candidate | None:
        now, score = self.waiting, self.score
        self.waiting = next(self.candidates, None)
        return replace(now, score=score) if now else None


def _joined(data: bytes, edits: tuple[tuple[int, int, str], ...]) -> tuple[int, int, bytes]:
    """Merge the edits of one file into a single edit."""
    if len(edits) == 1:
        start, end, text = edits[0]
        return start, end, text.encode()
    if not edits:
        return 0, 0, b""
    edits = tuple(sorted(edits))
    first = at = edits[0][0]
    parts = []
    for start, end, text in edits:
        parts += [data[at:start], text.encode()]
        at = end
    return first, at, b"".join(parts)


def _least(data: bytes, start: int, end: int, new: bytes) -> tuple[int, int, bytes] | None:
    """Reduce an edit to the bytes that it changes, shifted as far left as possible; return None if it changes
    nothing."""
    while start < end and new and data[end - 1] == new[-1]:
        end, new = end - 1, new[:-1]
    while start < end and new and data[start] == new[0]:
        start, new = start + 1, new[1:]
    while start == end and new and start and data[start - 1] == new[-1]:
        start, end, new = start - 1, end - 1, new[-1:] + new[:-1]
    while not new and 0 < start < end and data[start - 1] == data[end - 1]:
        start, end = start - 1, end - 1
    return (start, end, new) if new or start < end else None
