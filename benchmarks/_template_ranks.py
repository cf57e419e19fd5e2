"""At which place of the real order a mutant's original text comes."""

from __future__ import annotations

from itertools import islice

from agent.repair.analysis.source_file import Draft, Source
from agent.repair.candidate_order import order_candidates
from agent.repair.candidates.template_weights import Weights
from benchmarks._mutants_observed import Observed
from benchmarks._template_streams import Same

FAR = 10_000
"""The rank of what is not among so many candidates."""


def rank(seen: Observed, weights: Weights) -> int:
    """From 1; FAR for what comes later or not at all."""
    same = Same(seen.original, seen.mutated)
    sources = [Source(seen.path, seen.mutated)]
    stream = order_candidates(sources, seen.suspects, seen.spectrum, weights=weights)
    for number, candidate in enumerate(islice(stream, FAR - 1), 1):
        if candidate.path == seen.path and same.is_original(Draft("", candidate.edits)):
            return number
    return FAR
