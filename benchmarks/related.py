"""Accuracy of `locate --patch`: a part of a fix is given, and the other places that it changes are asked for.

    python -m benchmarks.related --instances F.issues.jsonl --gold F.locations.jsonl --patches F.gold.jsonl --repos DIR
        [--cache DIR] [--reasons DIR] [--sixths N] [--fit] [--json OUT]

Each file of a fix that changes several files is given once: its part of the patch is the input, the other files and
their functions are the places to find. A query is a hit at k if all of its places are among the first k; `any` counts
queries with at least one. Tests and the given file are left out of all rankings. Only the base and the commits before
it are read.

`co-change` ranks by the share of common commits alone, `before` has the signals and weights that `locate --patch` had
without callers of unchanged signatures, callees, text, literals and functions of earlier commits. `--fit` chooses the
weights by coordinate search on one half of the instances (by a hash of their ids) and prints them; all figures are of
the other half. `--reasons` keeps the reasons that were found, so that a fit needs no repository. `--sixths` selects a
part of the instances, by another hash.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aci.graph.code_graph import Graph, query_graph
from aci.graph.outline import FUNCTION
from aci.graph.patch_impact import edits_between
from aci.history.commit_search import History
from aci.localization.place_ranking import file_reader
from aci.repository.patch import diff_sections
from aci.repository.proposed_patch import patched_files
from aci.repository.test_files import is_test
from aci.repository.user_repository import Repository
from benchmarks.localization import Instance, load
from extensions.code_search import edit_signals
from extensions.code_search.edit_signals import find_reasons
from extensions.code_search.related_places import FROM_FILE, WEIGHTS, combined_score, past_changes
from trajectories.errors import SweAgentError, UsageError

AT = (1, 3, 5, 10)
BASELINES = {
    "co-change": {edit_signals.TOGETHER: 1.0},
    "before": {
        edit_signals.BREAKS: 1.0,
        edit_signals.OVERRIDE: 0.7,
        edit_signals.SIBLING: 0.25,
        edit_signals.TEST: 0.5,
        edit_signals.TOGETHER: 1.5,
    },
}
GRID = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 0.95)
BY_HAND = edit_signals.BREAKS, edit_signals.OVERRIDE, edit_signals.TEST
"""Kinds whose weights are not chosen: broken callers and overrides must be shown although they are rare among the
places to find, and tests are not among them."""
ROUNDS = 3
Features = dict[str, dict[str, float]]
"""The values of the kinds of reasons for each place: a path, or `path:name` of a function."""


@dataclass(frozen=True, slots=True)
class Query:
    """One file of a fix, the other places of the fix, and the reasons that were found for all places."""

    id: str
    given: str
    files: frozenset[str]
    functions: frozenset[str]
    features: Features

    @property
    def is_for_choosing(self) -> bool:
        return not _hash(self.id) & 1


def _hash(id: str) -> int:
    return int.from_bytes(hashlib.sha256(id.encode()).digest(), "big")


def find_features(instance: Instance, patch: str, cache: Path) -> Features:
    """Return the reasons for the places of an instance, given a patch. Raises UsageError for an unknown commit."""
    repository = Repository.open(instance.git_dir)
    with patched_files(repository, patch, instance.commit) as (before, after):
        edits = edits_between(before, after)

        def question(graph: Graph) -> Features:
            with History.open(instance.git_dir, instance.commit, cache) as history:
                past = past_changes(history, [edit.path for edit in edits], graph.paths)
            found: dict[str, dict[str, float]] = defaultdict(dict)
            for one in find_reasons(graph, edits, past, file_reader(graph, before)):
                symbol = graph.symbol(one.place)
                keys = [one.place.path]
                if symbol and symbol.kind == FUNCTION:
                    keys.append(f"{one.place.path}:{symbol.name}")
                for key in keys:
                    found[key][one.kind] = max(one.value, found[key].get(one.kind, 0.0))
            return dict(found)

        return query_graph(before, cache, question)


def queries(instance: Instance, patch: str, cache: Path, kept: Path | None) -> list[Query]:
    """Return one query for each file of the fix; features are read from the folder `kept` if it has them."""
    found = []
    for section in diff_sections(patch):
        given = next((path for path in instance.files if f"\n+++ b/{path}\n" in section), "")
        if not given:
            continue
        stored = kept / f"{instance.id}-{hashlib.sha256(given.encode()).hexdigest()[:8]}.json" if kept else None
        if stored and stored.exists():
            features = json.loads(stored.read_text("utf-8"))
        else:
            features = find_features(instance, section, cache)
            if stored:
                stored.write_text(json.dumps(features), "utf-8")
        features = {key: values for key, values in features.items() if not is_test(key.partition(":")[0])}
        others = frozenset(one for one in instance.functions if not one.startswith(f"{given}:"))
        found.append(Query(instance.id, given, instance.files - {given}, others, features))
    return found


def rank(query: Query, weights: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """Return the ranked files and functions outside the given file."""
    scores = {}
    for key, values in query.features.items():
        path, _, name = key.partition(":")
        if path == query.given:
            continue
        if name:
            together = query.features.get(path, {}).get(edit_signals.TOGETHER, 0.0)
            values = values | {edit_signals.TOGETHER: FROM_FILE * together}
        scores[key] = combined_score(values, weights)
    best = [key for key in sorted(scores, key=lambda key: (-scores[key], key)) if scores[key] > 0]
    return [key for key in best if ":" not in key], [key for key in best if ":" in key]


def figures(found: Sequence[Query], weights: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return percentages of hits: for files over all queries, for functions over those that have functions to find."""
    rows: dict[str, list[tuple[list[str], frozenset[str]]]] = {"files": [], "functions": []}
    for query in found:
        files, functions = rank(query, weights)
        rows["files"].append((files, query.files))
        if query.functions:
            rows["functions"].append((functions, query.functions))
    result = {}
    for what, pairs in rows.items():
        shares: dict[str, float] = {"n": len(pairs)}
        for k in AT:
            shares[f"all@{k}"] = _percent([gold <= {*ranked[:k]} for ranked, gold in pairs])
            shares[f"any@{k}"] = _percent([not gold.isdisjoint(ranked[:k]) for ranked, gold in pairs])
        result[what] = shares
    return result


