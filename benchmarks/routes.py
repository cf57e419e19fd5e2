"""Effect of issue links through earlier commits (`aci/localization/issue_links.py`) on `locate`.

    python -m benchmarks.routes --instances F.issues.jsonl --gold F.locations.jsonl --repos DIR
        [--cache DIR] [--sixths N] [--json OUT]

Files are hits at 5 and functions at 10, as in `benchmarks.localization`: all places of an instance must be found. All
rankings use only commits before the base; earlier issues and pull requests are known only from messages of commits.
`commits` are routes without nodes for these. `fused` combines `locate` and the routes by rank, with a weight (the
share) for the places of the routes. The share is chosen on one half of the instances, by a hash of their ids; all
figures are of the other half. `either` covers the first places of both rankings, `further` twice as many places of
`locate` alone. Seconds are medians, with the graph in the cache. `--sixths` selects a part of the instances, by another
hash.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from aci.graph.code_graph import Graph, query_graph
from aci.history.commit_search import History
from aci.issue_text.issue_mentions import find_mentions
from aci.localization.issue_links import IssueGraph, Routes, rank_routes
from aci.repository.file_blobs import GitBlobs
from benchmarks.localization import Instance, load, locate_places, share_within, worst_rank
from trajectories.errors import SweAgentError, UsageError
from trajectories.records import PastItem

Value = TypeVar("Value")
TIMED = "locate", "commits", "routes"

FILES_AT, FUNCTIONS_AT = 5, 10
SHARES = 0.1, 0.2, 0.5, 1.0
"""Weights of a place of the routes, relative to a place of `locate`."""
RANK = 20
"""The constant of reciprocal rank fusion, which is added to each rank."""


class Ranked(NamedTuple):
    files: Sequence[str]
    functions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Found:
    """Both rankings of an instance."""

    instance: Instance
    located: Ranked
    routes: Ranked
    commits: Ranked
    seconds: Mapping[str, float]

    @property
    def is_for_choosing(self) -> bool:
        return not _hash(self.instance.id) & 1


Method = Callable[[Found], Ranked]


def rank_instance(instance: Instance, cache: Path) -> Found:
    """Compute all rankings. Raises UsageError if the commit does not exist."""
    query_graph(GitBlobs.at(instance.git_dir, instance.commit), cache, lambda graph: len(graph.paths))
    places, located = _timed(lambda: locate_places(instance, cache))
    commits, of_commits = _timed(lambda: _routes(instance, cache, ()))
    routes, of_routes = _timed(lambda: _routes(instance, cache, None))
    return Found(
        instance,
        Ranked([hit.path for hit in places.files], [f"{hit.path}:{hit.name}" for hit in places.functions]),
        _ranked(routes),
        _ranked(commits),
        {"locate": located, "commits": of_commits, "routes": of_routes},
    )


def _timed(work: Callable[[], Value]) -> tuple[Value, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def _ranked(routes: Routes) -> Ranked:
    return Ranked([one.path for one in routes.files], [f"{one.path}:{one.name}" for one in routes.functions])


def _routes(instance: Instance, cache: Path, items: Sequence[PastItem] | None) -> Routes:
    def question(graph: Graph) -> Routes:
        with History.open(instance.git_dir, instance.commit, cache) as history:
            return rank_routes(IssueGraph(graph, find_mentions(instance.issue), history, items))

    return query_graph(GitBlobs.at(instance.git_dir, instance.commit), cache, question)


def fused(share: float) -> Method:
    """Combine both rankings by reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009)."""
    return lambda one: Ranked(*(_by_ranks(a, b, share) for a, b in zip(one.located, one.routes, strict=True)))


def _by_ranks(first: Sequence[str], second: Sequence[str], share: float) -> list[str]:
    scores: dict[str, float] = defaultdict(float)
    for weight, ranked in ((1.0, first), (share, second)):
        for rank, place in enumerate(dict.fromkeys(ranked), 1):
            scores[place] += weight / (RANK + rank)
    return sorted(scores, key=lambda place: -scores[place])


def either(one: Found) -> Ranked:
    """The gold places among the first of both rankings."""
    return _gold_within(one, 1, one.located, one.routes)


def further(one: Found) -> Ranked:
    """The gold places among twice as many of `locate` alone."""
    return _gold_within(one, 2, one.located)


def _gold_within(one: Found, times: int, *rankings: Ranked) -> Ranked:
    """The gold places among the first of the given rankings."""
    files = {path for ranked in rankings for path in ranked.files[: FILES_AT * times]}
    functions = {name for ranked in rankings for name in ranked.functions[: FUNCTIONS_AT * times]}
    return Ranked(sorted(one.instance.files & files), sorted(one.instance.functions & functions))


def hits(found: Sequence[Found], method: Method) -> dict[str, float]:
    """Percentage of hits: files over all instances, functions over those whose functions are scored."""
    scored = [one for one in found if one.instance.functions]
    return {
        "files@5": share_within([worst_rank(method(one).files, one.instance.files) for one in found], FILES_AT),
        "functions@10": share_within(
            [worst_rank(method(one).functions, one.instance.functions) for one in scored], FUNCTIONS_AT
        ),
    }


def report(found: Sequence[Found]) -> dict[str, Any]:
    """The figures of the half on which the share was not chosen."""
    half, rest = ([one for one in found if one.is_for_choosing is choosing] for choosing in (True, False))
    best = max(SHARES, key=lambda share: (sum(hits(half, fused(share)).values()), -share))
    methods: dict[str, Method] = {
        "locate": lambda one: one.located,
        "commits": lambda one: one.commits,
        "routes": lambda one: one.routes,
        "fused": fused(best),
        "either": either,
        "further": further,
    }
    return {
        "n": len(rest),
        "functions_scored": sum(bool(one.instance.functions) for one in rest),
        "chosen_on": len(half),
        "share": best,
        "seconds": {name: round(statistics.median(one.seconds[name] for one in rest), 2) for name in TIMED},
        "chosen": {name: hits(half, method) for name, method in methods.items()},
        **{name: hits(rest, method) for name, method in methods.items()},
    }


def _hash(id: str) -> int:
    return int.from_bytes(hashlib.sha256(id.encode()).digest(), "big")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder for the graphs (default: a temporary one)")
    parser.add_argument("--sixths", type=int, default=6, choices=range(1, 7), help="sixths of the instances to use")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    try:
        instances = load(options.instances, options.gold, options.repos)
    except SweAgentError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        for instance in instances:
            if (_hash(instance.id) >> 224) % 6 < options.sixths:
                try:
                    found.append(rank_instance(instance, options.cache or Path(temporary)))
                except UsageError as error:
                    print(f"not scored: {instance.id}: {error.message}", file=sys.stderr)
    result = report(found)
    print(f"{result['n']} instances, {result['functions_scored']} with functions")
    print(f"a share of {result['share']} was best on {result['chosen_on']} others")
    for name in result["chosen"]:
        figures = [f"{what} {percent:5.1f}" for what, percent in result[name].items()]
        figures += [f"{result['seconds'][name]} s"] if name in TIMED else []
        print(f"{name:8} " + "  ".join(figures))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
