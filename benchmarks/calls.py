"""How well calls are resolved: the graph's edges beside the calls that a tracer sees while a package's own tests run.

    python -m benchmarks.calls --git-dir DIR --package FOLDER --python PYTHON [--commit REV] [--json] [--missed N]
        -- MODULE [ARGUMENTS]

The commit is unpacked into a temporary folder and `python -m MODULE ARGUMENTS` (pytest, most often) runs there under a
tracer, with the folder above the package first on the path; PYTHON has the package's dependencies and its metadata.

A pair is a caller and a callee, both functions, classes or modules in non-test files of the package, however often it
was seen. Recall is the share of seen pairs that are edges; precision, of the edges from functions that ran to functions
of the package, the share that was seen. Code that the tests never reach inside a function that ran makes it look lower.
Pairs are told apart by how the caller got there: `call` (the others are none in the code's text), `attribute`
(properties), `protocol` (operators, iteration, `with`, `str(x)`) and `through C` (`sorted(key=f)`).

Not counted, because no symbol or no line of the code stands for them: calls of lambdas, comprehensions and bodies of
classes; code made at run time; calls that pass through another package; other processes; generators that are begun
elsewhere than they are made. A decorator's wrapper is seen through: who calls it calls what it wraps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from aci.graph.code_graph import Graph, query_graph
from aci.graph.edge_columns import KINDS
from aci.graph.name_lookup import dotted_name
from aci.graph.outline import FUNCTION, Location, Outline
from aci.graph.scope_bindings import FileNames
from aci.repository.file_blobs import GitBlobs
from trajectories.git_store.git_commands import QUIET, environment, git

HOWS = ("call", "attribute", "protocol", "through C")
TESTS = frozenset(("test", "tests", "testing", "conftest.py"))
Pair = tuple[Location, Location]


class Seen(NamedTuple):
    """One row of the tracer, with paths of the repository."""

    how: str
    caller: str
    line: int
    callee: str
    first: int
    name: str
    wrapper: tuple[str, int] | None


@dataclass(frozen=True)
class Trace:
    seen: list[Seen]
    ran: list[tuple[str, int, str]]
    """Path, first line and name of each code object that ran."""


@dataclass(frozen=True)
class Observed:
    pairs: dict[Pair, str]
    """How each pair was seen: where in several ways, in the first of HOWS."""
    ran: set[Location]
    left_out: Counter[str]


class Figures(NamedTuple):
    """Percentages; None where there was nothing to count."""

    recall: dict[str, float | None]
    """By how the pairs were seen, and of `all`."""
    precision: float | None
    edges: int


def trace(git_dir: Path, commit: str, package: str, python: str, command: Sequence[str]) -> Trace:
    """Run the tests. Raises RuntimeError if nothing was seen."""
    env = environment({**QUIET, "GIT_DIR": str(git_dir)})
    with tempfile.TemporaryDirectory(prefix="swe-agent-calls-") as place:
        with tarfile.open(fileobj=BytesIO(git("archive", commit, env=env))) as archive:
            archive.extractall(place, filter="data")
        folder, out = Path(place, package), Path(place, ".calls.json")
        above = str(folder.parent) if (folder / "__init__.py").exists() else str(folder)
        own = {**os.environ, "PYTHONPATH": above, "PYTHONDONTWRITEBYTECODE": "1"}
        tracer = str(Path(__file__).with_name("calls_tracer.py"))
        ended = subprocess.run(
            [python, tracer, str(out), str(folder), *command], cwd=place, env=own, capture_output=True, text=True
        )
        said = (ended.stdout + ended.stderr)[-2000:]
        if not out.exists():
            raise RuntimeError(f"The tracer wrote nothing: {said}")
        found = json.loads(out.read_text("utf-8"))
    if not found["rows"]:
        raise RuntimeError(f"No call inside {package} was seen: {said}")
    print(said.strip().splitlines()[-1], file=sys.stderr)
    return _trace(found, package)


def _trace(found: Mapping[str, Any], package: str) -> Trace:
    def at(path: str) -> str:
        return f"{package}/{path}"

    seen = [
        Seen(how, at(caller), line, at(callee), first, name, (at(wrapper[0]), wrapper[1]) if wrapper else None)
        for how, caller, line, callee, first, name, wrapper in found["rows"]
    ]
    return Trace(seen, [(at(path), first, name) for path, first, name in found["ran"]])


class Definitions:
    """Which symbol a code object or a line is."""

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
        """The innermost symbol around a line. Its decorators are a function's own, as they are in an outline."""
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


def observed(trace: Trace, definitions: Definitions) -> Observed:
    found: dict[Pair, str] = {}
    left_out: Counter[str] = Counter()
    for one in trace.seen:
        caller = definitions.at_line(one.caller, one.line)
        callee = definitions.of_code(one.callee, one.first, one.name)
        reason = _left_out(one, caller, callee, definitions)
        if reason:
            left_out[reason] += 1
            continue
        assert caller
        assert callee
        known = found.get((caller, callee), one.how)
        found[caller, callee] = min(known, one.how, key=HOWS.index)
    ran = {place for code in trace.ran if (place := definitions.of_code(*code))}
    return Observed(found, ran, left_out)


def _left_out(one: Seen, caller: Location | None, callee: Location | None, definitions: Definitions) -> str:
    """Why a row makes no pair, if it does not."""
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
    """The graph's edges of some kinds out of some files."""
    wanted = {KINDS.index(kind) for kind in kinds}
    found = graph.edges([graph.number[path] for path in files], loose)
    rows = zip(found.source.tolist(), found.target.tolist(), found.kind.tolist(), strict=True)
    return {(graph.place(source), graph.place(target)) for source, target, kind in rows if kind in wanted}


