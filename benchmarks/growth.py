"""Accuracy of fitted growth: whether it identifies the faster-growing of two solutions, and the error of its exponents.

    python -m benchmarks.growth [--only NAME ..] [--backend NAME] [--workspace local] [--image I] [--json FILE]

The instructions of a warm call of both solutions of each pair in `_growth_pairs` are counted at the same sizes, and
their growth is fitted. For comparison, the known cost in steps is fitted over the same sizes. A pair is a miss if the
slower solution does not have the greater exponent; a function is a miss if its exponent differs from that of the known
cost by more than 0.15. Exits with 1 if there is a miss.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from aci.repository.user_repository import Repository
from aci.runtime.target_function import Target
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from benchmarks._growth_pairs import PAIRS, Cost, Pair
from extensions.optimize.measurement.efficiency import Growth, fit_growth
from extensions.optimize.measurement.instruction_count import count_calls, fork_for_counting
from trajectories.git_store.git_commands import QUIET, environment
from trajectories.git_store.trees import Trees

TOLERANCE = 0.15
FILE = "growth_pairs.py"


class Call(NamedTuple):
    data: bytes


@dataclass(frozen=True)
class Fitted:
    """One function: the fits of its counts and of its known cost, over the same sizes."""

    name: str
    counted: Growth
    known: Growth

    @property
    def difference(self) -> float:
        return abs(self.counted.exponent - self.known.exponent)

    @property
    def is_covered(self) -> bool:
        return self.counted.low <= self.known.exponent <= self.counted.high


@dataclass(frozen=True)
class Measured:
    name: str
    slow: Fitted
    fast: Fitted
    backend: str

    @property
    def is_named(self) -> bool:
        """Whether the slower solution has the greater exponent."""
        return self.slow.counted.exponent > self.fast.counted.exponent

    @property
    def is_clear(self) -> bool:
        """Whether the ranges of the exponents do not overlap."""
        return self.fast.counted.is_below(self.slow.counted)


def measure(workspace: Workspace, pair: Pair, backend: str = "") -> Measured:
    """Count and fit both solutions. Raises UsageError if they cannot be counted."""
    calls = [Call(pickle.dumps((pair.make(size), {}), 4)) for size in pair.sizes]
    slow, fast = (
        count_calls(workspace, Target(FILE, function.__name__), calls, timeout=1800, backend=backend)
        for function in (pair.slow, pair.fast)
    )
    return Measured(
        pair.name,
        fitted(pair.slow.__name__, pair.sizes, [count.warm for count in slow.calls], pair.slow_cost),
        fitted(pair.fast.__name__, pair.sizes, [count.warm for count in fast.calls], pair.fast_cost),
        slow.backend,
    )


def fitted(name: str, sizes: Sequence[int], counts: Sequence[int], cost: Cost) -> Fitted:
    return Fitted(name, fit_growth(sizes, counts), fit_growth(sizes, [cost(size) for size in sizes]))


@contextmanager
def open_pairs(kind: str, image: str) -> Iterator[Workspace]:
    """Open a workspace that contains the solutions and permits counting."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-growth-") as home:
        place = Path(home, "repo")
        place.mkdir()
        place.joinpath(FILE).write_bytes(Path(__file__).with_name("_growth_pairs.py").read_bytes())
        author = ["-c", "user.name=growth", "-c", "user.email=growth@localhost"]
        for words in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "pairs"]):
            subprocess.run(["git", "-C", str(place), *words], check=True, env=environment(QUIET))
        repository, trees = Repository.open(place), Trees(Path(home, "trees.git"))
        base = repository.base(trees)
        opened = open_workspace(kind, WorkspaceOptions(repository, base, trees, image=image, say=lambda _: None))
        try:
            fork = fork_for_counting(opened, base.tree)
            try:
                yield fork
            finally:
                fork.close()
        finally:
            opened.close()
            trees.close()


def row(found: Measured) -> str:
    def one(side: Fitted) -> str:
        growth = side.counted
        mark = " " if side.difference <= TOLERANCE else "!"
        return f"{growth.exponent:5.2f} [{growth.low:5.2f}, {growth.high:5.2f}] {side.known.exponent:5.2f}{mark}"

    return f"{found.name:26} {one(found.slow)}   {one(found.fast)}   {'named' if found.is_named else 'MISSED'}"


def summary(found: Sequence[Measured]) -> str:
    sides = [side for one in found for side in (one.slow, one.fast)]
    within = sum(side.difference <= TOLERANCE for side in sides)
    named, clear = sum(one.is_named for one in found), sum(one.is_clear for one in found)
    covered, most = sum(side.is_covered for side in sides), max(side.difference for side in sides)
    lines = [
        f"named right: {named} of {len(found)} pairs, {clear} of them with ranges apart",
        f"exponent within ±{TOLERANCE} of the known cost's: {within} of {len(sides)}, largest difference {most:.2f}",
        f"range contains the known cost's exponent: {covered} of {len(sides)}",
        f"counted by: {', '.join(sorted({one.backend for one in found}))}",
    ]
    lines += [f"miss: {one.name}" for one in found if not one.is_named]
    lines += [f"miss: {side.name}, off by {side.difference:.2f}" for side in sides if side.difference > TOLERANCE]
    return "\n".join(lines)


def is_good(found: Sequence[Measured]) -> bool:
    return all(one.is_named and max(one.slow.difference, one.fast.difference) <= TOLERANCE for one in found)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only pairs whose names start with one of these")
    parser.add_argument("--backend", default="", help="counting backend (default: the first that works)")
    parser.add_argument("--workspace", default="local")
    parser.add_argument("--image", default="")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    args = parser.parse_args(arguments)
    pairs = [pair for pair in PAIRS if not args.only or pair.name.startswith(tuple(args.only))]
    if not pairs:
        parser.error("no pair has such a name")
    print(f"{'':26} {'slower: exponent, range, known':29}   faster")
    found = []
    with open_pairs(args.workspace, args.image) as workspace:
        for pair in pairs:
            found.append(measure(workspace, pair, args.backend))
            print(row(found[-1]), flush=True)
            if args.json:
                args.json.write_text(json.dumps([_plain(one) for one in found], indent=1) + "\n")
    print(summary(found))
    return 0 if is_good(found) else 1


def _plain(found: Measured) -> dict[str, Any]:
    return {**asdict(found), "named": found.is_named}


if __name__ == "__main__":
    sys.exit(main())
