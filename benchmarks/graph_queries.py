"""Questions about repositories that one relation of the code graph cannot answer: SQL and the former JSON query.

    python -m benchmarks.graph_queries --repos DIR [--cache DIR] [--json OUT]

The questions were written before their results were known. Each has a SQL statement and up to four JSON queries, as a
model may put them in one reply; the rows of these are taken together. The expected answer comes from plain loops over
the graph, so a side that is `exact` has the same places, no more and no fewer. Seconds are those of the queries, with
the graph in the cache; those of SQL contain the start of its process, and `written` is the time to write the database.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aci.graph.code_graph import Graph, query_graph
from aci.graph.edge_columns import KINDS
from aci.graph.outline import BASE, CALL, CLASS, Symbol
from aci.repository.file_blobs import GitBlobs
from benchmarks._json_queries import Query, run_query
from extensions.papers.graph_sql.graph_database import write_database
from extensions.papers.graph_sql.graph_queries import run_sql

ASTROID = "pylint-dev/astroid", "6cf238d089cf4b6753c94cfc089b4a47487711e5"
FLASK = "pallets/flask", "7ee9ceb71e868944a46e1ff00b506772a53a4f1d"
MARSHMALLOW = "marshmallow-code/marshmallow", "b40a0f4e33823e6d0f341f7e8684e359a99060d1"
PYTEST = "pytest-dev/pytest", "41d211c24a6781843b174379d6d6538f5c17adb9"
REQUESTS = "psf/requests", "39d0fdd9096f7dceccbc8f82e1eda7dd64717a8e"
PLACE = "SELECT DISTINCT s.path || ':' || s.full_name FROM symbols s"


class Loops:
    """The graph as plain dictionaries, by the numbers of its nodes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @cached_property
    def symbols(self) -> dict[int, Symbol]:
        found = {}
        for number, path in enumerate(self.graph.paths):
            for place, symbol in enumerate(self.graph.outline(path).symbols):
                found[int(self.graph.first[number]) + 1 + place] = symbol
        return found

    @cached_property
    def edges(self) -> list[tuple[int, int, str]]:
        edges = self.graph.edges()
        columns = edges.source.tolist(), edges.target.tolist(), edges.kind.tolist()
        return [(source, target, KINDS[kind]) for source, target, kind in zip(*columns, strict=True)]

    @cached_property
    def calls(self) -> dict[int, set[int]]:
        return self._targets({CALL})

    @cached_property
    def bases(self) -> dict[int, set[int]]:
        return {source: targets - {source} for source, targets in self._targets({BASE}).items()}

    @cached_property
    def users(self) -> dict[int, set[int]]:
        found: dict[int, set[int]] = defaultdict(set)
        for source, target, kind in self.edges:
            if kind != BASE:
                found[target].add(source)
        return found

    def _targets(self, kinds: set[str]) -> dict[int, set[int]]:
        found: dict[int, set[int]] = defaultdict(set)
        for source, target, kind in self.edges:
            if kind in kinds:
                found[source].add(target)
        return found

    def ancestors(self, node: int) -> set[int]:
        found: set[int] = set()
        queue = [node]
        while queue:
            new = self.bases.get(queue.pop(), set()) - found - {node}
            found |= new
            queue += new
        return found

    def owner(self, node: int) -> int | None:
        """The class that contains a method."""
        around = int(self.graph.parent[node])
        is_method = around in self.symbols and self.symbols[around].kind == CLASS and self.symbols[node].kind != CLASS
        return around if is_method else None

    @cached_property
    def methods(self) -> dict[int, dict[str, list[int]]]:
        """The methods of each class by name."""
        found: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for node in self.symbols:
            if (around := self.owner(node)) is not None:
                found[around][self.symbols[node].bare].append(node)
        return found

    def path(self, node: int) -> str:
        return self.graph.place(node).path

    def named(self, name: str) -> set[int]:
        return {node for node, symbol in self.symbols.items() if symbol.bare == name}

    def functions(self) -> list[int]:
        return [node for node, symbol in self.symbols.items() if symbol.kind != CLASS]

    def classes(self) -> list[int]:
        return [node for node, symbol in self.symbols.items() if symbol.kind == CLASS]

    def places(self, nodes: Sequence[int]) -> set[str]:
        return {f"{self.path(node)}:{self.symbols[node].name}" for node in nodes}