def figures(seen: Observed, found: set[Pair], definitions: Definitions) -> Figures:
    by_how = defaultdict(list)
    for pair, how in seen.pairs.items():
        by_how[how].append(pair in found)
        by_how["all"].append(pair in found)
    there = {
        (source, target)
        for source, target in found
        if source in seen.ran and target.path in definitions.outlines and definitions.is_function(target)
    }
    recall = {how: _percent(by_how[how]) for how in (*HOWS, "all")}
    return Figures(recall, _percent([pair in seen.pairs for pair in there]), len(there))


def _percent(hits: Sequence[bool]) -> float | None:
    return round(100 * sum(hits) / len(hits), 1) if hits else None


def counted_files(graph: Graph, package: str) -> list[str]:
    return [path for path in graph.paths if path.startswith(f"{package}/") and not _is_test(path[len(package) :])]


def _is_test(path: str) -> bool:
    *folders, file = path.split("/")
    return not TESTS.isdisjoint([*folders, file]) or file.startswith("test_") or file.endswith("_test.py")


SETS = {
    "call edges": (False, ("call",)),
    "and uses": (False, ("call", "use")),
    "and unknown receivers": (True, ("call", "use")),
}
OVERRIDES = "and overriding methods"


def with_overriding(graph: Graph, found: set[Pair], definitions: Definitions) -> set[Pair]:
    """Also the methods that override a callee, but where a method calls what it overrides: that is `super()`."""
    below: dict[Location, list[Location]] = defaultdict(list)
    above: dict[Location, list[Location]] = defaultdict(list)
    for method, overridden in edges(graph, definitions.outlines, False, ("base",)):
        if definitions.is_function(method):
            below[overridden].append(method)
            above[method].append(overridden)
    overriding = {callee: _all(callee, below) for callee in {callee for _, callee in found} & below.keys()}
    overridden_by = {caller: _all(caller, above) for caller in {caller for caller, _ in found} & above.keys()}
    virtual = (pair for pair in found if pair[1] in overriding and pair[1] not in overridden_by.get(pair[0], ()))
    return found | {(caller, method) for caller, callee in virtual for method in overriding[callee]}


def _all(start: Location, next_to: Mapping[Location, Sequence[Location]]) -> list[Location]:
    """What can be reached from a place."""
    todo = list(next_to.get(start, ()))
    reached = set(todo)
    for place in todo:
        todo += (fresh := [one for one in next_to.get(place, ()) if one not in reached])
        reached.update(fresh)
    return todo


def compare(graph: Graph, trace: Trace, package: str, missed: int) -> dict[str, Any]:
    files = counted_files(graph, package)
    definitions = Definitions({path: graph.outline(path) for path in files})
    seen = observed(trace, definitions)
    found = {name: edges(graph, files, *wanted) for name, wanted in SETS.items()}
    found[OVERRIDES] = with_overriding(graph, found["and unknown receivers"], definitions)
    told = {name: figures(seen, pairs, definitions)._asdict() for name, pairs in found.items()}
    gone = [pair for pair in seen.pairs if pair not in found[OVERRIDES]]
    return {
        "files": len(files),
        "pairs": dict(Counter(seen.pairs.values())) | {"all": len(seen.pairs)},
        "left_out": dict(seen.left_out),
        "edges": told,
        "missed": [_shown(graph, pair, seen.pairs[pair]) for pair in gone[:missed]],
    }


def _shown(graph: Graph, pair: Pair, how: str) -> str:
    caller, callee = (f"{place.path}:{dotted_name(graph, place)}" for place in pair)
    return f"{how}: {caller} -> {callee}"


def show(told: Mapping[str, Any]) -> Iterator[str]:
    columns = (*HOWS, "all")
    yield f"{told['files']} files; recall in % of pairs by how they were seen, precision in % of edges"
    yield "  ".join([" " * 22, *(name.rjust(9) for name in columns), "precision", "    edges"])
    yield "  ".join([f"{'pairs seen':22}", *(str(told["pairs"].get(name, 0)).rjust(9) for name in columns)])
    for name, figures in told["edges"].items():
        cells = [*(figures["recall"][column] for column in columns), figures["precision"], figures["edges"]]
        yield "  ".join([f"{name:22}", *(str("-" if cell is None else cell).rjust(9) for cell in cells)])
    yield "rows not counted: " + "; ".join(f"{reason} {count}" for reason, count in told["left_out"].items())
    yield from told["missed"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--git-dir", type=Path, required=True, help="the package's git directory")
    parser.add_argument("--commit", default="HEAD", help="default: HEAD")
    parser.add_argument("--package", required=True, help="its folder in the repository, as src/flask")
    parser.add_argument("--python", required=True, help="an interpreter that has its dependencies")
    parser.add_argument("--missed", type=int, default=0, metavar="N", help="name so many pairs that are no edges")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("command", nargs="+", metavar="MODULE [ARGUMENTS]", help="what runs the tests, after --")
    given = parser.parse_args(arguments)
    package = given.package.strip("/")
    try:
        traced = trace(given.git_dir, given.commit, package, given.python, given.command)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    blobs = GitBlobs.at(given.git_dir, given.commit)
    told = query_graph(blobs, None, lambda graph: compare(graph, traced, package, given.missed))
    print(json.dumps(told) if given.json else "\n".join(show(told)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
