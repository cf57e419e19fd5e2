"""Mutants of real code that look like real bugs: published fix patterns, undone.

What changes inside a statement follows the patterns of TSSB-3M (Richter and Wehrheim, MSR 2022: three million
one-statement bug fixes in Python), half of them with the square root of their counts as share.
What is missing or misplaced as a whole follows the repair patterns of Defects4J's dissection (Sobreira et al., SANER
2018) and the fix patterns of Pan et al. (EMSE 2009). An operator here is never the inverse of one template by design:
it takes from real code what a fix of that pattern would have put in.
"""

from __future__ import annotations

import ast
import math
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from agent.repair.analysis.source_file import Source
from benchmarks import _mutating_expressions as expressions
from benchmarks import _mutating_statements as statements
from benchmarks._mutated_code import Code, Edits, Operator

SHORTEST = 3
"""Functions of fewer statements are left alone."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file of a package with one function made wrong: `kind` is the operator, `edits` are what it did."""

    kind: str
    path: str
    qualname: str
    line: int
    edits: Edits
    data: bytes


COUNTED: dict[Operator, float] = {
    **{operator: math.sqrt(many) for operator, many in expressions.PATTERNS.items()},
    **expressions.OTHERS,
    **statements.SHARES,
}
SHARES = {operator: many / sum(COUNTED.values()) + 1 / len(COUNTED) for operator, many in COUNTED.items()}
"""How often each is tried: half by what was counted, half all alike, since no count is of the bugs that will come."""


def mutants(path: str, data: bytes, seed: str) -> Iterator[Mutant]:
    """Mutants of a file without end, each once: an operator by its share, a function and a place in it by chance."""
    chance = random.Random(seed)
    source = Source(path, data)
    codes = [(function, Code(source, node)) for function, node in source.functions]
    codes = [(function, code) for function, code in codes if len(code.statements) >= SHORTEST]
    operators = list(SHARES)
    seen: set[bytes] = {data}
    misses = 0
    while codes and misses < 2000:
        misses += 1
        function, code = chance.choice(codes)
        (operator,) = chance.choices(operators, [SHARES[one] for one in operators])
        options = list(operator(code))
        if not options:
            continue
        edits = chance.choice(options)
        new = _applied(data, edits)
        if new in seen or not edits or not _differs(data, new):
            continue
        seen.add(new)
        misses = 0
        line = data.count(b"\n", 0, min(edits)[0]) + 1
        yield Mutant(operator.__name__, path, function.qualname, line, edits, new)


def _differs(data: bytes, new: bytes) -> bool:
    """Whether it is another program, and one that nobody is warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", SyntaxWarning)
        try:
            compile(new, "mutant", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return False
        return ast.dump(ast.parse(data)) != ast.dump(ast.parse(new))


def _applied(data: bytes, edits: Edits) -> bytes:
    for start, end, new in sorted(edits, reverse=True):
        data = data[:start] + new.encode() + data[end:]
    return data
