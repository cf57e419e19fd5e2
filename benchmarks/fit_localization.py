"""Fits the weights of localization's signals, and scores them on repositories that were not fitted on.

    OMP_NUM_THREADS=1 python -m benchmarks.fit_localization --instances F.issues.jsonl --gold F.locations.jsonl
        --repos DIR --cache DIR --signals DIR [--ablation] [--write]

The model is linear: among an instance's candidates, the gold ones should be likeliest under softmax, with L2 on the
weights. It is trained on the candidates that score highest under a fixed rule; gold places that are not among them are
not added, and an instance without any is skipped. The signals of the second pass need the scores of the first, so they
are fitted after it, on scores from weights that were not fitted on the instance's repository; their weights are
relative to those scores. Every figure is cross-validated by leaving out one repository at a time. `masked` figures
ignore links, commit ids and #numbers. Signals are cached in `--signals`: after a change to a signal, use another
folder. `--write` fits on all instances and writes aci/localization/weights.json, with a weight for each signal of the
candidates except those in `BY_HAND`.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aci.localization.explicit_mentions import BEST, CALLED, SECOND_PASS, called_signal, file_signals
from aci.localization.signals import (
    BY_HAND,
    FILE_SIGNALS,
    FUNCTION_SIGNALS,
    Flags,
    Floats,
    Signal,
    below_best,
    fitted_weights,
)
from benchmarks._listwise import fit
from benchmarks._signals import OF_FILE, InstanceTables, Table, instance_tables, unfitted_scores
from benchmarks.localization import load, share_within
from trajectories.errors import SweAgentError

MASKED = ("commit", "link")
SECOND = {FILE_SIGNALS: (CALLED, BEST), FUNCTION_SIGNALS: (CALLED,)}
"""The signals of the second pass; in a sequence of signals they come last."""
FILES_L2, FUNCTIONS_L2, SECOND_L2 = 0.5, 1.0, 3.0
GROUPS = 3
"""Number of groups of repositories: the second pass is fitted on scores from weights fitted on the other groups."""
TRAINED_FILES, TRAINED_FUNCTIONS = 100, 300
"""Maximum number of candidates of an instance used for training; all are scored."""
WEIGHTS = Path(__file__).parent.parent / "aci" / "localization" / "weights.json"


class Weights(NamedTuple):
    """The weights of the signals of files and of functions, in the order of their names."""

    files: Floats
    functions: Floats


@dataclass(frozen=True, slots=True)
class Scored:
    """The rank of the last gold place of each instance (0: not among the candidates)."""

    files: list[int]
    functions: list[int]
    """Only for instances whose functions are scored, in order."""


def file_features(one: InstanceTables, names: Sequence[str], mask: bool = False) -> Floats:
    return _columns(one.files, names, mask)


def function_features(one: InstanceTables, names: Sequence[str], of_files: Floats, mask: bool = False) -> Floats:
    """`of_files` are the scores of the instance's files; `CandidateSearch._add_signals` derives the same signals."""
    own = _columns(one.functions, [name for name in names if not name.startswith("file")], mask)
    order = np.empty(len(of_files))
    order[np.argsort(-of_files, kind="stable")] = np.arange(len(of_files))
    derived = {"file": below_best(of_files), "file_rank": 1 / (1 + order)}
    columns = iter(own.T)
    return np.stack([derived[name][one.of_file] if name in derived else next(columns) for name in names], 1)


def first_pass(
    one: InstanceTables, weights: Weights, files: Sequence[str], functions: Sequence[str], mask: bool = False
) -> tuple[Floats, Floats]:
    """The scores of the files and functions by the signals of the first pass."""
    files, functions = _first(files), _first(functions)
    of_files = file_features(one, files, mask) @ weights.files[: len(files)]
    return of_files, function_features(one, functions, of_files, mask) @ weights.functions[: len(functions)]


def second_features(
    one: InstanceTables, scores: Floats, files: Sequence[str], functions: Sequence[str]
) -> tuple[Floats, Floats]:
    """The signals of the second pass of files and of functions, given the functions' scores in the first."""
    called = called_signal(one.calls, scores)
    of_files = file_signals(one.of_file, called.values, scores, len(one.files.gold))
    return _stacked(of_files, files, len(one.files.gold)), _stacked({CALLED: called}, functions, len(scores))


def _stacked(signals: Mapping[str, Signal], names: Sequence[str], count: int) -> Floats:
    wanted = [signals[name].values for name in names if name in SECOND_PASS]
    return np.stack(wanted, 1) if wanted else np.zeros((count, 0))


