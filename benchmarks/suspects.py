"""How high the faulty statement stands among the suspects, by our signals together and by Ochiai alone.

    python -m benchmarks.suspects --repos DIR --cache DIR [--mutants N] [--packages A,B] [--held-out C,D] [--fit]

Mutants of fetched packages are observed (and kept in the cache) as `benchmarks.fit_templates` does; the statement that
was changed, or where one is gone either of its neighbours, is looked up. Statements that are equally suspicious share
the middle of their ranks. `--fit` tells the weights under which the faulty statements are likeliest, and what they do
for the packages that were held out.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from statistics import median

from agent.repair.analysis.dynamic_slices import statement_facts
from agent.repair.analysis.source_file import Source
from agent.repair.analysis.suspicious_statements import WEIGHTS, collect_signals
from benchmarks._mutants_observed import Observed, observed
from trajectories.errors import SweAgentError

BY_HAND = ("file", "function")


@dataclass(frozen=True)
class Row:
    """A mutant: the signals of each statement that failing tests run, and which of these are faulty."""

    package: str
    failing: int
    statements: list[dict[str, float]]
    faulty: list[int]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--mutants", type=int, default=60, help="of each package")
    parser.add_argument("--packages", default="", help="only these, by name")
    parser.add_argument("--held-out", default="", help="packages that are not fitted on")
    parser.add_argument("--fit", action="store_true")
    args = parser.parse_args(arguments)
    names, held = ([name for name in text.split(",") if name] for text in (args.packages, args.held_out))
    try:
        rows = [row for one in observed(args.repos, args.cache, args.mutants, names, print) if (row := _row(one))]
    except SweAgentError as error:
        print(error.message, error.fix, file=sys.stderr)
        return 2
    _table(rows, WEIGHTS)
    if args.fit:
        weights = fitted([row for row in rows if row.package not in held])
        print(json.dumps(weights))
        if held:
            _table([row for row in rows if row.package in held], weights)
    return 0


def _row(mutant: Observed) -> Row | None:
    """None where no failing test runs what is faulty."""
    found = collect_signals(mutant.spectrum, mutant.read)
    lines = changed_statements(mutant)
    faulty = [number for number, one in enumerate(found) if one.path == mutant.path and one.line in lines]
    if not faulty:
        return None
    return Row(mutant.package, len(mutant.spectrum.failing), [one.values for one in found], faulty)


def changed_statements(mutant: Observed) -> set[int]:
    """First lines of the statements with changed lines; where lines are gone, of those before and after."""
    known = statement_facts(Source(mutant.path, mutant.mutated).tree)
    old, new = mutant.original.splitlines(), mutant.mutated.splitlines()
    lines: set[int] = set()
    for kind, _, _, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "delete":
            lines |= {start, start + 1}
        elif kind != "equal":
            lines |= set(range(start + 1, end + 1))
    return {known[line].first for line in lines if line in known}


def rank(row: Row, weights: Mapping[str, float]) -> float:
    """The best rank, from 1, of a faulty statement; equals share the middle of theirs."""
    odds = [sum(weights.get(name, 0.0) * value for name, value in one.items()) for one in row.statements]
    best = max(odds[number] for number in row.faulty)
    above = sum(one > best + 1e-9 for one in odds)
    equal = sum(abs(one - best) <= 1e-9 for one in odds)
    return above + (equal + 1) / 2


def fitted(rows: Sequence[Row], steps: int = 400) -> dict[str, float]:
    """Weights that make the faulty among the statements of each mutant likeliest, by gradient ascent; none is negative,
    and large ones are held back a little."""
    import numpy as np

    names = [name for name in WEIGHTS if name not in BY_HAND]
    tables = [np.array([[one.get(name, 0.0) for name in names] for one in row.statements]) for row in rows]
    weights = np.ones(len(names))
    for step in range(steps):
        slope = -0.02 * weights * len(rows)
        for row, table in zip(rows, tables, strict=True):
            odds = table @ weights
            chances = np.exp(odds - odds.max())
            chances /= chances.sum()
            inside = chances[row.faulty]
            slope += (inside / inside.sum()) @ table[row.faulty] - chances @ table
        weights = np.maximum(0.0, weights + slope / len(rows) * 2.0 / math.sqrt(1 + step / 20))
    return {name: round(float(weight), 2) for name, weight in zip(names, weights, strict=True)}


def _table(rows: Sequence[Row], weights: Mapping[str, float]) -> None:
    print("| package | mutants | statements | Ochiai | DStar | ours |\n|---|---|---|---|---|---|")
    for name in [*sorted({row.package for row in rows}), ""]:
        inside = [row for row in rows if name in ("", row.package)]
        if inside:
            size = median(len(row.statements) for row in inside)
            sides = ({"ochiai": 1.0}, {"dstar": 1.0}, weights)
            cells = [_summary([rank(row, side) for row in inside]) for side in sides]
            print(f"| {name or 'all'} | {len(inside)} | {size:g} | {' | '.join(cells)} |")


def _summary(ranks: Sequence[float]) -> str:
    """Median rank, and the share of ranks within 1, 5 and 10."""
    shares = "/".join(f"{100 * sum(rank <= most for rank in ranks) / len(ranks):.0f}" for most in (1, 5, 10))
    return f"{median(ranks):g} ({shares} %)"


if __name__ == "__main__":
    sys.exit(main())
