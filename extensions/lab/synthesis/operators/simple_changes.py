"""Simple changes with the weights of published fix patterns, and several of them in one function.

One of them can often be undone by one repair template; two in a function cannot.
"""

from __future__ import annotations

import math
from random import Random

from extensions.lab.synthesis.operators import expression_changes, statement_changes
from extensions.lab.synthesis.operators.function_code import Code, Edits, Operator

MIN_STATEMENTS = 4
TRIES = 12
WEIGHTS: dict[Operator, float] = {
    **{operator: math.sqrt(count) for operator, count in expression_changes.PATTERNS.items()},
    **expression_changes.OTHERS,
    **statement_changes.SHARES,
}


def several_changes(code: Code, random: Random) -> Edits | None:
    """Return two simple changes of a function that do not overlap; None if there are none."""
    if len(code.statements) < MIN_STATEMENTS:
        return None
    first = simple_change(code, random)
    for _ in range(TRIES if first else 0):
        second = simple_change(code, random)
        if first and second and _are_apart(first, second):
            return (*first, *second)
    return None


def simple_change(code: Code, random: Random) -> Edits | None:
    """Return a simple change of a function; None if none is found in a few tries."""
    operators = list(WEIGHTS)
    for _ in range(TRIES):
        (operator,) = random.choices(operators, [WEIGHTS[one] for one in operators])
        if options := [edits for edits in operator(code) if edits]:
            return random.choice(options)
    return None


def _are_apart(one: Edits, other: Edits) -> bool:
    """Return whether the edits touch different lines, at least a byte apart."""
    return all(end < begin or stop < start for start, end, _ in one for begin, stop, _ in other)
