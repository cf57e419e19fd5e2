"""Accuracy of localization without a model: how often the places of the real fix are among the first results.

    python -m benchmarks.localization --instances F.issues.jsonl --gold F.locations.jsonl --repos DIR
        [--limit N] [--json OUT] [--cache DIR] [--mask] [--by-repository]

An instance is a hit at k if all of its places are among the first k. No work tree is needed: trees are read from the
git directory of each instance, DIR/owner+name/repo. Functions are scored only for instances that say so; classes only
for those whose gold has the field `classes`: `path.py:Class` of each class that gains a method, or of which a line
outside methods changes. `--mask` removes links, commit ids and #numbers from the text. Plain BM25 (raw words of whole
files and functions) is scored in the same run. Seconds are wall-clock times of one query, the median of all: `cold`
with an empty cache, `new_commit` with another commit of the repository in the cache, `warm` for the repeated query. If
the `--cache` folder is not empty, only `warm` is measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aci.graph.code_graph import Graph, query_graph
from aci.history.commit_search import History
from aci.issue_text.issue_mentions import NUMBER, SHA, URL
from aci.localization.place_ranking import RankedPlaces, file_reader, rank_places
from aci.repository.file_blobs import GitBlobs
from benchmarks._plain_bm25 import plain_bm25
from trajectories.errors import SweAgentError, UsageError
from trajectories.records import Issue

FILES_AT, FUNCTIONS_AT, CLASSES_AT = (1, 3, 5), (5, 10), (1, 3, 5)
COLD, NEW_COMMIT, WARM = "cold", "new_commit", "warm"
MAX_PLACES = 100
"""Number of places requested; later ones count as not found."""


@dataclass(frozen=True, slots=True)
class Instance:
    id: str
    repository: str
    git_dir: Path
    commit: str
    issue: Issue
    files: frozenset[str]
    functions: frozenset[str]
    """Empty if functions are not scored."""
    classes: frozenset[str] = frozenset()


@dataclass(slots=True)
class Outcome:
    """Ranks, from 1, of the last gold file, function and class (0: not found), and of the first gold file.

    `seconds` has the time of each kind of query.
    """

    instance: Instance
    files: int
    functions: int
    classes: int
    first_file: int
    plain_files: int
    plain_functions: int
    seconds: dict[str, float]


@dataclass(slots=True)
class Run:
    outcomes: list[Outcome] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def load(instances: Path, gold: Path, repos: Path, limit: int = 0) -> list[Instance]:
    """Read the instances with their gold places. Raises UsageError for invalid files."""
    gold_rows = {row["instance_id"]: row for row in _rows(gold, ("instance_id", "files", "functions"))}
    rows = _rows(instances, ("instance_id", "repo", "base_commit", "problem_statement"))
    return [_instance(row, gold_rows, repos) for row in rows[: limit or None]]


def _rows(path: Path, fields: Sequence[str]) -> list[dict[str, Any]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Give a JSONL file.") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            missing = [name for name in fields if name not in row]
        except (ValueError, TypeError):
            raise UsageError(f"Line {number} of {path} is not a JSON object.", "Give a JSONL file.") from None
        if missing or not isinstance(row, dict):
            raise UsageError(
                f"Line {number} of {path} has no {', '.join(missing)}.", "Give a file with these fields in each line."
            )
        rows.append(row)
    if not rows:
        raise UsageError(f"{path} is empty.", "Give a file with one instance per line.")
    return rows


def _instance(row: dict[str, Any], gold_rows: dict[str, dict[str, Any]], repos: Path) -> Instance:
    id, repository = row["instance_id"], row.get("mirror") or row["repo"]
    if id not in gold_rows:
        raise UsageError(f"The gold file has no entry for {id}.", "Give the gold file that belongs to the instances.")
    git_dir = repos / repository.replace("/", "+") / "repo"
    if not git_dir.is_dir():
        raise UsageError(f"{git_dir} does not exist; {id} needs it.", f"Copy the git directory of {repository} there.")
    title, _, body = row["problem_statement"].partition("\n")
    gold = gold_rows[id]
    functions = frozenset(gold["functions"]) if gold.get("function_scored", bool(gold["functions"])) else frozenset()
    issue = Issue(title, body, trust="stranger")
    files, classes = frozenset(gold["files"]), frozenset(gold.get("classes", ()))
    return Instance(id, row["repo"], git_dir, row["base_commit"], issue, files, functions, classes)


def run(instances: Iterable[Instance], cache: Path, log: Callable[[str], None]) -> Run:
    """Localize each instance twice: first without its graph, then with it."""
    done = Run()
    before: set[Path | str] | None = None if any(cache.glob("*")) else set()
    for instance in instances:
        first = _kind(instance, before)
        try:
            outcome = _localize(instance, cache, first)
        except UsageError as error:
            done.missing[instance.id] = error.message
            log(f"{instance.id}: {error.message}")
            continue
        if before is not None:
            before |= {instance.git_dir, instance.commit}
        done.outcomes.append(outcome)
        took = ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in outcome.seconds.items())
        log(f"{instance.id}: file {outcome.files or '-'}, function {outcome.functions or '-'}, {took}")
    return done


def _kind(instance: Instance, before: set[Path | str] | None) -> str:
    """The kind of an instance's first query, given the cached repositories and commits (None: unknown)."""
    if before is None or instance.commit in before:
        return WARM
    return NEW_COMMIT if instance.git_dir in before else COLD


