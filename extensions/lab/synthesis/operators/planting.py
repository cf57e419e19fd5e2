"""Candidates by operators that change one Python file, in functions that tests run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from extensions.lab.synthesis.candidate import Candidate, take_turns
from extensions.lab.synthesis.operators.function_code import Code, Edits, Operator, apply_edits, is_other_program
from extensions.lab.synthesis.source_repository import SourceRepository

Draw = Callable[[Code, Random], Edits | None]
ROUNDS = 4
"""Maximum number of candidates of an operator in a function."""


def plant(source: SourceRepository, kind: str, operators: Mapping[str, Draw], random: Random) -> Iterator[Candidate]:
    """Yield candidates of this kind, one of each operator in turn, until no operator finds more."""
    places = _places(source)
    streams = [
        _candidates(source, kind, name, draw, places, Random(random.random())) for name, draw in operators.items()
    ]
    yield from take_turns(streams)


def draw_one(operator: Operator, code: Code, random: Random) -> Edits | None:
    """Return one of the edits that an operator finds in a function, None if there are none."""
    options = [edits for edits in operator(code) if edits]
    return random.choice(options) if options else None


@dataclass(frozen=True, slots=True)
class _Place:
    """A function of a file that tests run."""

    code: Code
    qualname: str
    lines: range


def _places(source: SourceRepository) -> list[_Place]:
    found = []
    own_calls = source.own_calls
    for file in source.python_sources:
        for span, node in file.functions:
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            if source.is_run(file.path, lines):
                code = Code(file, node, own_calls.get(file.path, frozenset()))
                found.append(_Place(code, span.qualname, lines))
    return found


def _candidates(
    source: SourceRepository, kind: str, operator: str, draw: Draw, places: list[_Place], random: Random
) -> Iterator[Candidate]:
    """Yield the candidates of an operator: one in each function in random order, then another, and so on.

    The same lines are changed once, since other changes there are much alike.
    """
    seen: set[tuple[str, frozenset[int]]] = set()
    for _ in range(ROUNDS):
        for place in random.sample(places, len(places)):
            edits = draw(place.code, random)
            file = place.code.source
            data = apply_edits(file.data, edits) if edits else file.data
            if not edits or not is_other_program(file.data, data):
                continue
            lines = _lines(place, edits)
            if (file.path, lines) in seen:
                continue
            seen.add((file.path, lines))
            if source.is_run(file.path, lines):
                symbols = (f"{file.path}:{place.qualname}", *_others(place, edits))
                yield Candidate(kind, operator, {file.path: data}, symbols, {file.path: lines})


def _lines(place: _Place, edits: Edits) -> frozenset[int]:
    """Return the changed lines, with the first lines of their statements, which is where Python counts them.

    A change of the function's header concerns all of its lines.
    """
    data = place.code.source.data
    lines = {
        line
        for start, end, _ in edits
        for line in range(data.count(b"\n", 0, start) + 1, data.count(b"\n", 0, max(start, end - 1)) + 2)
    }
    if min(lines) < place.code.node.body[0].lineno:
        return frozenset(place.lines)
    for statement in place.code.statements:
        if not lines.isdisjoint(range(statement.lineno, (statement.end_lineno or 0) + 1)) and not hasattr(
            statement, "body"
        ):
            lines.add(statement.lineno)
    return frozenset(lines)


def _others(place: _Place, edits: Edits) -> Iterator[str]:
    """Yield the other functions that the edits change."""
    file = place.code.source
    for span, node in file.functions:
        if node is not place.code.node and any(span.start <= start < span.end for start, _, _ in edits):
            yield f"{file.path}:{span.qualname}"