@dataclass(frozen=True, slots=True)
class GraphQuestion:
    words: str
    repository: str
    commit: str
    sql: str
    queries: tuple[dict[str, Any], ...]
    expected: Callable[[Loops], set[str]]


def _calls_both(one: Loops) -> set[str]:
    first, second = one.named("merge_cookies"), one.named("cookiejar_from_dict")
    return one.places([node for node in one.symbols if one.calls[node] & first and one.calls[node] & second])


def _overridden_without_init(one: Loops) -> set[str]:
    found = []
    for node in one.classes():
        if "__init__" not in one.methods[node]:
            for ancestor in one.ancestors(node):
                for name in one.methods[node]:
                    found += one.methods[ancestor].get(name, [])
    return one.places([node for node in found if one.path(node).startswith("requests/")])


def _used_in_five_files(one: Loops) -> set[str]:
    return one.places(
        [
            node
            for node in one.functions()
            if one.path(node).startswith("src/flask/") and len({one.path(user) for user in one.users[node]}) >= 5
        ]
    )


def _overriding_with_subclasses(one: Loops) -> set[str]:
    bases = {base for each in one.bases.values() for base in each}
    return one.places(
        [
            node
            for node in one.classes()
            if one.path(node).startswith("src/flask/")
            and node in bases
            and any(one.methods[base].keys() & one.methods[node].keys() for base in one.bases.get(node, ()))
        ]
    )


def _collect_elsewhere(one: Loops) -> set[str]:
    collectors = one.named("Collector")
    found = [
        node for node in one.named("collect") if (owner := one.owner(node)) is not None and owner not in collectors
    ]
    return one.places([node for node in found if not one.ancestors(one.owner(node) or 0) & collectors])


def _mutual(one: Loops) -> set[str]:
    return one.places(
        [
            node
            for node in one.functions()
            if one.path(node).startswith("src/")
            and any(
                node in one.calls[other] and one.path(other).startswith("src/") and other in one.symbols
                for other in one.calls[node] - {node}
            )
        ]
    )


def _used_by_tests_only(one: Loops) -> set[str]:
    found = []
    for node in one.functions():
        users = {one.path(user) for user in one.users[node] - {node}}
        if one.path(node).startswith("src/_pytest/") and users and all(path.startswith("testing/") for path in users):
            found.append(node)
    return one.places(found)


def _serialize_without_super(one: Loops) -> set[str]:
    methods = one.named("_serialize")
    overriding = [
        node
        for node in methods
        if (owner := one.owner(node)) is not None
        and any("_serialize" in one.methods[ancestor] for ancestor in one.ancestors(owner))
    ]
    return one.places([node for node in overriding if not one.calls[node] & methods])


def _two_calls_away(one: Loops) -> set[str]:
    target = one.named("safe_infer")
    direct = {node for node in one.symbols if one.calls[node] & target}
    return one.places(
        [
            node
            for node in one.symbols
            if one.path(node).startswith("astroid/") and node not in direct and one.calls[node] & direct
        ]
    )


def _names_in_many_classes(one: Loops) -> set[str]:
    owners = Counter(
        name
        for owner, methods in one.methods.items()
        if one.path(owner).startswith("astroid/nodes/")
        for name in methods
    )
    return {name for name, count in owners.items() if count >= 10}


