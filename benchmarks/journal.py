"""What a run's record costs: `python -m benchmarks.journal [--steps 2000] [--megabytes 1000] [--folder DIR]`.

First a step's journaling (a hold, a reply with its settle, a whole output, the step) beside the same writes and fsyncs
done bare, turn about in one process on one disk; once with an output of the size that the run's have, once without.
Then a real run of so many steps, whose commands print so many megabytes together: memory of the process, and what a
step costs it, in its first, second, … tenth; and how long it takes to read its journal. Exits with 1 if journaling
takes more than 1.5 times the bare writes, or memory grows by more than 2 % of what was printed: what stays is the
records, as objects, and each holds what a model was shown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.engine.run_lifecycle import begin, reopen, solve
from trajectories.journal import Journal, encode, read
from trajectories.records import Action, Hold, Issue, Observation, Record, Reply, Settle, Step, Usage

MOST = 1.5
MOST_KEPT = 0.02
TIMED = 200
"""Steps of the comparison."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, metavar="N")
    parser.add_argument("--megabytes", type=int, default=1000, metavar="N")
    parser.add_argument("--folder", type=Path, help="on the disk to be tried")
    asked = parser.parse_args()
    size = asked.megabytes * 1_000_000 // max(1, asked.steps)
    with tempfile.TemporaryDirectory(prefix="swe-agent-journal-", dir=asked.folder) as name:
        ratios = [_compared(Path(name) / str(output), output) for output in (0, size)]
        return int(not (_run(Path(name), asked.steps, size) and max(ratios) <= MOST))


# A step's journaling


def _compared(folder: Path, size: int) -> float:
    """The cost of journaling a step by that of its bare writes."""
    journal, bare = Journal(folder / "journaled"), Bare(folder / "bare")
    output = os.urandom(size)
    took: dict[str, list[float]] = {"journaled": [], "bare": []}
    fsyncs: list[int] = []
    for n in range(1, TIMED + 1):
        lines: list[list[Record]] = [[_hold(n)], [_reply(n), _settle(n)], [_step(n, bool(size))]]
        encoded = [b"".join(encode(record) for record in records) for records in lines]
        for way in sorted(took, reverse=n % 2 == 0):
            with _counting(fsyncs if way == "journaled" else []):
                given = (_journaled, journal, lines) if way == "journaled" else (bare.write, encoded)
                took[way].append(_timed(*given, output))
    journal.close()
    ours, theirs = (1000 * statistics.median(times) for times in took.values())
    what = f"an output of {size / 1000:,.0f} kB" if size else "no output"
    print(
        f"a step with {what}: journaled {ours:.2f} ms, bare {theirs:.2f} ms, {ours / theirs:.2f} times; "
        f"{len(fsyncs) / TIMED:g} fsyncs, {len(b''.join(encoded)):,} bytes of records"
    )
    return ours / theirs


def _journaled(journal: Journal, lines: list[list[Record]], output: bytes) -> None:
    *before, step = lines
    for records in before:
        journal.append(*records)
    if output:
        journal.keep(output)
    journal.append(*step)