def _first(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in SECOND_PASS]


def _columns(table: Table, names: Sequence[str], mask: bool) -> Floats:
    if not len(table.gold):
        return np.zeros((0, len(names)))
    values = table.values[:, [table.signals.index(name) for name in names]]
    if mask:
        values[:, [name in MASKED for name in names]] = 0.0
    return values


def signals_to_fit(tables: Sequence[Table], kind: str) -> tuple[str, ...]:
    """Return the candidates' signals, those in weights.json first and in its order, then those of the second pass."""
    derived = OF_FILE if kind == FUNCTION_SIGNALS else ()
    found = dict.fromkeys([*derived, *(name for table in tables for name in table.signals)])
    known = [name for name in fitted_weights(kind) if name in found]
    return tuple(dict.fromkeys([*known, *(name for name in found if name not in BY_HAND[kind]), *SECOND[kind]]))


def cross_validate(
    data: Sequence[InstanceTables], files: Sequence[str], functions: Sequence[str]
) -> tuple[Scored, Scored]:
    """Score with each repository left out in turn: (unmasked, masked)."""
    plain, masked = Scored([0] * len(data), [0] * len(data)), Scored([0] * len(data), [0] * len(data))
    for repository in sorted({one.repository for one in data}):
        known = [one for one in data if one.repository != repository]
        weights = fit_weights(known, files, functions)
        for number, one in enumerate(data):
            if one.repository == repository:
                for scored, mask in ((plain, False), (masked, True)):
                    of_file, of_function = ranks(one, weights, files, functions, mask)
                    scored.files[number], scored.functions[number] = of_file, of_function
    scored_numbers = [number for number, one in enumerate(data) if is_scored(one)]
    return (
        Scored(plain.files, [plain.functions[number] for number in scored_numbers]),
        Scored(masked.files, [masked.functions[number] for number in scored_numbers]),
    )


def is_scored(one: InstanceTables) -> bool:
    """Whether the instance has gold functions."""
    return bool(one.functions.gold.any()) or not one.functions.complete


def fit_weights(data: Sequence[InstanceTables], files: Sequence[str], functions: Sequence[str]) -> Weights:
    """Fit the first pass, then the second on scores of first passes that were not fitted on the instance's group."""
    of_files: list[tuple[Floats, Flags]] = []
    of_functions: list[tuple[Floats, Flags]] = []
    for group in range(GROUPS):
        weights = _fit_first_pass([one for one in data if _group(one) != group], files, functions)
        for one in data:
            if _group(one) == group and len(one.functions.gold):
                scores = first_pass(one, weights, files, functions)
                more = second_features(one, scores[1], files, functions)
                of_files.append(_best(scores[0], more[0], one.files, TRAINED_FILES))
                of_functions.append(_best(scores[1], more[1], one.functions, TRAINED_FUNCTIONS))
    first = _fit_first_pass(data, files, functions)
    return Weights(
        np.append(first.files, _relative_weights(of_files, len(files) - len(first.files))),
        np.append(first.functions, _relative_weights(of_functions, len(functions) - len(first.functions))),
    )


def _group(one: InstanceTables) -> int:
    return zlib.crc32(one.repository.encode()) % GROUPS


def _best(scores: Floats, features: Floats, table: Table, most: int) -> tuple[Floats, Flags]:
    chosen = np.argsort(-scores, kind="stable")[:most]
    return np.column_stack([scores, features])[chosen], table.gold[chosen]


def _relative_weights(lists: Sequence[tuple[Floats, Flags]], count: int) -> Floats:
    """Fit the scores and `count` signals, and return the signals' weights divided by that of the scores."""
    if not lists:
        return np.zeros(count)
    weights = fit(lists, SECOND_L2)
    return weights[1:] / (weights[0] or 1.0)


def _fit_first_pass(data: Sequence[InstanceTables], files: Sequence[str], functions: Sequence[str]) -> Weights:
    files, functions = _first(files), _first(functions)
    if not data:
        return Weights(np.zeros(len(files)), np.zeros(len(functions)))
    of_files = fit(
        [
            (file_features(one, files)[chosen], one.files.gold[chosen])
            for one in data
            for chosen in (_likeliest(one.files, TRAINED_FILES),)
        ],
        FILES_L2,
    )
    pairs = [
        (
            function_features(one, functions, file_features(one, files) @ of_files)[chosen],
            one.functions.gold[chosen],
        )
        for one in data
        if len(one.functions.gold)
        for chosen in (_likeliest(one.functions, TRAINED_FUNCTIONS),)
    ]
    return Weights(of_files, fit(pairs, FUNCTIONS_L2) if pairs else np.zeros(len(functions)))


