"""Preparation of places for templates: collects the code, types and condition values that the templates use."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import cached_property, partial

from extensions.experiment.evaluator.condition_probes import ConditionProber
from extensions.experiment.evaluator.spectrum import Spectrum
from extensions.experiment.source.source_file import Source
from extensions.repair.analysis.callable_library import Library
from extensions.repair.analysis.code_snippets import Snippets
from extensions.repair.analysis.donor_code import Donors
from extensions.repair.candidates.editable_statements import Place
from extensions.repair.candidates.template_site import TemplateSite


class TemplateSites:
    """The data that all template sites of a search share.

    `hints` are literals from the tests or the issue, as source text. `expected_exceptions` are the names of exceptions
    that failing tests expect but that were not raised.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        spectrum: Spectrum,
        prober: ConditionProber | None = None,
        hints: Sequence[str] = (),
        expected_exceptions: tuple[str, ...] = (),
    ) -> None:
        self.sources, self.spectrum, self.prober, self.hints = sources, spectrum, prober, hints
        self.expected_exceptions = expected_exceptions
        self.snippets = Snippets(sources)
        self._donors: dict[ast.AST, Donors] = {}

    @cached_property
    def library(self) -> Library:
        return Library(self.sources, self.hints)

    def at(self, place: Place) -> TemplateSite:
        if place.holder not in self._donors:
            self._donors[place.holder] = Donors(place.source, place.holder, self.library, self.spectrum.types)
        probe = None
        if self.prober is not None and not place.outside:
            probe = partial(self.prober.truths, place.source.path, place.statement.lineno)
        return TemplateSite(
            place.source, self._donors[place.holder], place.statement, self.snippets, probe, self.expected_exceptions
        )
