"""Bugs planted by operators that one repair template does not simply undo."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

from extensions.lab.synthesis.candidate import Candidate, take_turns
from extensions.lab.synthesis.operators import calls, contracts, state
from extensions.lab.synthesis.operators.planting import Draw, draw_one, plant
from extensions.lab.synthesis.operators.simple_changes import several_changes
from extensions.lab.synthesis.operators.syntax_planting import plant_in_syntax
from extensions.lab.synthesis.source_repository import SourceRepository

OPERATORS: dict[str, Draw] = {
    **{
        operator.__name__: partial(draw_one, operator)
        for operator in (
            calls.wrong_sibling_call,
            calls.swapped_arguments,
            calls.off_by_one_at_caller,
            contracts.dropped_guard,
            contracts.changed_default,
            contracts.wrong_exception,
            state.lost_update_at_two_places,
            state.stale_cache,
        )
    },
    several_changes.__name__: several_changes,
}


def generate(source: SourceRepository, random: Random) -> Iterator[Candidate]:
    """Yield candidates in functions that tests may run: in Python and in the languages of tree-sitter in turn."""
    yield from take_turns([plant(source, "plant", OPERATORS, random), plant_in_syntax(source, "plant", random)])
