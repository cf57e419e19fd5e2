"""The templates with their weights, and the order in which their candidates are tried."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from aci.candidates import Candidate
from aci.spectrum import Spectrum
from agent.moves import template_expressions as expressions
from agent.moves import template_operators as operators
from agent.moves import template_statements as statements
from agent.moves.template_donors import Donors
from agent.moves.template_source import Source, header
from agent.moves.template_source import statements as statements_of
from agent.moves.template_spot import Drafts, Spot

Template = Callable[[Spot], Drafts]
TEMPLATES: tuple[tuple[float, Template], ...] = (
    (1.0, operators.comparison),
    (0.95, operators.arithmetic),
    (0.8, operators.off_by_one),
    (0.8, expressions.swap),
    (0.75, expressions.unwrap),
    (0.75, expressions.variable),
    (0.7, expressions.constant),
    (0.7, operators.logic),
    (0.6, expressions.similar_name),
    (0.6, statements.insert),
    (0.6, statements.update),
    (0.5, expressions.cut),
    (0.5, expressions.expression),
    (0.5, expressions.extreme),
    (0.5, statements.or_condition),
    (0.5, statements.replace_condition),
    (0.5, statements.leave),
    (0.4, statements.drop),
    (0.4, expressions.wrap),
    (0.4, expressions.term),
    (0.35, statements.guard),
    (0.25, expressions.target),
)
"""How much each template pays, as its weight in the order of candidates."""
FADE = 8
"""After so many candidates a template at one place counts half."""
MOST_SPOTS = 400
UNSEEN = 0.3
"""The suspicion of a statement that no failing test reached, as a share of its function's."""


def ordered(sources: Sequence[Source], spectrum: Spectrum) -> Iterator[Candidate]:
    """Candidates by suspicion of the place times weight of the template, each template fading as it goes on."""
    queue: list[tuple[float, int, int, Iterator[Candidate], float]] = []
    spots = sorted(_spots(sources, spectrum), key=lambda spot: -spot[0])[:MOST_SPOTS]
    for suspicion, spot in spots:
        for weight, template in TEMPLATES:
            score = suspicion * weight
            heapq.heappush(queue, (-score, len(queue), 0, _candidates(spot, template), score))
    seen: set[tuple[str, tuple[tuple[int, int, str], ...]]] = set()
    while queue:
        now, order, count, candidates, score = heapq.heappop(queue)
        candidate = next(candidates, None)
        if candidate is None:
            continue
        heapq.heappush(queue, (-score / (1 + (count + 1) / FADE), order, count + 1, candidates, score))
        key = (candidate.path, candidate.edits)
        if key not in seen:
            seen.add(key)
            yield replace(candidate, score=-now)


def _spots(sources: Sequence[Source], spectrum: Spectrum) -> Iterator[tuple[float, Spot]]:
    """Statements of suspected functions, and of a module's own level, with their suspicion."""
    for source in sources:
        lines = {line: score for (path, line), score in spectrum.suspicion.items() if path == source.path}
        for _, node in source.functions:
            inside = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            top = max((lines.get(line, 0.0) for line in inside), default=0.0)
            if top:
                donors = Donors(source, node)
                for statement in statements_of(node):
                    own = max((lines.get(line, 0.0) for line in header(statement)), default=0.0)
                    yield max(own, UNSEEN * top), Spot(source, donors, statement)


def _candidates(spot: Spot, template: Template) -> Iterator[Candidate]:
    line = spot.statement.lineno
    function = next(
        (one for one, node in spot.source.functions if node.lineno <= line <= (node.end_lineno or line)), None
    )
    data = spot.source.data
    for draft in template(spot):
        if draft is not None and any(data[start:end] != text.encode() for start, end, text in draft.edits):
            yield spot.source.candidate(draft, spot.statement, function)