QUESTIONS = (
    GraphQuestion(
        "functions that call both `merge_cookies` and `cookiejar_from_dict`", *REQUESTS,
        f"{PLACE} WHERE EXISTS (SELECT 1 FROM refs JOIN symbols t ON t.id = target WHERE source = s.id AND refs.kind = "
        "'call' AND t.name = 'merge_cookies') AND EXISTS (SELECT 1 FROM refs JOIN symbols t ON t.id = target WHERE "
        "source = s.id AND refs.kind = 'call' AND t.name = 'cookiejar_from_dict')",
        ({"name": "merge_cookies", "follow": "callers"}, {"name": "cookiejar_from_dict", "follow": "callers"}),
        _calls_both,
    ),
    GraphQuestion(
        "methods in requests/ that a subclass without `__init__` overrides", *REQUESTS,
        f"{PLACE} JOIN overrides ON overridden = s.id JOIN symbols m ON m.id = method WHERE s.path LIKE 'requests/%' "
        "AND NOT EXISTS (SELECT 1 FROM symbols i WHERE i.owner = m.owner AND i.name = '__init__')",
        ({"name": "*", "path": "requests/*", "follow": "subclasses", "depth": 4, "lacks": "__init__"},),
        _overridden_without_init,
    ),
    GraphQuestion(
        "functions in src/flask/ to which at least five files refer", *FLASK,
        f"{PLACE} JOIN refs ON target = s.id JOIN symbols u ON u.id = source WHERE s.kind IN ('function', 'method') "
        "AND s.path LIKE 'src/flask/%' GROUP BY s.id HAVING count(DISTINCT u.path) >= 5",
        ({"name": "*", "path": "src/flask/*", "kind": "function"},),
        _used_in_five_files,
    ),
    GraphQuestion(
        "classes in src/flask/ that have a method of a direct base class too, and have subclasses", *FLASK,
        f"{PLACE} WHERE s.path LIKE 'src/flask/%' AND EXISTS (SELECT 1 FROM bases WHERE base = s.id) AND EXISTS "
        "(SELECT 1 FROM overrides JOIN symbols m ON m.id = method WHERE m.owner = s.id AND distance = 1)",
        ({"name": "*", "path": "src/flask/*", "kind": "class", "follow": "bases"},),
        _overriding_with_subclasses,
    ),
    GraphQuestion(
        "methods `collect` of classes that do not inherit from a `Collector`", *PYTEST,
        f"{PLACE} JOIN symbols c ON c.id = s.owner WHERE s.name = 'collect' AND s.kind = 'method' AND c.name <> "
        "'Collector' AND NOT EXISTS (SELECT 1 FROM ancestors JOIN symbols a ON a.id = ancestor WHERE class = c.id AND "
        "a.name = 'Collector')",
        ({"name": "collect", "kind": "function"},),
        _collect_elsewhere,
    ),
    GraphQuestion(
        "pairs of functions in src/ that call each other", *PYTEST,
        f"{PLACE} JOIN refs one ON one.source = s.id AND one.kind = 'call' JOIN refs two ON two.source = one.target "
        "AND two.target = s.id AND two.kind = 'call' JOIN symbols o ON o.id = one.target WHERE o.id <> s.id AND "
        "o.kind <> 'file' AND s.kind IN ('function', 'method') AND s.path LIKE 'src/%' AND o.path LIKE 'src/%'",
        ({"name": "*", "path": "src/*", "kind": "function", "follow": "callees", "depth": 2},),
        _mutual,
    ),
    GraphQuestion(
        "functions in src/_pytest/ to which only files in testing/ refer", *PYTEST,
        f"{PLACE} WHERE s.kind IN ('function', 'method') AND s.path LIKE 'src/~_pytest/%' ESCAPE '~' AND EXISTS "
        "(SELECT 1 FROM refs WHERE target = s.id AND source <> s.id) AND NOT EXISTS (SELECT 1 FROM refs JOIN symbols u "
        "ON u.id = source WHERE target = s.id AND u.id <> s.id AND u.path NOT LIKE 'testing/%')",
        ({"name": "*", "path": "src/_pytest/*", "kind": "function"},),
        _used_by_tests_only,
    ),
    GraphQuestion(
        "methods that override `_serialize` and call none of that name", *MARSHMALLOW,
        f"{PLACE} JOIN overrides ON method = s.id WHERE s.name = '_serialize' AND NOT EXISTS (SELECT 1 FROM refs JOIN "
        "symbols t ON t.id = target WHERE source = s.id AND refs.kind = 'call' AND t.name = '_serialize')",
        ({"name": "_serialize", "kind": "function"},),
        _serialize_without_super,
    ),
    GraphQuestion(
        "functions in astroid/ that call a caller of `safe_infer`, but not `safe_infer`", *ASTROID,
        "WITH direct AS (SELECT source AS id FROM refs JOIN symbols t ON t.id = target WHERE t.name = 'safe_infer' AND "
        f"refs.kind = 'call') {PLACE} JOIN refs ON source = s.id AND refs.kind = 'call' WHERE s.kind <> 'file' AND "
        "s.path LIKE 'astroid/%' AND target IN (SELECT id FROM direct JOIN symbols USING (id) WHERE kind <> 'file') "
        "AND s.id NOT IN (SELECT id FROM direct)",
        ({"name": "safe_infer", "path": "astroid/*", "follow": "callers", "depth": 2},),
        _two_calls_away,
    ),
    GraphQuestion(
        "names of methods that at least ten classes in astroid/nodes/ define", *ASTROID,
        "SELECT name FROM symbols WHERE kind = 'method' AND path LIKE 'astroid/nodes/%' GROUP BY name HAVING "
        "count(DISTINCT owner) >= 10",
        ({"name": "*", "path": "astroid/nodes/*", "kind": "function"},),
        _names_in_many_classes,
    ),
)  # fmt: skip


