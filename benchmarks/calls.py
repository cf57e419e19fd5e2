"""Accuracy of the code graph's calls, compared with the calls traced while a package's own tests run.

    python -m benchmarks.calls --git-dir DIR --package FOLDER --python PYTHON [--commit REV] [--json] [--missed N]
        -- MODULE [ARGUMENTS]

The commit is unpacked into a temporary folder, where `python -m MODULE ARGUMENTS` (usually pytest) runs under a tracer,
with the package's parent folder first on the path. PYTHON needs the package's dependencies and its metadata.

A pair is a caller and a callee, both functions, classes or modules in non-test files of the package; repeated calls
count once. Recall is the share of traced pairs that are edges. Precision is the share of edges that were traced, of
the edges from functions that ran to functions of the package; it is underestimated where the tests do not reach all
code of a function that ran. Pairs are grouped by how the caller reached the callee: `call` (an explicit call; the other
groups have none in the code's text), `attribute` (properties), `protocol` (operators, iteration, `with`, `str(x)`) and
`through C` (`sorted(key=f)`).

Not counted, because no symbol or no line of code represents them: calls of lambdas, comprehensions and class bodies;
code made at run time; calls that pass through another package; other processes; generators that start elsewhere than
where they are made. A decorator's wrapper is skipped: its caller counts as calling the wrapped function.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from aci.graph.code_graph import Graph, dotted_name, query_graph
from aci.graph.edge_columns import KINDS
from aci.graph.outline import FUNCTION, Location, Outline
from aci.graph.scope_bindings import FileNames
from aci.repository.file_blobs import GitBlobs
from benchmarks._archives import unpack_commit

CALL_KINDS = ("call", "attribute", "protocol", "through C")
TESTS = frozenset(("test", "tests", "testing", "conftest.py"))
Pair = tuple[Location, Location]


class TracedCall(NamedTuple):
    """One row of the tracer's output, with paths relative to the repository."""

    how: str
    caller: str
    line: int
    callee: str
    first: int
    name: str
    wrapper: tuple[str, int] | None


@dataclass(frozen=True)
class Trace:
    calls: list[TracedCall]
    ran: list[tuple[str, int, str]]
    """Path, first line and name of each code object that ran."""


@dataclass(frozen=True)
class Observed:
    pairs: dict[Pair, str]
    """The kind of call of each pair; of several kinds, the first in CALL_KINDS."""
    ran: set[Location]
    left_out: Counter[str]


class Figures(NamedTuple):
    """Percentages; None if there was nothing to count."""

    recall: dict[str, float | None]
    """By kind of call, and for `all`."""
    precision: float | None
    edges: int


def trace(git_dir: Path, commit: str, package: str, python: str, command: Sequence[str]) -> Trace:
    """Run the tests under the tracer. Raises RuntimeError if no call was traced."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-calls-") as place:
        unpack_commit(git_dir, commit, Path(place))
        folder, out = Path(place, package), Path(place, ".calls.json")
        above = str(folder.parent) if (folder / "__init__.py").exists() else str(folder)
        own = {**os.environ, "PYTHONPATH": above, "PYTHONDONTWRITEBYTECODE": "1"}
        tracer = str(Path(__file__).with_name("calls_tracer.py"))
        ended = subprocess.run(
            [python, tracer, str(out), str(folder), *command], cwd=place, env=own, capture_output=True, text=True
        )
        output = (ended.stdout + ended.stderr)[-2000:]
        if not out.exists():
            raise RuntimeError(f"The tracer wrote nothing: {output}")
        found = json.loads(out.read_text("utf-8"))
    if not found["rows"]:
        raise RuntimeError(f"No call inside {package} was traced: {output}")
    print(output.strip().splitlines()[-1], file=sys.stderr)
    return _parse_trace(found, package)


def _parse_trace(found: Mapping[str, Any], package: str) -> Trace:
    def at(path: str) -> str:
        return f"{package}/{path}"

    calls = [
        TracedCall(how, at(caller), line, at(callee), first, name, (at(wrapper[0]), wrapper[1]) if wrapper else None)
        for how, caller, line, callee, first, name, wrapper in found["rows"]
    ]
    return Trace(calls, [(at(path), first, name) for path, first, name in found["ran"]])


class Definitions:
    """Finds the symbol of a code object or a line."""

    def __init__(self, outlines: Mapping[str, Outline]) -> None:
        self.outlines = outlines
        self._starts = {
            path: {(symbol.line, symbol.bare): index for index, symbol in enumerate(outline.symbols)}
            for path, outline in outlines.items()
        }
        self._names = {path: FileNames(outline) for path, outline in outlines.items()}

    def of_code(self, path: str, first: int, name: str) -> Location | None:
        index = self._starts.get(path, {}).get((first, name))
        return None if index is None else Location(path, index)

    def at_line(self, path: str, line: int) -> Location | None:
        """The innermost symbol around a line. A function's decorators belong to it, as in an outline."""
        if path not in self.outlines:
            return None
        around = [n for n, symbol in enumerate(self.outlines[path].symbols) if symbol.line <= line <= symbol.end]
        return Location(path, max(around, default=-1))

    def is_function(self, place: Location) -> bool:
        return place.symbol >= 0 and self.outlines[place.path].symbols[place.symbol].kind == FUNCTION

    def decorators(self, place: Location) -> set[str]:
        """Bare names."""
        named = self._names[place.path].decorators.get(place.symbol, set())
        return {name.rpartition(".")[2] for name in named}

    @cached_property
    def _decorating(self) -> set[str]:
        everywhere = (name for names in self._names.values() for some in names.decorators.values() for name in some)
        return {name.rpartition(".")[2] for name in everywhere}

    def wrapping(self, place: Location) -> set[str]:
        """The functions around a nested one that are used as decorators somewhere."""
        symbols = self.outlines[place.path].symbols
        around, index = set(), symbols[place.symbol].parent if place.symbol >= 0 else -1
        while index >= 0 and symbols[index].kind == FUNCTION:
            around.add(symbols[index].bare)
            index = symbols[index].parent
        return around & self._decorating


