"""Sides measured by `benchmarks/graph.py`, each in a separate process: `python -m benchmarks.graph_sides SIDE …`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

QUERY = """
(class_definition name: (identifier) @class)
(function_definition name: (identifier) @function)
(call function: [(identifier) @call (attribute attribute: (identifier) @call)])
"""
AIDER = """
import sys
from collections.abc import Callable
from pathlib import Path
from aider.io import InputOutput
from aider.repomap import RepoMap


class Model:
    def token_count(self, text):
        return len(text) // 4


files = sorted(map(str, Path(sys.argv[1]).rglob("*.py")))
print(len(RepoMap(root=sys.argv[1], main_model=Model(), io=InputOutput(yes=True)).get_repo_map([], files)))
"""
LOCAGENT = """
import runpy, sys, types

# LocAgent can also draw graphs; that is not measured.
for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.lines"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["matplotlib"].pyplot = sys.modules["matplotlib.pyplot"]
sys.modules["matplotlib.lines"].Line2D = None
build_graph = runpy.run_path(sys.argv[2])["build_graph"]
graph = build_graph(sys.argv[1], fuzzy_search=True, global_import=True)
print(graph.number_of_nodes(), graph.number_of_edges())
"""


def parse_and_query(git_dir: str, commit: str) -> None:
    """The baseline: parse each file and capture its definitions and calls; blobs are read as the graph reads them."""
    import tree_sitter_python
    from tree_sitter import Language, Parser, Query, QueryCursor

    from aci.graph.file_selection import exclusion_reason
    from aci.repository.file_blobs import GitBlobs

    grammar = Language(tree_sitter_python.language())
    parser, query = Parser(grammar), Query(grammar, QUERY)
    blobs = GitBlobs.at(Path(git_dir), commit)
    ids = dict.fromkeys(
        id for path, mode, id in blobs.files() if path.endswith(".py") and not exclusion_reason(path, mode)
    )
    found = 0
    for data in blobs.read(list(ids)):
        captures = QueryCursor(query).captures(parser.parse(data or b"").root_node)
        found += sum(map(len, captures.values()))
    print(len(ids), found)


def build(git_dir: str, commit: str, cache: str) -> None:
    """Build the graph of a commit on disk."""
    from aci.graph.code_graph import query_graph
    from aci.repository.file_blobs import GitBlobs

    print(query_graph(GitBlobs.at(Path(git_dir), commit), Path(cache), lambda graph: len(graph.paths)))


def callers(git_dir: str, commit: str, cache: str, name: str) -> None:
    """Count the callers of a function at a commit."""
    from aci.graph.code_graph import Graph, query_graph
    from aci.repository.file_blobs import GitBlobs

    def count_callers(graph: Graph) -> int:
        return sum(len(graph.callers(place)) for place in graph.defining(name))

    print(query_graph(GitBlobs.at(Path(git_dir), commit), Path(cache), count_callers))


def localize(cache: str, issue: str, *trees: str) -> None:
    """Localize an issue in trees, one after the other; each is given as its git directory and its commit."""
    os.environ["SWE_AGENT_CACHE"] = cache
    from aci.localization.issue_localization import HistoryBase, localize_issue
    from aci.repository.file_blobs import GitBlobs
    from trajectories.records import Issue

    title, _, body = issue.partition("\n")
    for git_dir, commit in zip(trees[::2], trees[1::2], strict=True):
        base = HistoryBase(Path(git_dir), commit)
        print(len(localize_issue(GitBlobs.at(*base), Issue(title, body), base).places.files))


def bare(cache: str, *modules: str) -> None:
    """Import the libraries and open the database, and do nothing else."""
    import sqlite3
    from contextlib import suppress
    from importlib import import_module

    for module in modules:
        with suppress(ImportError):  # the import may have failed in the measured command, too
            import_module(module)
    newest = max(Path(cache).glob("graph*.sqlite"))
    print(sqlite3.connect(newest).execute("SELECT count(*) FROM trees").fetchone())


SIDES: dict[str, Callable[..., None]] = {
    "parse_and_query": parse_and_query,
    "build": build,
    "callers": callers,
    "bare": bare,
    "localize": localize,
}

if __name__ == "__main__":
    SIDES[sys.argv[1]](*sys.argv[2:])
