"""Candidates by operators on nodes of tree-sitter, in functions of files in other languages than Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

from aci.graph.file_selection import language_of
from aci.graph.parser import parse_syntax
from extensions.lab.synthesis.candidate import Candidate, take_turns
from extensions.lab.synthesis.operators.function_code import apply_edits
from extensions.lab.synthesis.operators.syntax_changes import OPERATORS, SyntaxOperator
from extensions.lab.synthesis.operators.syntax_code import LANGUAGES, SyntaxCode
from extensions.lab.synthesis.source_repository import SourceRepository

ROUNDS = 4
"""Maximum number of candidates of an operator in a function."""


def plant_in_syntax(source: SourceRepository, kind: str, random: Random) -> Iterator[Candidate]:
    """Yield candidates of this kind, one of each operator in turn.

    There are none if the coverage is known: the tests are Python's then.
    """
    if source.coverage is not None:
        return
    files = [
        SyntaxCode(path, language_of(path), data, frozenset(name for _, name in source.own_calls.get(path, ())))
        for path, data in source.files_in(*LANGUAGES).items()
    ]
    yield from take_turns(
        [_candidates(kind, name, operator, files, Random(random.random())) for name, operator in OPERATORS.items()]
    )


def _candidates(
    kind: str, name: str, operator: SyntaxOperator, files: list[SyntaxCode], random: Random
) -> Iterator[Candidate]:
    """Yield the candidates of an operator in random order, few of each function."""
    options = [(file, edits) for file in files for edits in operator(file)]
    random.shuffle(options)
    taken: Counter[str] = Counter()
    for file, edits in options:
        around = file.function_at(edits[0][0])
        symbol = f"{file.path}:{around.name}" if around else ""
        data = apply_edits(file.data, edits)
        if not around or taken[symbol] >= ROUNDS or data == file.data or parse_syntax(file.language, data).has_error:
            continue
        taken[symbol] += 1
        yield Candidate(kind, name, {file.path: data}, (symbol,))