def _likeliest(table: Table, most: int) -> Flags:
    chosen = np.zeros(len(table.gold), bool)
    chosen[np.argsort(-unfitted_scores(table), kind="stable")[:most]] = True
    return chosen


def ranks(
    one: InstanceTables, weights: Weights, files: Sequence[str], functions: Sequence[str], mask: bool
) -> tuple[int, int]:
    of_files, of_functions = first_pass(one, weights, files, functions, mask)
    more_files, more_functions = second_features(one, of_functions, files, functions)
    return (
        worst(of_files + more_files @ weights.files[len(_first(files)) :], one.files),
        worst(of_functions + more_functions @ weights.functions[len(_first(functions)) :], one.functions),
    )


def worst(scores: Floats, table: Table) -> int:
    """The rank of the last gold place, or 0. Each place counts once, at the rank of its best candidate."""
    if not table.complete or not table.gold.any():
        return 0
    order = np.argsort(-scores, kind="stable")
    _, firsts = np.unique(table.places[order], return_index=True)
    return int(np.flatnonzero(table.gold[order][np.sort(firsts)])[-1]) + 1


def line(name: str, plain: Scored, masked: Scored) -> str:
    def shares(scored: Scored) -> str:
        files = "/".join(f"{share_within(scored.files, k):.1f}" for k in (1, 3, 5))
        return f"{files}  {'/'.join(f'{share_within(scored.functions, k):.1f}' for k in (1, 5, 10))}"

    return f"{name:32} {shares(plain)}   masked {shares(masked)}"


def ablation(
    data: Sequence[InstanceTables], files: Sequence[str], functions: Sequence[str], report: Callable[[str], None]
) -> None:
    for name in files:
        rest = [one for one in files if one != name]
        report(line(f"files without {name}", *cross_validate(data, rest, functions)))
    for name in functions:
        rest = [one for one in functions if one != name]
        report(line(f"functions without {name}", *cross_validate(data, files, rest)))


def by_repository(data: Sequence[InstanceTables], plain: Scored, masked: Scored, report: Callable[[str], None]) -> None:
    scored = [number for number, one in enumerate(data) if is_scored(one)]
    for repository in sorted({one.repository for one in data}):
        members = [number for number, one in enumerate(data) if one.repository == repository]
        places = [place for place, number in enumerate(scored) if data[number].repository == repository]

        def part(of: Scored, members: list[int] = members, places: list[int] = places) -> Scored:
            return Scored([of.files[number] for number in members], [of.functions[place] for place in places])

        report(line(f"{repository} ({len(members)})", part(plain), part(masked)))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_localization", description=__doc__.split("\n")[0])
    for name in ("instances", "gold", "repos", "cache", "signals"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--ablation", action="store_true", help="also score with each signal left out in turn")
    parser.add_argument("--write", action="store_true", help="fit on all instances and write the weights")
    options = parser.parse_args(arguments)
    try:
        instances = load(options.instances, options.gold, options.repos)
        data = [instance_tables(instance, options.cache, options.signals) for instance in instances]
    except SweAgentError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    print(f"{len(data):<32} files @1/@3/@5  functions @1/@5/@10")
    files = signals_to_fit([one.files for one in data], FILE_SIGNALS)
    functions = signals_to_fit([one.functions for one in data], FUNCTION_SIGNALS)
    plain, masked = cross_validate(data, files, functions)
    print(line("all signals", plain, masked), flush=True)
    by_repository(data, plain, masked, print)
    if options.ablation:
        ablation(data, files, functions, lambda text: print(text, flush=True))
    if options.write:
        weights = fit_weights(data, files, functions)
        write(
            {
                FILE_SIGNALS: zip(files, weights.files, strict=True),
                FUNCTION_SIGNALS: zip(functions, weights.functions, strict=True),
            }
        )
    return 0


def write(kinds: Mapping[str, Iterable[tuple[str, float]]]) -> None:
    rounded = {kind: {name: round(float(weight), 3) for name, weight in pairs} for kind, pairs in kinds.items()}
    WEIGHTS.write_text(json.dumps(rounded, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
