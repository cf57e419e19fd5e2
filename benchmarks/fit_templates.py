"""Fits extensions/repair/candidates/weights.json, which orders repair candidates, on mutants of well-tested packages.

    python -m benchmarks.fit_templates --repos DIR --cache DIR [--mutants N] [--unrun N] [--packages A,B] [--out F]
        [--held-out C,D] [--limit N] [--json F]

`--repos` holds fetched repositories as OWNER+NAME/repo. N mutants (`_mutating.py`) of each package are observed as the
search would observe them, and cached in `--cache`. Then each template's drafts are generated at the changed place and
at some others, to find the drafts that restore the original text. `--unrun` more mutants of each package are not run:
they show how likely each template is at the changed place, but nothing about places. A candidate's likelihood is

    suspicion ** place * weight[template] * kind[template, statement] * failure[template, failure] * nth(draft)

with nth(n) = half / ((half + n) (half + n + 1)). The weights are those that make the originals likeliest among all
candidates of their mutant (a conditional logit, fitted by iterative scaling; factors of kinds and failures are
regularised towards 1). `--held-out` packages are not used for fitting; the rank of the original in the search's order
is printed for them, under the current weights and under the new ones. `--out` writes the weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

from benchmarks._mutants_observed import Observed, observed
from benchmarks._mutants_unrun import unrun_cases
from benchmarks._template_fit import Model
from benchmarks._template_ranks import FAR, rank
from benchmarks._template_streams import Case, case
from extensions.repair.candidate_order import templates
from extensions.repair.candidates.template_weights import Weights, fitted_weights, format_weights
from trajectories.errors import SweAgentError, UsageError

MUTANTS, UNRUN = 40, 60


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_templates", description=__doc__.split("\n")[0])
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--mutants", type=int, default=MUTANTS, help="mutants to observe in each package")
    parser.add_argument("--unrun", type=int, default=UNRUN, help="mutants of each package that are not run")
    parser.add_argument("--packages", default="", help="only these, by name")
    parser.add_argument("--held-out", default="", help="packages that are ranked but not used for fitting")
    parser.add_argument("--limit", type=int, default=0, help="mutants to rank in each held-out package")
    parser.add_argument("--out", type=Path, help="write the weights to this file")
    parser.add_argument("--json", type=Path, help="write the ranks to this file")
    options = parser.parse_args(arguments)
    try:
        mutants = observed(options.repos, options.cache, options.mutants, _names(options.packages), print)
        held = set(_names(options.held_out))
        cases = [case(one, f"{one.package}/{number}") for number, one in enumerate(mutants) if one.package not in held]
        cases += unrun_cases(options.repos, options.unrun, sorted(held))
        if not any(one.reached for one in cases):
            raise UsageError(f"No template reaches any of {len(cases)} mutants.", "Use more mutants or packages.")
    except SweAgentError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    print(f"{len(cases)} mutants to fit on; a template reaches {sum(one.reached for one in cases)} of them")
    _report_misses(cases)
    weights = Model(cases, templates()).fit(print)
    if options.out:
        options.out.write_text(format_weights(weights), "utf-8")
    if held:
        _compare([one for one in mutants if one.package in held], weights, options.limit, options.json)
    return 0


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _report_misses(cases: Sequence[Case]) -> None:
    all_of, missed = Counter(one.operator for one in cases), Counter(one.operator for one in cases if not one.reached)
    for operator, many in sorted(missed.items(), key=lambda item: -item[1] / all_of[item[0]]):
        print(f"  not reached: {operator:20} {many:4} of {all_of[operator]}")


def _compare(mutants: Sequence[Observed], new: Weights, limit: int, out: Path | None) -> None:
    """Print the ranks of each package's first mutants under the old and the new weights."""
    counts: Counter[str] = Counter()
    rows = []
    for one in mutants:
        counts[one.package] += 1
        if not limit or counts[one.package] <= limit:
            rows.append((one, rank(one, fitted_weights()), rank(one, new)))
    for name, place in (("current weights", 1), ("new weights", 2)):
        ranks = [int(str(row[place])) for row in rows]
        logs = mean(len(f"{found:b}") for found in ranks) if ranks else 0.0
        shares = "  ".join(f"@{k} {sum(found <= k for found in ranks)}" for k in (1, 10, 100, 1000, FAR - 1))
        print(f"{name:16} {len(ranks)} mutants, median rank {median(ranks or [0]):.0f}, mean bits {logs:.1f}, {shares}")
    if out:
        ranked = [
            {"package": one.package, "operator": one.operator, "path": one.path, "before": before, "after": after}
            for one, before, after in rows
        ]
        out.write_text(json.dumps(ranked, indent=1), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