def _localize(instance: Instance, cache: Path, first: str) -> Outcome:
    seconds = {}
    for kind in (first, WARM):
        began = time.perf_counter()
        found = locate_places(instance, cache)
        seconds[kind] = time.perf_counter() - began
    files = [hit.path for hit in found.files]
    functions, classes = ([f"{hit.path}:{hit.name}" for hit in hits] for hits in (found.functions, found.classes))
    blobs = GitBlobs.at(instance.git_dir, instance.commit)
    plain = query_graph(
        blobs, cache, lambda graph: plain_bm25(graph, file_reader(graph, blobs), instance.issue, MAX_PLACES)
    )
    return Outcome(
        instance,
        worst_rank(files, instance.files),
        worst_rank(functions, instance.functions),
        worst_rank(classes, instance.classes),
        min((files.index(path) + 1 for path in instance.files if path in files), default=0),
        worst_rank(plain[0], instance.files),
        worst_rank(plain[1], instance.functions),
        seconds,
    )


def locate_places(instance: Instance, cache: Path) -> RankedPlaces:
    """The result of this program's localization."""
    blobs = GitBlobs.at(instance.git_dir, instance.commit)

    def question(graph: Graph) -> RankedPlaces:
        with History.open(instance.git_dir, instance.commit, cache) as history:
            return rank_places(graph, instance.issue, file_reader(graph, blobs), history, MAX_PLACES)

    return query_graph(blobs, cache, question)


def masked(instance: Instance) -> Instance:
    """The instance without the links, commit ids and #numbers that localization recognises in the issue."""

    def without(text: str) -> str:
        for pattern in (URL, SHA, NUMBER):
            text = pattern.sub(" ", text)
        return text

    issue = replace(instance.issue, title=without(instance.issue.title), body=without(instance.issue.body))
    return replace(instance, issue=issue)


def worst_rank(ranked: Sequence[str], gold: Iterable[str]) -> int:
    """The rank, from 1, of the last gold place; 0 if a gold place is missing."""
    ranks = {place: rank for rank, place in reversed(list(enumerate(ranked, 1)))}
    found = [ranks.get(place, 0) for place in gold]
    return max(found) if found and all(found) else 0


def share_within(ranks: Sequence[int], k: int) -> float:
    """Percentage of ranks from 1 to k."""
    return round(100 * sum(0 < rank <= k for rank in ranks) / len(ranks), 1) if ranks else 0.0


