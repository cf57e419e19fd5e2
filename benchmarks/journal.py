"""Cost of a run's record, in time and memory.

    python -m benchmarks.journal [--steps 2000] [--megabytes 1000] [--folder DIR]

First compares journaling a step (a hold, a reply with its settlement, a whole output, the step) with the same bare
writes and fsyncs, alternating in one process on one disk: once with an output of the run's average size, once without.
Then executes a run of `--steps` steps whose commands print `--megabytes` in total, and reports, for each tenth of it,
the memory of the process and the CPU time of a step; and the time to read its journal. Exits with 1 if journaling takes
more than 1.5 times as long as the bare writes, or if memory grows by more than 2 % of the output: the record objects
stay in memory, and each contains the text that was shown to the model.
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
from agent.lifecycle.run_lifecycle import begin, reopen, solve
from trajectories.journal import Journal, encode, read
from trajectories.records import Action, Hold, Issue, Observation, Record, Reply, Settle, Step, Usage

MAX_RATIO = 1.5
MAX_MEMORY_GROWTH = 0.02
"""Bytes of memory per byte of output."""
COMPARED_STEPS = 200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, metavar="N")
    parser.add_argument("--megabytes", type=int, default=1000, metavar="N")
    parser.add_argument("--folder", type=Path, help="folder on the disk to measure")
    options = parser.parse_args()
    size = options.megabytes * 1_000_000 // max(1, options.steps)
    with tempfile.TemporaryDirectory(prefix="swe-agent-journal-", dir=options.folder) as name:
        ratios = [_compare(Path(name) / str(output), output) for output in (0, size)]
        return int(not (_measure_run(Path(name), options.steps, size) and max(ratios) <= MAX_RATIO))


# A step's journaling


def _compare(folder: Path, size: int) -> float:
    """The ratio of the time to journal a step to the time of its bare writes."""
    journal, bare = Journal(folder / "journaled"), BareWriter(folder / "bare")
    output = os.urandom(size)
    took: dict[str, list[float]] = {"journaled": [], "bare": []}
    fsyncs: list[int] = []
    for n in range(1, COMPARED_STEPS + 1):
        lines: list[list[Record]] = [[_hold(n)], [_reply(n), _settle(n)], [_step(n, bool(size))]]
        encoded = [b"".join(encode(record) for record in records) for records in lines]
        for way in sorted(took, reverse=n % 2 == 0):
            with _count_fsyncs(fsyncs if way == "journaled" else []):
                work = (_write_journal, journal, lines) if way == "journaled" else (bare.write, encoded)
                took[way].append(_time_call(*work, output))
    journal.close()
    ours, theirs = (1000 * statistics.median(times) for times in took.values())
    description = f"an output of {size / 1000:,.0f} kB" if size else "no output"
    print(
        f"a step with {description}: journaled {ours:.2f} ms, bare {theirs:.2f} ms, {ours / theirs:.2f} times; "
        f"{len(fsyncs) / COMPARED_STEPS:g} fsyncs, {len(b''.join(encoded)):,} bytes of records"
    )
    return ours / theirs


def _write_journal(journal: Journal, lines: list[list[Record]], output: bytes) -> None:
    *before, step = lines
    for records in before:
        journal.append(*records)
    if output:
        journal.keep(output)
    journal.append(*step)


class BareWriter:
    """Writes the same bytes to the same kinds of files, with the same fsyncs."""

    def __init__(self, folder: Path) -> None:
        (folder / "out").mkdir(parents=True)
        self._folder, self._outputs = folder, 0
        self._file = os.open(folder / "journal.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, encoded: list[bytes], output: bytes) -> None:
        *before, step = encoded
        for lines in before:
            self._append(lines)
        if output:
            self._write_output(output)
        self._append(step)

    def _append(self, lines: bytes) -> None:
        os.write(self._file, lines)
        os.fsync(self._file)

    def _write_output(self, output: bytes) -> None:
        self._outputs += 1
        target = self._folder / "out" / str(self._outputs)
        file = os.open(f"{target}.new", os.O_WRONLY | os.O_CREAT)
        os.write(file, output)
        os.fsync(file)
        os.close(file)
        Path(f"{target}.new").rename(target)
        folder = os.open(target.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


@contextmanager
def _count_fsyncs(fsyncs: list[int]) -> Iterator[None]:
    """Record each fsync in the body of the `with` statement."""
    fsync: Any = os.fsync

    def counted_fsync(file: int) -> None:
        fsyncs.append(file)
        fsync(file)

    os.fsync = counted_fsync  # type: ignore[assignment]
    try:
        yield
    finally:
        os.fsync = fsync


def _time_call(work: Callable[..., None], *arguments: object) -> float:
    began = time.perf_counter()
    work(*arguments)
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
    observation = Observation(TEXT * 60, out=n if cut else None)
    return Step("main", n, f"main#{n - 1}", "coder", "4" * 40, n, (EDIT,), (observation,))


# A long run


def _measure_run(folder: Path, steps: int, size: int) -> bool:
    """Execute a long run; return whether the memory of its process stays within the bound."""
    repository = _repository(folder / "repository")
    script = folder / "script.jsonl"
    script.write_text("".join(f"{json.dumps(line)}\n" for line in _script(steps, size)))
    settings = Settings(
        model=f"scripted:{script}", workspace="local", strategy="react", state=folder / "state", max_steps=steps + 9,
        budget=1e9, max_time=None,
    )  # fmt: skip
    directory = begin(Issue("Print much"), Repository.open(repository), settings)
    tenths = list(_measure_tenths(directory, settings, max(1, steps // 10)))
    journal = (directory / "journal.jsonl").stat().st_size
    outputs = sum(file.stat().st_size for file in (directory / "out").iterdir())
    print(f"{steps:,} steps with {outputs / 1e6:,.0f} MB of outputs and {journal / 1e6:.1f} MB of records")
    for tenth, (memory, seconds) in enumerate(tenths, 1):
        print(f"  {10 * tenth:3} %: {memory / 1e6:6.0f} MB of memory, {1000 * seconds:6.0f} ms of CPU per step")
    began = time.perf_counter()
    read(directory)
    print(f"reading the journal: {time.perf_counter() - began:.2f} s")
    return tenths[-1][0] - tenths[0][0] <= MAX_MEMORY_GROWTH * outputs


def _measure_tenths(directory: Path, settings: Settings, tenth: int) -> Iterator[tuple[int, float]]:
    """For each tenth of the run: bytes of memory at its end, and CPU seconds of this process per step."""
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
    lines = size * 3 // 4 // 8  # lines of seven digits
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
    author = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.com")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "Import")):
        subprocess.run(["git", *author, *command], cwd=folder, check=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
