"""Effect of a second ranking on `locate`: issue links through earlier commits, or a tree search over the code graph.

    python -m benchmarks.routes --instances F.issues.jsonl --gold F.locations.jsonl --repos DIR
        [--second routes,commits,search] [--cache DIR] [--sixths N] [--json OUT]

`--second` names one or several rankings; each is compared with the same run of `locate`. `routes` are those of
`aci/localization/issue_links.py`; earlier issues and pull requests are known only from messages of commits. `commits`
are routes without nodes for these. `search` is `extensions/papers/graph_search.py`, from the places of `locate` that a
prompt shows, with a value that needs no model. Files are hits at 5 and functions at 10, as in
`benchmarks.localization`: all places of an instance must be found. Both rankings use only commits before the base.
`fused` combines them by rank, with a weight (the share) for the places of the second one. The share is chosen on one
half of the instances, by a hash of their ids; all figures are of the other half. `either` covers the first places of
both rankings, `further` twice as many places of `locate` alone. `--sixths` selects a part of the instances, by another
hash. The cost is the median per instance: seconds of both rankings, each with the graph in the cache, and the number
of places that the second one visited.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from aci.graph.code_graph import Graph, query_graph
from aci.graph.outline import FUNCTION, Location
from aci.history.commit_search import History
from aci.issue_text.issue_mentions import find_mentions
from aci.localization.issue_links import IssueGraph, rank_routes
from aci.localization.place_ranking import SHOWN_CLASSES, RankedPlaces
from aci.repository.file_blobs import GitBlobs
from benchmarks.localization import Instance, load, locate_places, share_within, worst_rank
from extensions.papers.graph_search import IssueRelevance, Neighbour, PlaceTree, Rate, find_place, neighbours
from extensions.papers.rank_fusion import fuse_ranks
from trajectories.errors import SweAgentError, UsageError
from trajectories.records import PastItem

FILES_AT, FUNCTIONS_AT = 5, 10
SHARES = 0.1, 0.2, 0.5, 1.0
"""Weights of a place of the second ranking, relative to a place of `locate`."""
SEED_FILES, SEED_FUNCTIONS = 5, 10
EXPANSIONS = 20
"""Number of expansions of the search, each of which adds a few places."""


class Ranked(NamedTuple):
    """Places, best first; `visited` is the number of places that were looked at to find them."""

    files: Sequence[str]
    functions: Sequence[str]
    visited: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """Both rankings of an instance, and the seconds that each took."""

    instance: Instance
    located: Ranked
    second: Ranked
    seconds: tuple[float, float] = 0.0, 0.0

    @property
    def is_for_choosing(self) -> bool:
        return not _hash(self.instance.id) & 1


Method = Callable[[Found], Ranked]
Second = Callable[[Instance, Path, RankedPlaces], Ranked]


def rank_instance(instance: Instance, cache: Path, seconds: Mapping[str, Second]) -> dict[str, Found]:
    """Rank by `locate` once, and by each second ranking. Raises UsageError if the commit does not exist."""
    query_graph(GitBlobs.at(instance.git_dir, instance.commit), cache, lambda graph: graph.paths)
    began = time.monotonic()
    places = locate_places(instance, cache)
    took = time.monotonic() - began
    located = Ranked([hit.path for hit in places.files], [f"{hit.path}:{hit.name}" for hit in places.functions])
    found = {}
    for name, second in seconds.items():
        began = time.monotonic()
        ranked = second(instance, cache, places)
        found[name] = Found(instance, located, ranked, (took, time.monotonic() - began))
    return found


def _routes(instance: Instance, cache: Path, _: RankedPlaces, items: Sequence[PastItem] | None = None) -> Ranked:
    def question(graph: Graph) -> Ranked:
        with History.open(instance.git_dir, instance.commit, cache) as history:
            found = rank_routes(IssueGraph(graph, find_mentions(instance.issue), history, items))
        files, functions = [one.path for one in found.files], [f"{one.path}:{one.name}" for one in found.functions]
        return Ranked(files, functions, len(files) + len(functions))

    return query_graph(GitBlobs.at(instance.git_dir, instance.commit), cache, question)


def _search(instance: Instance, cache: Path, places: RankedPlaces) -> Ranked:
    def question(graph: Graph) -> Ranked:
        tree = search_graph(graph, find_seeds(graph, places), IssueRelevance(graph, instance.issue), EXPANSIONS)
        return _ranked(graph, tree)

    return query_graph(GitBlobs.at(instance.git_dir, instance.commit), cache, question)


def search_graph(graph: Graph, seeds: Iterable[Location], rate: Rate, expansions: int) -> PlaceTree:
    """Search from the seeds with so many expansions; `rate` gives the values."""
    tree = PlaceTree()
    added = tree.add(Neighbour(place, "") for place in seeds)
    for number in range(expansions + 1):
        for node, rating in zip(added, rate([node.place for node in added]), strict=True):
            tree.rate(node, rating)
        chosen = tree.promising(1)
        if number == expansions or not chosen:
            break
        if chosen[0].waiting is None:
            chosen[0].waiting = neighbours(graph, chosen[0].place, rate)
        added = tree.expand(chosen[0])
    return tree


def find_seeds(graph: Graph, places: RankedPlaces) -> list[Location]:
    """Return the first files, functions and classes of a ranking, where a search begins."""
    hits = (*places.files[:SEED_FILES], *places.functions[:SEED_FUNCTIONS], *places.classes[:SHOWN_CLASSES])
    return [place for hit in hits if (place := find_place(graph, hit.path, hit.name))]


def _ranked(graph: Graph, tree: PlaceTree) -> Ranked:
    """Return the visited files and functions; a file counts as its best place."""
    best = tree.ranked()
    symbols = [(node.place.path, graph.symbol(node.place)) for node in best]
    functions = [f"{path}:{symbol.name}" for path, symbol in symbols if symbol and symbol.kind == FUNCTION]
    return Ranked(_unique(path for path, _ in symbols), _unique(functions), len(best))


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


SECONDS: dict[str, Second] = {"routes": _routes, "commits": partial(_routes, items=()), "search": _search}


def fused(share: float) -> Method:
    """Combine both rankings by their ranks."""
    return lambda one: Ranked(
        fuse_ranks([(1.0, one.located.files), (share, one.second.files)]),
        fuse_ranks([(1.0, one.located.functions), (share, one.second.functions)]),
    )


def either(one: Found) -> Ranked:
    """The gold places among the first of both rankings."""
    return _gold_within(one, 1, one.located, one.second)


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


def report(found: Sequence[Found], name: str = "routes") -> dict[str, Any]:
    """The figures of the half on which the share was not chosen."""
    half, rest = ([one for one in found if one.is_for_choosing is choosing] for choosing in (True, False))
    best = max(SHARES, key=lambda share: (sum(hits(half, fused(share)).values()), -share))
    methods: dict[str, Method] = {
        "locate": lambda one: one.located,
        name: lambda one: one.second,
        "fused": fused(best),
        "either": either,
        "further": further,
    }
    return {
        "n": len(rest),
        "functions_scored": sum(bool(one.instance.functions) for one in rest),
        "chosen_on": len(half),
        "share": best,
        "cost": {
            "locate seconds": _median(one.seconds[0] for one in found),
            f"{name} seconds": _median(one.seconds[1] for one in found),
            f"{name} visited": _median(one.second.visited for one in found),
        },
        "chosen": {name: hits(half, method) for name, method in methods.items()},
        **{name: hits(rest, method) for name, method in methods.items()},
    }


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 2)


def _hash(id: str) -> int:
    return int.from_bytes(hashlib.sha256(id.encode()).digest(), "big")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--second", type=_seconds, default="routes", help="the rankings beside that of locate")
    parser.add_argument("--cache", type=Path, help="folder for the graphs (default: a temporary one)")
    parser.add_argument("--sixths", type=int, default=6, choices=range(1, 7), help="sixths of the instances to use")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    try:
        instances = load(options.instances, options.gold, options.repos)
    except SweAgentError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    found: dict[str, list[Found]] = {name: [] for name in options.second}
    with tempfile.TemporaryDirectory() as temporary:
        for instance in instances:
            if (_hash(instance.id) >> 224) % 6 < options.sixths:
                try:
                    ranked = rank_instance(instance, options.cache or Path(temporary), options.second)
                except UsageError as error:
                    print(f"not scored: {instance.id}: {error.message}", file=sys.stderr)
                    continue
                for name, one in ranked.items():
                    found[name].append(one)
    results = {name: report(instances, name) for name, instances in found.items()}
    for result in results.values():
        _print(result)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    return 0


def _seconds(text: str) -> dict[str, Second]:
    """Parse `--second`. Raises ArgumentTypeError for an unknown name."""
    names = text.split(",")
    if unknown := set(names) - set(SECONDS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(SECONDS)}")
    return {name: SECONDS[name] for name in names}


def _print(result: Mapping[str, Any]) -> None:
    print(f"{result['n']} instances, {result['functions_scored']} with functions")
    print(f"a share of {result['share']} was best on {result['chosen_on']} others")
    for name in result["chosen"]:
        print(f"{name:8} " + "  ".join(f"{what} {percent:5.1f}" for what, percent in result[name].items()))
    print("  ".join(f"{what} {value}" for what, value in result["cost"].items()))


if __name__ == "__main__":
    sys.exit(main())
