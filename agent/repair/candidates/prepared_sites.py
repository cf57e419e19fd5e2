"""Places made ready for templates: with what may be put into them, what is known of types and of conditions."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import cached_property, partial

from aci.probing import Prober
from aci.spectrum import Spectrum
from agent.repair.donors import Donors
from agent.repair.library import Library
from agent.repair.places import Place
from agent.repair.snippets import Snippets
from agent.repair.source import Source
from agent.repair.spot import Spot


class Spots:
    """What the spots of one search share. `hints` are texts of constants that tests or the issue speak of, `awaited`
    the names of exceptions that failing tests wait for in vain."""

    def __init__(
        self,
        sources: Sequence[Source],
        spectrum: Spectrum,
        prober: Prober | None = None,
        hints: Sequence[str] = (),
        awaited: tuple[str, ...] = (),
    ) -> None:
        self.sources, self.spectrum, self.prober, self.hints = sources, spectrum, prober, hints
        self.awaited = awaited
        self.snippets = Snippets(sources)
        self._donors: dict[ast.AST, Donors] = {}

    @cached_property
    def library(self) -> Library:
        return Library(self.sources, self.hints)

    def at(self, place: Place) -> Spot:
        if place.holder not in self._donors:
            self._donors[place.holder] = Donors(place.source, place.holder, self.library, self.spectrum.types)
        probe = None
        if self.prober is not None and not place.outside:
            probe = partial(self.prober.truths, place.source.path, place.statement.lineno)
        return Spot(place.source, self._donors[place.holder], place.statement, self.snippets, probe, self.awaited)
