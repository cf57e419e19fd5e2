"""Fits the weights of localization's signals, and says what they are worth on repositories not fitted on.

    OMP_NUM_THREADS=1 python -m benchmarks.fit_localization --instances F.issues.jsonl --gold F.locations.jsonl
        --repos DIR --cache DIR --signals DIR [--ablation] [--write]

A linear model: of an instance's candidates the gold ones should be likeliest under softmax, with L2 on the weights.
It learns from the candidates that seem likeliest by a fixed rule; gold that is not among them is not added, and an
instance without any is passed over. Every figure is cross-validated by leaving out one repository at a time. `masked`
is the same without what links, commit ids and #numbers say. Signals are kept in `--signals`: after a change to what
they say, give another folder. `--write` fits on all instances and writes aci/localization/weights.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aci.localization.signals import Flags, Floats
from benchmarks._listwise import fit
from benchmarks._signals import Judged, Table, judged, look
from benchmarks.localization import load, share_within
from trajectories.errors import SweAgentError

FILES = (
    "text", "title", "past", "commit_message", "commit", "path", "link", "trace", "class", "class_in_title", "function",
    "method", "stem", "message",
)  # fmt: skip
FUNCTIONS = (
    "file", "file_rank", "text", "title", "text_rank_in_file", "covered", "link", "trace", "called", "method",
    "class_in_title", "name", "class_name", "special", "length", "message", "past_lines",
    "spread",
)  # fmt: skip
MASKED = ("commit", "link")
FILES_L2, FUNCTIONS_L2 = 1.0, 3.0
TRAINED_FILES, TRAINED_FUNCTIONS = 100, 300
"""Candidates of an instance that are learned from; all are scored."""
WEIGHTS = Path(__file__).parent.parent / "aci" / "localization" / "weights.json"


@dataclass(frozen=True, slots=True)
class Scored:
    """The rank of the worst-placed gold place for each instance (0: not among the candidates)."""

    files: list[int]
    functions: list[int]
    """Of the instances whose functions are scored, in order."""


def file_features(one: Judged, names: Sequence[str], mask: bool = False) -> Floats:
    return _columns(one.files, names, mask)


def function_features(one: Judged, names: Sequence[str], of_files: Floats, mask: bool = False) -> Floats:
    """`of_files` are the scores of the instance's files; see `Search._add_signals` for what comes of them."""
    own = _columns(one.functions, [name for name in names if not name.startswith("file")], mask)
    order = np.empty(len(of_files))
    order[np.argsort(-of_files, kind="stable")] = np.arange(len(of_files))
    derived = {"file": 1 + np.maximum(of_files - of_files.max(), -8.0) / 8, "file_rank": 1 / (1 + order)}
    columns = iter(own.T)
    return np.stack([derived[name][one.of_file] if name in derived else next(columns) for name in names], 1)


def _columns(table: Table, names: Sequence[str], mask: bool) -> Floats:
    if not len(table.gold):
        return np.zeros((0, len(names)))
    values = table.values[:, [table.signals.index(name) for name in names]]
    if mask:
        values[:, [name in MASKED for name in names]] = 0.0
    return values


def cross_validated(
    data: Sequence[Judged], files: Sequence[str] = FILES, functions: Sequence[str] = FUNCTIONS
) -> tuple[Scored, Scored]:
    """With every repository left out in turn: as it is, and masked."""
    plain, masked = Scored([0] * len(data), [0] * len(data)), Scored([0] * len(data), [0] * len(data))
    for repository in sorted({one.repository for one in data}):
        known = [one for one in data if one.repository != repository]
        weights = fitted(known, files, functions)
        for number, one in enumerate(data):
            if one.repository == repository:
                for scored, mask in ((plain, False), (masked, True)):
                    of_file, of_function = ranks(one, weights, files, functions, mask)
                    scored.files[number], scored.functions[number] = of_file, of_function
    kept = [number for number, one in enumerate(data) if is_scored(one)]
    return (
        Scored(plain.files, [plain.functions[number] for number in kept]),
        Scored(masked.files, [masked.functions[number] for number in kept]),
    )


