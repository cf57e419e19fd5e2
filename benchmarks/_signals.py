"""What all signals say of an instance's candidates, kept so that fitting does not ask the graph again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aci.graph.code_graph import Graph, query_graph
from aci.history.commit_search import History
from aci.issue_text.issue_mentions import find_mentions
from aci.localization.candidate_places import CandidateSearch, FunctionCandidates, ReadFiles
from aci.localization.past_changes import Commits
from aci.localization.place_ranking import file_reader
from aci.localization.signals import Flags, Floats, Ints, Signal
from aci.repository.file_blobs import GitBlobs
from benchmarks.localization import Instance
from trajectories.errors import UsageError

POINTING = ("link", "trace", "method", "past", "commit", "class", "called", "name")
OF_FILE = ("file", "file_rank")
"""Signals of functions that come of the files' scores, and so are computed while fitting."""


class Table(NamedTuple):
    """Candidates of one kind: a row each, a column a signal."""

    signals: tuple[str, ...]
    values: Floats
    gold: Flags
    complete: bool
    """Whether all gold places are among the candidates."""
    places: Ints
    """Which place each is: overloads of a function, and a property's getter and setter, are one."""


class Judged(NamedTuple):
    """One instance; `of_file` is the row in `files` of each function's file. Functions without gold are not scored."""

    repository: str
    files: Table
    functions: Table
    of_file: Ints


def judged(instance: Instance, cache: Path, folder: Path) -> Judged:
    """From `folder` if it is there, else asked of the graph and kept."""
    kept = folder / f"{instance.id}.npz"
    if not kept.exists():
        blobs = GitBlobs.at(instance.git_dir, instance.commit)

        def question(graph: Graph) -> Judged:
            with History.open(instance.git_dir, instance.commit, cache) as history:
                return judge(graph, file_reader(graph, blobs), history, instance)

        _save(kept, query_graph(blobs, cache, question))
    return _load(kept)


def judge(graph: Graph, read: ReadFiles, commits: Commits, instance: Instance) -> Judged:
    search = CandidateSearch(graph, find_mentions(instance.issue), read, commits)
    files = search.files()
    of_files = [graph.paths[number] for number in files.numbers]
    table = _table(files.signals, of_files, instance.files)
    functions = search.functions(files, look(table))
    of_functions = [
        f"{of_files[file]}:{one.name}" for file, one in zip(functions.files, functions.symbols, strict=True)
    ]
    own = _table(_own(functions), of_functions, instance.functions)
    return Judged(instance.repository, table, own, functions.files)


def look(table: Table) -> Floats:
    """How likely candidates seem by a rule that is not fitted, so that no instance has a say in its own candidates."""
    found = table.values[:, table.signals.index("text")].copy()
    for name in POINTING:
        if name in table.signals:
            found += 0.4 * table.values[:, table.signals.index(name)]
    return found


def _own(functions: FunctionCandidates) -> Mapping[str, Signal]:
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


def _save(path: Path, one: Judged) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        f"{kind}_{name}": np.asarray(value)
        for kind, table in (("files", one.files), ("functions", one.functions))
        for name, value in table._asdict().items()
    }
    columns |= {"repository": np.asarray(one.repository), "of_file": one.of_file}
    np.savez_compressed(path, allow_pickle=False, **columns)


def _load(path: Path) -> Judged:
    try:
        return _loaded(path)
    except KeyError as error:
        raise UsageError(f"{path} is of another version: {error}.", "Give another folder for the signals.") from None


def _loaded(path: Path) -> Judged:
    with np.load(path) as kept:
        files, functions = (
            Table(
                tuple(str(name) for name in kept[f"{kind}_signals"]),
                kept[f"{kind}_values"].astype(np.float64),
                kept[f"{kind}_gold"],
                bool(kept[f"{kind}_complete"]),
                kept[f"{kind}_places"],
            )
            for kind in ("files", "functions")
        )
        return Judged(str(kept["repository"]), files, functions, kept["of_file"])
