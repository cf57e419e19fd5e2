"""Rank of a mutant's original text in the order of candidates."""

from __future__ import annotations

from itertools import islice

from benchmarks._mutants_observed import Observed
from benchmarks._template_streams import Same
from extensions.experiment.source.source_file import Draft, Source
from extensions.repair.candidate_order import order_candidates
from extensions.repair.candidates.template_weights import Weights

FAR = 10_000
"""Rank if the original is not among the first candidates."""


def rank(mutant: Observed, weights: Weights) -> int:
    """Return the rank of the original, from 1, or FAR if it comes later or never."""
    same = Same(mutant.original, mutant.mutated)
    sources = [Source(mutant.path, mutant.mutated)]
    stream = order_candidates(sources, mutant.suspects, mutant.spectrum, weights=weights)
    for number, candidate in enumerate(islice(stream, FAR - 1), 1):
        if candidate.path == mutant.path and same.is_original(Draft("", candidate.edits)):
            return number
    return FAR