def _percent(hits: Sequence[bool]) -> float:
    return round(100 * sum(hits) / len(hits), 1) if hits else 0.0


def objective(found: Sequence[Query], weights: Mapping[str, float]) -> float:
    """Return the mean reciprocal rank of the places to find, of files and of functions, to which few hits add."""
    total, count = 0.0, 0
    for query in found:
        files, functions = rank(query, weights)
        for ranked, gold in ((files, query.files), (functions, query.functions)):
            place = {key: number for number, key in enumerate(ranked, 1)}
            total += sum(1 / place[key] for key in gold if key in place)
            count += len(gold)
    return total / max(count, 1)


def fit(found: Sequence[Query]) -> dict[str, float]:
    """Choose the weights one after the other, several times, each as the best of GRID; without a gain, it is kept."""
    weights = dict(WEIGHTS)
    for _ in range(ROUNDS):
        for kind in weights:
            if kind not in BY_HAND:
                choices = weights[kind], *GRID
                values = {value: round(objective(found, weights | {kind: value}), 4) for value in choices}
                weights[kind] = max(choices, key=lambda value: values[value])  # the first of equal ones
    return weights


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--patches", type=Path, required=True, help="JSONL file with the patch of each instance")
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder for the graphs (default: a temporary one)")
    parser.add_argument("--reasons", type=Path, help="folder that keeps the reasons that were found")
    parser.add_argument("--sixths", type=int, default=6, choices=range(1, 7), help="sixths of the instances to use")
    parser.add_argument("--fit", action="store_true", help="choose the weights on one half of the instances")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    try:
        instances = [one for one in load(options.instances, options.gold, options.repos) if len(one.files) > 1]
        instances = [one for one in instances if (_hash(one.id) >> 224) % 6 < options.sixths]
        instances.sort(key=lambda one: (_hash(one.id) >> 224) % 6)
        rows = [json.loads(line) for line in options.patches.read_text("utf-8").splitlines()]
    except SweAgentError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    patches = {row["instance_id"]: row["patch"] for row in rows}
    found: list[Query] = []
    with tempfile.TemporaryDirectory() as temporary:
        for instance in instances:
            began = time.monotonic()
            try:
                found += queries(instance, patches[instance.id], options.cache or Path(temporary), options.reasons)
            except UsageError as error:
                print(f"not scored: {instance.id}: {error.message}", file=sys.stderr)
            print(f"{instance.id} {time.monotonic() - began:.1f} s", file=sys.stderr)
    report = summarise(found, options.fit)
    print(f"{report['n']} queries; weights were chosen on {report['chosen_on']} others")
    for name, by_kind in report["methods"].items():
        for what, shares in by_kind.items():
            print(f"{name:10} {what:10} " + "  ".join(f"{key} {value:5.1f}" for key, value in shares.items()))
    if options.fit:
        print(json.dumps(report["weights"], indent=2))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return 0


def summarise(found: Sequence[Query], fitted: bool) -> dict[str, Any]:
    """Return the figures of the half on which no weight was chosen, for both baselines and for `locate --patch`."""
    half, rest = ([one for one in found if one.is_for_choosing is choosing] for choosing in (True, False))
    weights = fit(half) if fitted else WEIGHTS
    methods = {**BASELINES, "locate": weights}
    return {
        "n": len(rest),
        "chosen_on": len(half),
        "weights": weights,
        "methods": {name: figures(rest, chosen) for name, chosen in methods.items()},
        "chosen": {name: figures(half, chosen) for name, chosen in methods.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