class Bare:
    """The same bytes to the same kinds of files, synced at the same moments."""

    def __init__(self, folder: Path) -> None:
        (folder / "out").mkdir(parents=True)
        self._folder, self._kept = folder, 0
        self._file = os.open(folder / "journal.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, encoded: list[bytes], output: bytes) -> None:
        *before, step = encoded
        for lines in before:
            self._append(lines)
        if output:
            self._keep(output)
        self._append(step)

    def _append(self, lines: bytes) -> None:
        os.write(self._file, lines)
        os.fsync(self._file)

    def _keep(self, output: bytes) -> None:
        self._kept += 1
        target = self._folder / "out" / str(self._kept)
        file = os.open(f"{target}.new", os.O_WRONLY | os.O_CREAT)
        os.write(file, output)
        os.fsync(file)
        os.close(file)
        Path(f"{target}.new").rename(target)
        folder = os.open(target.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


@contextmanager
def _counting(fsyncs: list[int]) -> Iterator[None]:
    """Notes each fsync of what is done inside."""
    fsync: Any = os.fsync

    def noting(file: int) -> None:
        fsyncs.append(file)
        fsync(file)

    os.fsync = noting  # type: ignore[assignment]
    try:
        yield
    finally:
        os.fsync = fsync


def _timed(work: Callable[..., None], *given: object) -> float:
    began = time.perf_counter()
    work(*given)
    return time.perf_counter() - began


TEXT = "    found = [entry for entry in listing if entry.name.startswith(prefix)]\n"
EDIT = Action("edit", {"path": "pkg/listing.py", "old": TEXT * 4, "new": TEXT * 5}, "call_1")


def _hold(n: int) -> Hold:
    return Hold("main", n, 1, "openai/model", 0.01, 9000)


def _reply(n: int) -> Reply:
    return Reply("The prefix is compared too late.", (EDIT,), usage=Usage(9000, 300), branch="main", ask=n)


def _settle(n: int) -> Settle:
    return Settle(f"main?{n}.1", Usage(9000, 300), 0.01, "usage")


def _step(n: int, cut: bool) -> Step:
    seen = Observation(TEXT * 60, out=n if cut else None)
    return Step("main", n, f"main#{n - 1}", "coder", "4" * 40, n, (EDIT,), (seen,))


# A long run


def _run(folder: Path, steps: int, size: int) -> bool:
    """Whether the memory of a run's process stays what it was."""
    repository = _repository(folder / "repository")
    script = folder / "script.jsonl"
    script.write_text("".join(f"{json.dumps(line)}\n" for line in _script(steps, size)))
    settings = Settings(
        model=f"scripted:{script}", workspace="local", strategy="react", state=folder / "state", max_steps=steps + 9,
        budget=1e9, max_time=None,
    )  # fmt: skip
    directory = begin(Issue("Print much"), Repository.open(repository), settings)
    seen = list(_watched(directory, settings, max(1, steps // 10)))
    journal = (directory / "journal.jsonl").stat().st_size
    outputs = sum(file.stat().st_size for file in (directory / "out").iterdir())
    print(f"{steps:,} steps with {outputs / 1e6:,.0f} MB of outputs and {journal / 1e6:.1f} MB of records")
    for tenth, (memory, seconds) in enumerate(seen, 1):
        print(f"  {10 * tenth:3} %: {memory / 1e6:6.0f} MB of memory, {1000 * seconds:6.0f} ms of CPU a step")
    began = time.perf_counter()
    read(directory)
    print(f"the journal is read in {time.perf_counter() - began:.2f} s")
    return seen[-1][0] - seen[0][0] <= MOST_KEPT * outputs


def _watched(directory: Path, settings: Settings, tenth: int) -> Iterator[tuple[int, float]]:
    """Of each tenth of the run: bytes of memory at its end, and this process's CPU seconds a step."""
    engine = reopen(directory, settings.state)
    began = time.process_time()
    try:
        for number, _ in enumerate(solve(engine), 1):
            if number % tenth == 0:
                yield _memory(), (time.process_time() - began) / tenth
                began = time.process_time()
    finally:
        engine.close()


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _script(steps: int, size: int) -> Iterator[dict[str, object]]:
    lines = size * 3 // 4 // 8  # of seven digits each
    for n in range(1, steps):
        command = f"seq {1_000_000 + n} {1_000_000 + n + lines} | base64"
        yield _line(n, {"tool": "shell", "arguments": {"command": command}})
    yield _line(steps, {"tool": "submit", "arguments": {"summary": "Printed."}})
    yield _line(steps + 1, {"tool": "submit", "arguments": {"summary": "Printed."}})


def _line(n: int, action: dict[str, object]) -> dict[str, object]:
    usage = {"input_tokens": 1000, "output_tokens": 50}
    return {"branch": "main", "n": n, "reply": {"text": f"Number {n}.", "actions": [action], "usage": usage}}


def _repository(folder: Path) -> Path:
    folder.mkdir()
    (folder / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "Import")):
        subprocess.run(["git", *who, *command], cwd=folder, check=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