def match_pairs(trace: Trace, definitions: Definitions) -> Observed:
    found: dict[Pair, str] = {}
    left_out: Counter[str] = Counter()
    for one in trace.calls:
        caller = definitions.at_line(one.caller, one.line)
        callee = definitions.of_code(one.callee, one.first, one.name)
        reason = _exclusion_reason(one, caller, callee, definitions)
        if reason:
            left_out[reason] += 1
            continue
        assert caller
        assert callee
        known = found.get((caller, callee), one.how)
        found[caller, callee] = min(known, one.how, key=CALL_KINDS.index)
    ran = {place for code in trace.ran if (place := definitions.of_code(*code))}
    return Observed(found, ran, left_out)


def _exclusion_reason(
    one: TracedCall, caller: Location | None, callee: Location | None, definitions: Definitions
) -> str:
    """The reason why a traced call is not counted, or an empty string."""
    if one.how == "generator":
        return "generators begun elsewhere"
    if caller is None or callee is None or not definitions.is_function(callee):
        return "lambdas, comprehensions, bodies of classes"
    decorators = definitions.decorators(callee)
    if one.wrapper:
        wrapper = definitions.at_line(*one.wrapper)
        return "" if wrapper and definitions.wrapping(wrapper) & decorators else "not through a wrapper"
    if definitions.wrapping(callee) or definitions.wrapping(caller) & decorators:
        return "wrappers of decorators"
    return ""


def edges(graph: Graph, files: Iterable[str], loose: bool, kinds: Sequence[str]) -> set[Pair]:
    """The graph's edges of the given kinds from the given files."""
    wanted = {KINDS.index(kind) for kind in kinds}
    found = graph.edges([graph.number[path] for path in files], loose)
    rows = zip(found.source.tolist(), found.target.tolist(), found.kind.tolist(), strict=True)
    return {(graph.place(source), graph.place(target)) for source, target, kind in rows if kind in wanted}


def figures(traced: Observed, found: set[Pair], definitions: Definitions) -> Figures:
    by_how = defaultdict(list)
    for pair, how in traced.pairs.items():
        by_how[how].append(pair in found)
        by_how["all"].append(pair in found)
    reachable = {
        (source, target)
        for source, target in found
        if source in traced.ran and target.path in definitions.outlines and definitions.is_function(target)
    }
    recall = {how: _percent(by_how[how]) for how in (*CALL_KINDS, "all")}
    return Figures(recall, _percent([pair in traced.pairs for pair in reachable]), len(reachable))


def _percent(hits: Sequence[bool]) -> float | None:
    return round(100 * sum(hits) / len(hits), 1) if hits else None


def counted_files(graph: Graph, package: str) -> list[str]:
    return [path for path in graph.paths if path.startswith(f"{package}/") and not _is_test(path[len(package) :])]


def _is_test(path: str) -> bool:
    *folders, file = path.split("/")
    return not TESTS.isdisjoint([*folders, file]) or file.startswith("test_") or file.endswith("_test.py")