def is_scored(one: Judged) -> bool:
    """Whether an instance has functions to find."""
    return bool(one.functions.gold.any()) or not one.functions.complete


def fitted(data: Sequence[Judged], files: Sequence[str], functions: Sequence[str]) -> tuple[Floats, Floats]:
    of_files = fit(
        [
            (file_features(one, files)[kept], one.files.gold[kept])
            for one in data
            for kept in (_likeliest(one.files, TRAINED_FILES),)
        ],
        FILES_L2,
    )
    pairs = [
        (
            function_features(one, functions, file_features(one, files) @ of_files)[kept],
            one.functions.gold[kept],
        )
        for one in data
        if len(one.functions.gold)
        for kept in (_likeliest(one.functions, TRAINED_FUNCTIONS),)
    ]
    return of_files, fit(pairs, FUNCTIONS_L2) if pairs else np.zeros(len(functions))


def _likeliest(table: Table, most: int) -> Flags:
    kept = np.zeros(len(table.gold), bool)
    kept[np.argsort(-look(table), kind="stable")[:most]] = True
    return kept


def ranks(
    one: Judged, weights: tuple[Floats, Floats], files: Sequence[str], functions: Sequence[str], mask: bool
) -> tuple[int, int]:
    of_files = file_features(one, files, mask) @ weights[0]
    found = worst(of_files, one.files)
    if not len(one.functions.gold):
        return found, 0
    return found, worst(function_features(one, functions, of_files, mask) @ weights[1], one.functions)


def worst(scores: Floats, table: Table) -> int:
    """The rank of the last gold place, each place counted once, where its best candidate stands; 0 for no rank."""
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


def ablation(data: Sequence[Judged], tell: Callable[[str], None]) -> None:
    for name in FILES:
        tell(line(f"files without {name}", *cross_validated(data, [one for one in FILES if one != name])))
    for name in FUNCTIONS:
        rest = [one for one in FUNCTIONS if one != name]
        tell(line(f"functions without {name}", *cross_validated(data, FILES, rest)))


def by_repository(data: Sequence[Judged], tell: Callable[[str], None]) -> None:
    plain, masked = cross_validated(data)
    scored = [number for number, one in enumerate(data) if is_scored(one)]
    for repository in sorted({one.repository for one in data}):
        ours = [number for number, one in enumerate(data) if one.repository == repository]
        places = [place for place, number in enumerate(scored) if data[number].repository == repository]

        def part(of: Scored, ours: list[int] = ours, places: list[int] = places) -> Scored:
            return Scored([of.files[number] for number in ours], [of.functions[place] for place in places])

        tell(line(f"{repository} ({len(ours)})", part(plain), part(masked)))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_localization", description=__doc__.split("\n")[0])
    for name in ("instances", "gold", "repos", "cache", "signals"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--ablation", action="store_true", help="each signal left out in turn")
    parser.add_argument("--write", action="store_true", help="fit on all instances and keep the weights")
    options = parser.parse_args(arguments)
    try:
        instances = load(options.instances, options.gold, options.repos)
        data = [judged(instance, options.cache, options.signals) for instance in instances]
    except SweAgentError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    print(f"{len(data):<32} files @1/@3/@5  functions @1/@5/@10")
    print(line("all signals", *cross_validated(data)), flush=True)
    by_repository(data, print)
    if options.ablation:
        ablation(data, lambda said: print(said, flush=True))
    if options.write:
        write(*fitted(data, FILES, FUNCTIONS))
    return 0


def write(of_files: Floats, of_functions: Floats) -> None:
    kinds = {"files": zip(FILES, of_files, strict=True), "functions": zip(FUNCTIONS, of_functions, strict=True)}
    kept = {kind: {name: round(float(weight), 3) for name, weight in pairs} for kind, pairs in kinds.items()}
    WEIGHTS.write_text(json.dumps(kept, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
