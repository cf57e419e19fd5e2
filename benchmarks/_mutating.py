"""Mutants of real code that resemble real bugs: published fix patterns in reverse.

Changes inside a statement follow the patterns of TSSB-3M (Richter and Wehrheim, MSR 2022: three million one-statement
bug fixes in Python), weighted by the square root of their counts. Missing or misplaced statements follow the repair
patterns of the Defects4J dissection (Sobreira et al., SANER 2018) and the fix patterns of Pan et al. (EMSE 2009). No
operator is designed as the inverse of one template: it removes from real code what a fix of its pattern would have
added.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from extensions.experiment.source.source_file import Source
from extensions.lab.synthesis.operators.function_code import Code, Edits, apply_edits, is_other_program
from extensions.lab.synthesis.operators.simple_changes import WEIGHTS

MIN_STATEMENTS = 3
"""Functions with fewer statements are not mutated."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file of a package with a bug in one function: `kind` is the operator, `edits` are its changes."""

    kind: str
    path: str
    qualname: str
    line: int
    edits: Edits
    data: bytes


MAX_MISSES = 2000
"""Tries in a row without a new mutant before the search ends."""
SHARES = {operator: count / sum(WEIGHTS.values()) + 1 / len(WEIGHTS) for operator, count in WEIGHTS.items()}
"""Probability weights of the operators: half by counts, half uniform, since future bugs may differ from the counted."""


def mutants(path: str, data: bytes, seed: str) -> Iterator[Mutant]:
    """Yield distinct random mutants of a file until no more are found; operators are chosen by their shares."""
    rng = random.Random(seed)
    source = Source(path, data)
    codes = [(function, Code(source, node)) for function, node in source.functions]
    codes = [(function, code) for function, code in codes if len(code.statements) >= MIN_STATEMENTS]
    operators = list(SHARES)
    seen: set[bytes] = {data}
    misses = 0
    while codes and misses < MAX_MISSES:
        misses += 1
        function, code = rng.choice(codes)
        (operator,) = rng.choices(operators, [SHARES[one] for one in operators])
        options = list(operator(code))
        if not options:
            continue
        edits = rng.choice(options)
        new = apply_edits(data, edits)
        if new in seen or not edits or not is_other_program(data, new):
            continue
        seen.add(new)
        misses = 0
        line = data.count(b"\n", 0, min(edits)[0]) + 1
        yield Mutant(operator.__name__, path, function.qualname, line, edits, new)
