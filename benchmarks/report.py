"""Cost of showing a long run with `show` and `report`.

    python -m benchmarks.report [--steps 2000] [--megabytes 1000] [--folder DIR]

Writes a run of `--steps` steps, each with 10 kB of text, of which every second changes a file; the outputs have
`--megabytes` in total. Then measures CPU seconds, wall seconds and memory of `show`, which prints the run, and of
`report`, which makes its page. With `--folder` the page is kept for `python -m benchmarks.page`. Exits with 1 if a
command takes more than 2 CPU seconds.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.journal import encode
from trajectories.records import (
    Action,
    Base,
    Exit,
    Hold,
    Issue,
    Observation,
    Record,
    Reply,
    Run,
    Settle,
    Step,
    Turn,
    Usage,
)
from trajectories.verdict import Verdict

MAX_CPU_SECONDS = 2.0
FILES, LINES, OBSERVATION = 200, 80, 10_000
WORDS = ("def", "return", "self.value", "assert", "error:", "tests/test_a.py", "0x7ffe", "None", "->", "alpha", "beta")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="where to write the run and the page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as temporary:
        folder = options.folder or Path(temporary)
        directory = make_run(folder / "long", options.steps, options.megabytes * 1_000_000)
        slow = False
        for command in (["show", str(directory)], ["report", str(directory), "--out", str(folder / "long.html")]):
            cpu, wall, memory = run_command([sys.executable, "-m", "swe_agent", *command])
            print(f"{command[0]}: {cpu:.2f} CPU s, {wall:.2f} s, {memory / 1e6:.0f} MB")
            slow |= cpu > MAX_CPU_SECONDS
        print(f"the page has {(folder / 'long.html').stat().st_size / 1e6:.0f} MB")
    return int(slow)


def make_run(directory: Path, steps: int, megabytes: int) -> Path:
    """Write the run; return its folder."""
    (directory / "out").mkdir(parents=True)
    with Trees(directory / "trees.git") as trees:
        lines = list(map(encode, records(directory, trees, steps, megabytes // steps)))
    (directory / "journal.jsonl").write_bytes(b"".join(lines))
    return directory


def records(directory: Path, trees: Trees, steps: int, size: int) -> Iterator[Record]:
    chance = random.Random(1)

    def text(lines: int) -> str:
        return "\n".join(" ".join(chance.choices(WORDS, k=9)) for _ in range(lines))

    tree = base = trees.write({f"src/m{n}.py": text(LINES).encode() for n in range(FILES)}, EMPTY_TREE)
    observations = [text(OBSERVATION // 50)[:OBSERVATION] for _ in range(50)]
    yield Run("long", Issue("A long run", text(40)), "/repository", Base("a" * 40, base), {"workspace": "local"})
    yield Turn("", "react", {"coder": "m"})
    for n in range(1, steps + 1):
        if n % 2 == 0:
            tree = trees.write({f"src/m{n % FILES}.py": text(LINES).encode()}, tree)
        with (directory / "out" / str(n)).open("wb") as file:
            file.truncate(size)  # sparse: it is not read, so it needs no disk space
        yield Hold("main", n, 1, "m", 0.02, 5000)
        actions = (Action("bash", {"command": f"grep -rn {n} src"}),)
        yield Reply("I look at it.", actions, text(5), branch="main", ask=n)
        yield Settle(f"main?{n}.1", Usage(4000 + n, 200, 3000), 0.01, "usage")
        parent = f"main#{n - 1}" if n > 1 else ""
        yield Step("main", n, parent, "coder", tree, n, actions, (Observation(chance.choice(observations), out=n),))
    yield Exit("verified", 0, tree, Verdict("verified", red=True, green=True, red_again=True, no_loss=True))


def run_command(command: list[str]) -> tuple[float, float, int]:
    """Run a command without its output; return its CPU seconds, wall seconds and peak bytes of memory."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(command[0], command)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}.")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