EDGE_SETS = {
    "call edges": (False, ("call",)),
    "and uses": (False, ("call", "use")),
    "and unknown receivers": (True, ("call", "use")),
}
WITH_OVERRIDING = "and overriding methods"


def with_overriding(graph: Graph, found: set[Pair], definitions: Definitions) -> set[Pair]:
    """Add the methods that override a callee, except if a method calls the one it overrides: that is `super()`."""
    below: dict[Location, list[Location]] = defaultdict(list)
    above: dict[Location, list[Location]] = defaultdict(list)
    for method, overridden in edges(graph, definitions.outlines, False, ("base",)):
        if definitions.is_function(method):
            below[overridden].append(method)
            above[method].append(overridden)
    overriding = {callee: _reachable(callee, below) for callee in {callee for _, callee in found} & below.keys()}
    overridden_by = {caller: _reachable(caller, above) for caller in {caller for caller, _ in found} & above.keys()}
    virtual = (pair for pair in found if pair[1] in overriding and pair[1] not in overridden_by.get(pair[0], ()))
    return found | {(caller, method) for caller, callee in virtual for method in overriding[callee]}


def _reachable(start: Location, next_to: Mapping[Location, Sequence[Location]]) -> list[Location]:
    """All locations that can be reached from a location."""
    todo = list(next_to.get(start, ()))
    reached = set(todo)
    for place in todo:
        todo += (fresh := [one for one in next_to.get(place, ()) if one not in reached])
        reached.update(fresh)
    return todo


def compare(graph: Graph, trace: Trace, package: str, missed: int) -> dict[str, Any]:
    files = counted_files(graph, package)
    definitions = Definitions({path: graph.outline(path) for path in files})
    traced = match_pairs(trace, definitions)
    found = {name: edges(graph, files, *edge_set) for name, edge_set in EDGE_SETS.items()}
    found[WITH_OVERRIDING] = with_overriding(graph, found["and unknown receivers"], definitions)
    edge_figures = {name: figures(traced, pairs, definitions)._asdict() for name, pairs in found.items()}
    not_found = [pair for pair in traced.pairs if pair not in found[WITH_OVERRIDING]]
    return {
        "files": len(files),
        "pairs": dict(Counter(traced.pairs.values())) | {"all": len(traced.pairs)},
        "left_out": dict(traced.left_out),
        "edges": edge_figures,
        "missed": [_format_pair(graph, pair, traced.pairs[pair]) for pair in not_found[:missed]],
    }


def _format_pair(graph: Graph, pair: Pair, how: str) -> str:
    caller, callee = (f"{place.path}:{dotted_name(graph, place)}" for place in pair)
    return f"{how}: {caller} -> {callee}"


def show(result: Mapping[str, Any]) -> Iterator[str]:
    columns = (*CALL_KINDS, "all")
    yield f"{result['files']} files; recall in % of traced pairs by kind of call, precision in % of edges"
    yield "  ".join([" " * 22, *(name.rjust(9) for name in columns), "precision", "    edges"])
    yield "  ".join([f"{'pairs traced':22}", *(str(result["pairs"].get(name, 0)).rjust(9) for name in columns)])
    for name, figures in result["edges"].items():
        cells = [*(figures["recall"][column] for column in columns), figures["precision"], figures["edges"]]
        yield "  ".join([f"{name:22}", *(str("-" if cell is None else cell).rjust(9) for cell in cells)])
    yield "rows not counted: " + "; ".join(f"{reason} {count}" for reason, count in result["left_out"].items())
    yield from result["missed"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--git-dir", type=Path, required=True, help="git directory of the package's repository")
    parser.add_argument("--commit", default="HEAD", help="default: HEAD")
    parser.add_argument("--package", required=True, help="its folder in the repository, for example src/flask")
    parser.add_argument("--python", required=True, help="a Python in which its dependencies are installed")
    parser.add_argument(
        "--missed", type=int, default=0, metavar="N", help="print up to N traced pairs that are not edges"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("command", nargs="+", metavar="MODULE [ARGUMENTS]", help="module that runs the tests, after --")
    options = parser.parse_args(arguments)
    package = options.package.strip("/")
    try:
        traced = trace(options.git_dir, options.commit, package, options.python, options.command)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    blobs = GitBlobs.at(options.git_dir, options.commit)
    result = query_graph(blobs, None, lambda graph: compare(graph, traced, package, options.missed))
    print(json.dumps(result) if options.json else "\n".join(show(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