def answer(question: GraphQuestion, graph: Graph, file: Path) -> dict[str, Any]:
    """Return whether each side answers a question exactly, and its seconds."""
    expected = question.expected(Loops(graph))
    began = time.perf_counter()
    found = run_sql(file, question.sql, 200)
    sql_seconds = time.perf_counter() - began
    began = time.perf_counter()
    rows = {row for one in question.queries for row in run_query(graph, Query.model_validate(one))}
    json_seconds = time.perf_counter() - began
    of_sql = {str(row[0]) for row in found.rows}
    return {
        "question": question.words,
        "repository": question.repository,
        "places": len(expected),
        "sql": {"exact": of_sql == expected and not found.cut, "rows": len(of_sql), "seconds": sql_seconds},
        "json": {"exact": rows == expected, "rows": len(rows), "seconds": json_seconds},
        "error": found.error,
    }


def measure(repos: Path, cache: Path) -> list[dict[str, Any]]:
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for repository, commit in dict.fromkeys((one.repository, one.commit) for one in QUESTIONS):
            file = Path(folder) / f"{commit}.sqlite"
            asked = [one for one in QUESTIONS if one.commit == commit]

            def work(graph: Graph, file: Path = file, asked: Sequence[GraphQuestion] = asked) -> list[dict[str, Any]]:
                began = time.perf_counter()
                write_database(graph, file)
                written = time.perf_counter() - began
                return [{**answer(one, graph, file), "written": written} for one in asked]

            git_dir = repos / repository.replace("/", "+") / "repo"
            results += query_graph(GitBlobs.at(git_dir, commit), cache, work)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder for the graphs (default: a temporary one)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        results = measure(options.repos, options.cache or Path(temporary))
    for one in results:
        sides = "  ".join(
            f"{side} {'exact' if one[side]['exact'] else 'wrong':5} {one[side]['rows']:4} {one[side]['seconds']:6.2f} s"
            for side in ("sql", "json")
        )
        print(f"{sides}  {one['places']:4} places  {one['repository']}: {one['question']} {one['error']}".rstrip())
    written = {one["repository"]: round(one["written"], 2) for one in results}
    print(f"exact: SQL {sum(one['sql']['exact'] for one in results)}, "
          f"JSON {sum(one['json']['exact'] for one in results)} of {len(results)}; written: {written}")  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
