"""Simple mutants: one change of a statement or an expression, by the frequencies of published fix patterns."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.operators.planting import plant
from extensions.lab.synthesis.operators.simple_changes import simple_change
from extensions.lab.synthesis.source_repository import SourceRepository


def generate(source: SourceRepository, random: Random) -> Iterator[Candidate]:
    """Yield candidates in functions that tests run."""
    yield from plant(source, "mutate", {"simple_change": simple_change}, random)
