"""Whether fitted growth tells which of two solutions grows slower, and how fast each grows.

    python -m benchmarks.growth [--only NAME ..] [--backend NAME] [--workspace local] [--image I] [--json FILE]

Each pair of `_growth_pairs` is counted at the same sizes, instructions of a warm call, and fitted. Beside it stands the
fit of the known cost, in steps, over the same sizes. A pair is a miss if the slower one is not named by its greater
exponent, a function if its exponent is off the known cost's by more than 0.15. Exits with 1 if there is a miss.
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

from aci.performance.efficiency import Growth, fit_growth
from aci.performance.instruction_count import count_calls, fork_for_counting
from aci.performance.target_function import Target
from aci.repository.user_repository import Repository
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from benchmarks._growth_pairs import PAIRS, Cost, Pair
from trajectories.git_store.git_commands import QUIET, environment
from trajectories.git_store.trees import Trees

TOLERANCE = 0.15
FILE = "growth_pairs.py"


class Call(NamedTuple):
    data: bytes


@dataclass(frozen=True)
class Fitted:
    """One function: what was counted, and the fit of its known cost over the same sizes."""

    name: str
    counted: Growth
    known: Growth

    @property
    def off(self) -> float:
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
        """Whether the fit names the right one."""
        return self.slow.counted.exponent > self.fast.counted.exponent

    @property
    def is_clear(self) -> bool:
        """Whether the ranges do not even touch."""
        return self.fast.counted.is_below(self.slow.counted)


def measure(room: Workspace, pair: Pair, backend: str = "") -> Measured:
    """Count and fit both solutions. Raises UsageError where they cannot be counted."""
    calls = [Call(pickle.dumps((pair.make(size), {}), 4)) for size in pair.sizes]
    slow, fast = (
        count_calls(room, Target(FILE, function.__name__), calls, timeout=1800, backend=backend)
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
def room_of_pairs(workspace: str, image: str) -> Iterator[Workspace]:
    """A room that holds the solutions, and that may count."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-growth-") as home:
        place = Path(home, "repo")
        place.mkdir()
        place.joinpath(FILE).write_bytes(Path(__file__).with_name("_growth_pairs.py").read_bytes())
        who = ["-c", "user.name=growth", "-c", "user.email=growth@localhost"]
        for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "pairs"]):
            subprocess.run(["git", "-C", str(place), *words], check=True, env=environment(QUIET))
        repository, trees = Repository.open(place), Trees(Path(home, "trees.git"))
        base = repository.base(trees)
        opened = open_workspace(workspace, WorkspaceOptions(repository, base, trees, image=image, say=lambda _: None))
        try:
            room = fork_for_counting(opened, base.tree)
            try:
                yield room
            finally:
                room.close()
        finally:
            opened.close()
            trees.close()


def row(found: Measured) -> str:
    def one(side: Fitted) -> str:
        growth = side.counted
        mark = " " if side.off <= TOLERANCE else "!"
        return f"{growth.exponent:5.2f} [{growth.low:5.2f}, {growth.high:5.2f}] {side.known.exponent:5.2f}{mark}"

    return f"{found.name:26} {one(found.slow)}   {one(found.fast)}   {'named' if found.is_named else 'MISSED'}"


def summary(found: Sequence[Measured]) -> str:
    sides = [side for one in found for side in (one.slow, one.fast)]
    within = sum(side.off <= TOLERANCE for side in sides)
    named, clear = sum(one.is_named for one in found), sum(one.is_clear for one in found)
    covered, most = sum(side.is_covered for side in sides), max(side.off for side in sides)
    lines = [
        f"named right: {named} of {len(found)} pairs, {clear} of them with ranges apart",
        f"exponent within ±{TOLERANCE} of the known cost's: {within} of {len(sides)}, farthest off {most:.2f}",
        f"range holds the known cost's exponent: {covered} of {len(sides)}",
        f"counted by: {', '.join(sorted({one.backend for one in found}))}",
    ]
    lines += [f"miss: {one.name}" for one in found if not one.is_named]
    lines += [f"miss: {side.name}, off by {side.off:.2f}" for side in sides if side.off > TOLERANCE]
    return "\n".join(lines)


def is_good(found: Sequence[Measured]) -> bool:
    return all(one.is_named and max(one.slow.off, one.fast.off) <= TOLERANCE for one in found)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="Pairs whose names begin so.")
    parser.add_argument("--backend", default="", help="The way to count; the first that works, if not said.")
    parser.add_argument("--workspace", default="local")
    parser.add_argument("--image", default="")
    parser.add_argument("--json", type=Path, help="Write all figures here.")
    args = parser.parse_args(arguments)
    pairs = [pair for pair in PAIRS if not args.only or pair.name.startswith(tuple(args.only))]
    if not pairs:
        parser.error("no pair has such a name")
    print(f"{'':26} {'slower: exponent, range, known':29}   faster")
    found = []
    with room_of_pairs(args.workspace, args.image) as room:
        for pair in pairs:
            found.append(measure(room, pair, args.backend))
            print(row(found[-1]), flush=True)
            if args.json:
                args.json.write_text(json.dumps([_plain(one) for one in found], indent=1) + "\n")
    print(summary(found))
    return 0 if is_good(found) else 1


def _plain(found: Measured) -> dict[str, Any]:
    return {**asdict(found), "named": found.is_named}


if __name__ == "__main__":
    sys.exit(main())