def report(done: Run) -> dict[str, Any]:
    outcomes = done.outcomes
    single = [one for one in outcomes if len(one.instance.files) == 1]
    classes = [one.classes for one in outcomes if one.instance.classes]
    return {
        "n": len(outcomes),
        **_scores(outcomes),
        "classes": {"n": len(classes), **{f"acc@{k}": share_within(classes, k) for k in CLASSES_AT}},
        "mrr": _mean([1 / one.first_file if one.first_file else 0.0 for one in outcomes]),
        "bm25": _scores(outcomes, plain=True),
        "single": {"n": len(single), **_scores(single)},
        "seconds": {
            kind: _median([one.seconds[kind] for one in outcomes if kind in one.seconds])
            for kind in (COLD, NEW_COMMIT, WARM)
        },
        "missing": done.missing,
    }


def _scores(outcomes: Sequence[Outcome], plain: bool = False) -> dict[str, dict[str, float]]:
    files = [one.plain_files if plain else one.files for one in outcomes]
    scored = [one for one in outcomes if one.instance.functions]
    functions = [one.plain_functions if plain else one.functions for one in scored]
    return {
        "files": {f"acc@{k}": share_within(files, k) for k in FILES_AT},
        "functions": {f"acc@{k}": share_within(functions, k) for k in FUNCTIONS_AT},
    }


def by_repository(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[one.instance.repository].append(one)
    return {name: {"n": len(group), **_scores(group)} for name, group in sorted(groups.items())}


def _mean(values: Sequence[float]) -> float:
    return round(statistics.fmean(values), 3) if values else 0.0


def _median(values: Sequence[float]) -> float | None:
    """The median, or None if nothing was measured."""
    return round(statistics.median(values), 2) if values else None


def table(name: str, scores: dict[str, Any]) -> str:
    files = "  ".join(f"{scores['files'][f'acc@{k}']:5.1f}" for k in FILES_AT)
    functions = "  ".join(f"{scores['functions'][f'acc@{k}']:5.1f}" for k in FUNCTIONS_AT)
    return f"{name:28} {files}   {functions}"


def _check_writable(path: Path) -> None:
    """Check before the run that the file can be written. Raises UsageError."""
    try:
        path.touch()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", "Give another file for --json.") from None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.localization", description=__doc__.split("\n")[0])
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cache", type=Path, help="folder for the graphs (default: a temporary one)")
    parser.add_argument("--mask", action="store_true", help="remove links, commit ids and #numbers from the issues")
    parser.add_argument("--by-repository", action="store_true")
    options = parser.parse_args(arguments)
    try:
        instances = load(options.instances, options.gold, options.repos, options.limit)
        if options.mask:
            instances = list(map(masked, instances))
        if options.json:
            _check_writable(options.json)
        with tempfile.TemporaryDirectory() as temporary:
            done = run(instances, options.cache or Path(temporary), lambda text: print(text, file=sys.stderr))
    except SweAgentError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    summary = report(done)
    print(f"{summary['n']:<28} files @1    @3     @5   functions @5  @10")
    print(table("swe-agent", summary))
    print(table("  one gold file", summary["single"]))
    print(table("plain BM25", summary["bm25"]))
    if (classes := summary["classes"])["n"]:
        print(f"classes of {classes['n']} @1/@3/@5: {'/'.join(str(classes[f'acc@{k}']) for k in CLASSES_AT)}")
    if options.by_repository:
        for name, scores in by_repository(done.outcomes).items():
            print(table(f"  {name} ({scores['n']})", scores))
    took = ", ".join(f"{kind} {'-' if middle is None else middle}" for kind, middle in summary["seconds"].items())
    print(f"MRR {summary['mrr']}, seconds per query: {took}")
    for id, message in done.missing.items():
        print(f"not scored: {id}: {message}")
    if options.json:
        options.json.write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
