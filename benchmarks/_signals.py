"""Localization signals of the candidates of an instance, cached so that fitting does not query the graph again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aci.graph.code_graph import Graph, query_graph
from aci.history.commit_search import History
from aci.issue_text.issue_mentions import find_mentions
from aci.localization.candidate_places import CandidateSearch, ReadFiles, SymbolCandidates
from aci.localization.explicit_mentions import Calls
from aci.localization.past_changes import Commits
from aci.localization.place_ranking import file_reader
from aci.localization.signals import Flags, Floats, Ints, Signal
from aci.repository.file_blobs import GitBlobs
from benchmarks.localization import Instance
from trajectories.errors import UsageError

POINTING = ("link", "trace", "method", "past", "commit", "spread", "name")
OF_FILE = ("file", "file_rank")
"""Signals of functions that depend on the scores of files, and are computed while fitting."""


class Table(NamedTuple):
    """Candidates of one kind, with a row for each candidate and a column for each signal."""

    signals: tuple[str, ...]
    values: Floats
    gold: Flags
    complete: bool
    """Whether the candidates include all gold places."""
    places: Ints
    """The place of each candidate: overloads of a function, and getter and setter of a property, share one."""


class InstanceTables(NamedTuple):
    """The candidates of an instance; `of_file` is the row in `files` of each function's file, `calls` the calls among
    the functions.

    Functions are not scored if none is gold.
    """

    repository: str
    files: Table
    functions: Table
    of_file: Ints
    calls: Calls


def instance_tables(instance: Instance, cache: Path, folder: Path) -> InstanceTables:
    """Read the tables of an instance from `folder`, or collect them from the graph and write them there."""
    file = folder / f"{instance.id}.npz"
    if not file.exists():
        blobs = GitBlobs.at(instance.git_dir, instance.commit)

        def collect(graph: Graph) -> InstanceTables:
            with History.open(instance.git_dir, instance.commit, cache) as history:
                return collect_tables(graph, file_reader(graph, blobs), history, instance)

        _save(file, query_graph(blobs, cache, collect))
    return _load(file)


def collect_tables(graph: Graph, read: ReadFiles, commits: Commits, instance: Instance) -> InstanceTables:
    search = CandidateSearch(graph, find_mentions(instance.issue), read, commits)
    files = search.files()
    of_files = [graph.paths[number] for number in files.numbers]
    table = _table(files.signals, of_files, instance.files)
    functions = search.functions(files, unfitted_scores(table))
    of_functions = [
        f"{of_files[file]}:{one.name}" for file, one in zip(functions.files, functions.symbols, strict=True)
    ]
    own = _table(_own(functions), of_functions, instance.functions)
    return InstanceTables(instance.repository, table, own, functions.files, functions.calls)


def unfitted_scores(table: Table) -> Floats:
    """Score candidates by a fixed rule, so that the candidates of an instance do not depend on fitting."""
    scores = table.values[:, table.signals.index("text")].copy()
    for name in POINTING:
        if name in table.signals:
            scores += 0.4 * table.values[:, table.signals.index(name)]
    return scores


def _own(functions: SymbolCandidates) -> Mapping[str, Signal]:
    return {name: signal for name, signal in functions.signals.items() if name not in OF_FILE}


def _table(signals: Mapping[str, Signal], names: Sequence[str], gold: frozenset[str]) -> Table:
    values = [signal.values for signal in signals.values()]
    return Table(
        tuple(signals),
        np.stack(values, 1) if values else np.zeros((0, 0)),
        np.array([name in gold for name in names], bool),
        gold <= set(names),
        np.unique(np.array(names, str), return_inverse=True)[1].astype(np.int64),
    )


def _save(path: Path, one: InstanceTables) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        f"{kind}_{name}": np.asarray(value)
        for kind, table in (("files", one.files), ("functions", one.functions))
        for name, value in table._asdict().items()
    }
    columns |= {"repository": np.asarray(one.repository), "of_file": one.of_file}
    columns |= {f"calls_{name}": value for name, value in one.calls._asdict().items()}
    np.savez_compressed(path, allow_pickle=False, **columns)


def _load(path: Path) -> InstanceTables:
    try:
        return _read_arrays(path)
    except KeyError as error:
        raise UsageError(f"{path} is from another version: {error}.", "Use another folder for the signals.") from None


def _read_arrays(path: Path) -> InstanceTables:
    with np.load(path) as arrays:
        files, functions = (
            Table(
                tuple(str(name) for name in arrays[f"{kind}_signals"]),
                arrays[f"{kind}_values"].astype(np.float64),
                arrays[f"{kind}_gold"],
                bool(arrays[f"{kind}_complete"]),
                arrays[f"{kind}_places"],
            )
            for kind in ("files", "functions")
        )
        return InstanceTables(str(arrays["repository"]), files, functions, arrays["of_file"], _calls(arrays))


def _calls(arrays: Mapping[str, Any]) -> Calls:
    return Calls(*(arrays[f"calls_{name}"] for name in Calls._fields))
