"""Rank of the faulty statement among the suspects: all signals together, compared with Ochiai and DStar alone.

    python -m benchmarks.suspects --repos DIR --cache DIR [--mutants N] [--packages A,B] [--held-out C,D] [--fit]

Mutants of fetched packages are observed (and cached in `--cache`) as in `benchmarks.fit_templates`. The faulty
statement is the one that was changed or, if a statement was removed, either of its neighbours. Equally suspicious
statements share the mean of their ranks. `--fit` prints the weights under which the faulty statements are likeliest,
and their results on the held-out packages.
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

from benchmarks._mutants_observed import Observed, observed
from extensions.experiment.source.source_file import Source
from extensions.repair.analysis.dynamic_slices import statement_facts
from extensions.repair.analysis.suspicious_statements import WEIGHTS, collect_signals
from trajectories.errors import SweAgentError

NOT_FITTED = ("file", "function")


@dataclass(frozen=True)
class Row:
    """A mutant: the signals of each statement that failing tests run, and the indices of the faulty ones."""

    package: str
    failing: int
    statements: list[dict[str, float]]
    faulty: list[int]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--mutants", type=int, default=60, help="mutants of each package")
    parser.add_argument("--packages", default="", help="only these, by name")
    parser.add_argument("--held-out", default="", help="packages that are not used for fitting")
    parser.add_argument("--fit", action="store_true", help="fit the weights and print them")
    args = parser.parse_args(arguments)
    names, held_out = ([name for name in text.split(",") if name] for text in (args.packages, args.held_out))
    try:
        rows = [row for one in observed(args.repos, args.cache, args.mutants, names, print) if (row := _row(one))]
    except SweAgentError as error:
        print(error.message, error.fix, file=sys.stderr)
        return 2
    _table(rows, WEIGHTS)
    if args.fit:
        weights = fitted([row for row in rows if row.package not in held_out])
        print(json.dumps(weights))
        if held_out:
            _table([row for row in rows if row.package in held_out], weights)
    return 0


def _row(mutant: Observed) -> Row | None:
    """The row of a mutant; None if no failing test runs a faulty statement."""
    found = collect_signals(mutant.spectrum, mutant.read)
    lines = changed_statements(mutant)
    faulty = [number for number, one in enumerate(found) if one.path == mutant.path and one.line in lines]
    if not faulty:
        return None
    return Row(mutant.package, len(mutant.spectrum.failing), [one.values for one in found], faulty)


def changed_statements(mutant: Observed) -> set[int]:
    """First lines of the statements with changed lines; for removed lines, of the statements before and after."""
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
    """The best rank, from 1, of a faulty statement; equal ones share the mean of their ranks."""
    odds = [sum(weights.get(name, 0.0) * value for name, value in one.items()) for one in row.statements]
    best = max(odds[number] for number in row.faulty)
    above = sum(one > best + 1e-9 for one in odds)
    equal = sum(abs(one - best) <= 1e-9 for one in odds)
    return above + (equal + 1) / 2


def fitted(rows: Sequence[Row], steps: int = 400) -> dict[str, float]:
    """Fit the weights that make the faulty statements of each mutant likeliest, by gradient ascent.

    Weights are not negative, and slightly regularised.
    """
    import numpy as np

    names = [name for name in WEIGHTS if name not in NOT_FITTED]
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
