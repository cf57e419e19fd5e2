"""Streams of drafts: how many drafts each template has at each place of a mutant, and which are the original."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from benchmarks._mutants_observed import Observed
from extensions.experiment.evaluator.spectrum import Spectrum
from extensions.experiment.source.source_file import Draft, Source, header
from extensions.repair.analysis.suspicious_statements import Suspect
from extensions.repair.candidate_order import failure_kind, templates
from extensions.repair.candidates.editable_statements import Place, editable_places
from extensions.repair.candidates.prepared_sites import TemplateSites
from extensions.repair.candidates.template_weights import Weights, fitted_weights, kind_of

NEAR_LINES = 1
NEAR_DRAFTS, FAR_DRAFTS, FAR_PLACES = 150, 25, 4
"""Maximum number of drafts of a stream near the change and elsewhere, and of places elsewhere."""
ENDLESS = 400
"""Assumed number of drafts in a truncated stream."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A template's drafts at a place: their number, and the positions (from 0) of those that are the original.

    `times` is the number of similar streams that this one represents.
    """

    template: str
    kind: str
    place: str
    suspicion: float
    drafts: float
    times: float
    hits: tuple[tuple[float, float], ...] = ()
    """Position and weight of each draft that is the original."""


@dataclass(frozen=True, slots=True)
class Case:
    """A mutant as the candidate order sees it; `failure` is "" if no test was run."""

    package: str
    operator: str
    failure: str
    streams: tuple[Stream, ...]

    @property
    def reached(self) -> bool:
        return any(stream.hits for stream in self.streams)


def case(mutant: Observed, seed: str) -> Case:
    """Collect all streams near the change, and a random sample elsewhere."""
    source = Source(mutant.path, mutant.mutated)
    same = Same(mutant.original, mutant.mutated)
    weights = Weights(1.0, 1.0, 1.0, 0.0, fitted_weights().templates)
    all_places = editable_places([source], mutant.suspects, weights)
    near = [one for one in all_places if _touches(one, same.lines)]
    far = [one for one in all_places if not _touches(one, same.lines)]
    chosen = random.Random(seed).sample(far, min(len(far), FAR_PLACES))
    spots = TemplateSites([source], mutant.spectrum)
    scores = {one.line: one.score for one in mutant.suspects if one.path == mutant.path}
    streams: list[Stream] = []
    for place in near:
        streams += _streams(place, spots, scores, 1.0, NEAR_DRAFTS, same)
    for place in chosen:
        streams += _streams(place, spots, scores, len(far) / len(chosen), FAR_DRAFTS, None)
    return Case(mutant.package, mutant.operator, failure_kind(mutant.spectrum), tuple(streams))


def unrun(package: str, path: str, original: bytes, mutated: bytes, operator: str) -> Case:
    """Create a case for a mutant whose tests were not run: streams near the change, all places equally suspicious."""
    source, same = Source(path, mutated), Same(original, mutated)
    suspects = [Suspect(path, line, 1.0) for line in range(1, mutated.count(b"\n") + 2)]
    weights = Weights(1.0, 1.0, 1.0, 0.0, {})
    spots = TemplateSites([source], Spectrum((), (), {}))
    streams: list[Stream] = []
    for place in editable_places([source], [one for one in suspects if _close(one.line, same.lines)], weights):
        if _touches(place, same.lines) and not place.outside:
            streams += _streams(place, spots, {}, 1.0, NEAR_DRAFTS, same)
    return Case(package, operator, "", tuple(streams))


def _close(line: int, lines: range) -> bool:
    return lines.start - NEAR_LINES <= line < lines.stop + NEAR_LINES


def _streams(
    place: Place, spots: TemplateSites, scores: dict[int, float], times: float, most: int, same: Same | None
) -> Iterator[Stream]:
    spot = spots.at(place)
    suspected = any(scores.get(line) for line in header(place.statement))
    where = "outside" if place.outside else "seen" if suspected or not scores else "unseen"
    for name, make in templates().items():
        drafts, count, hits = 0.0, 0, []
        for draft in islice((one for one in make(spot) if one is not None), most):
            if not place.holds(draft.edits):
                continue
            if same is not None and same.is_original(draft):
                hits.append((drafts, draft.weight))
            drafts += draft.weight
            count += 1
        if count:
            total = float(ENDLESS) if count >= most else drafts
            yield Stream(name, kind_of(place.statement), where, place.suspicion, total, times, tuple(hits))


def _touches(place: Place, lines: range) -> bool:
    head = header(place.statement)
    return head.start < lines.stop + NEAR_LINES and lines.start - NEAR_LINES < head.stop


class Same:
    """Compares drafts with the original, regardless of layout and redundant `pass`."""

    def __init__(self, original: bytes, mutated: bytes) -> None:
        self.mutated = mutated
        self._tree, self._bare = _shape(original), _without_layout(original)
        self._growth = len(self._bare) - len(_without_layout(mutated))
        start = next((at for at, (a, b) in enumerate(zip(original, mutated, strict=False)) if a != b), len(mutated))
        tail = 0
        while tail < min(len(original), len(mutated)) - start and original[-1 - tail] == mutated[-1 - tail]:
            tail += 1
        first = mutated.count(b"\n", 0, start) + 1
        self.lines = range(first, first + mutated.count(b"\n", start, len(mutated) - tail) + 1)

    def is_original(self, draft: Draft) -> bool:
        inserted = sum(len(_without_layout(text.encode())) for _, _, text in draft.edits)
        growth = inserted - sum(len(_without_layout(self.mutated[start:end])) for start, end, _ in draft.edits)
        if growth != self._growth:
            return False
        data = self.mutated
        for start, end, text in sorted(draft.edits, reverse=True):
            data = data[:start] + text.encode() + data[end:]
        if _without_layout(data) != self._bare:
            return False
        try:
            return _shape(data) == self._tree
        except (SyntaxError, ValueError):
            return False


def _without_layout(text: bytes) -> bytes:
    """Return the text without characters that may differ in equivalent programs."""
    return text.replace(b"pass", b"").translate(None, b" \t\r\n()\\,;'\"")


def _shape(data: bytes) -> str:
    tree = ast.parse(data)
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and len(block) > 1:
                setattr(node, name, [one for one in block if not isinstance(one, ast.Pass)] or block[:1])
    return ast.dump(tree)
