"""Localization and repair without a model by different versions of this program, on tasks that `synth` wrote.

    python -m benchmarks.self TASKS.jsonl ... [--swe-agent COMMAND --version REV] [--fix N] [--seconds S] [--workers N]
        [--out HISTORY.jsonl] [--plot FILE.svg]

The base of each task is checked out into a temporary folder, where the command line of one version runs as a separate
process: `locate --text … --json` gives the ranks of the first changed file and function, `fix --text … --strategy
templates --workspace local --json` a patch. It is right if all tests in FAIL_TO_PASS and PASS_TO_PASS pass with it.
`--fix N` runs `fix` on N tasks of each kind only, taken from each file in turn: one takes 50 CPU seconds or more.

COMMAND starts the version REV of this repository, by default this checkout. An earlier version needs a checkout only:

    --swe-agent "python -P -c 'import sys; sys.path.insert(0, \"CHECKOUT\"); from swe_agent import main; main()'"

The tests of the tasks run with the `python` on PATH, so activate an environment with their packages. Results are kept
in TASKS.measured.jsonl beside each file: run the same command again after an interruption, or to try what failed again.
`--out` gets one line for each version and set of tasks, and `--plot` draws the lines of this set.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, closing
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks._process_cpu import adopt_orphans
from benchmarks._self_chart import chart
from benchmarks._self_task import (
    DONE,
    FAILED,
    FIX,
    LOCATE,
    NO_PATCH,
    OUT_OF_TIME,
    RIGHT,
    TOP,
    WRONG,
    Task,
    measure_task,
    read_tasks,
)
from extensions.lab.instances.append_log import AppendLog
from extensions.lab.instances.dataset_rows import rows as read_rows
from trajectories.errors import Cancelled, SweAgentError, UsageError, WorkspaceError

ROOT = Path(__file__).parents[1]
START = "import sys; sys.path.insert(0, {0!r}); from swe_agent import main; main()"
SECONDS = 900.0
"""Time limit of one command in seconds; a repair takes much longer than its CPU time on a busy machine."""
RANKS = 1, 5, TOP
KEY = "version", "what", "task", "limit"
"""The fields that identify a result."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of this program, and the words of the command that starts it."""

    name: str
    date: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One command to measure on one task."""

    what: str
    task: Task


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="+", type=Path, metavar="TASKS.jsonl")
    parser.add_argument("--swe-agent", metavar="COMMAND", help="starts the version; default: this checkout")
    parser.add_argument("--version", metavar="REV", help="what COMMAND starts, as a revision of this repository")
    parser.add_argument("--fix", type=int, metavar="N", help="run fix on N tasks of each kind only")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time limit of one command")
    parser.add_argument("--workers", type=int, default=1, help="tasks measured at a time")
    parser.add_argument("--out", type=Path, metavar="HISTORY.jsonl")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    options = parser.parse_args(arguments)
    try:
        version = find_version(options.swe_agent, options.version)
        jobs = choose_jobs(read_tasks(options.tasks), options.fix)
        measured = measure(jobs, version, options.seconds, options.workers, print)
        line = history_line(version, jobs, measured, options.seconds)
        print(json.dumps(line, indent=1))
        lines = add_line(options.out, line) if options.out else [line]
        if options.plot:
            options.plot.write_text(chart([one for one in lines if one["tasks"] == line["tasks"]]), "utf-8")
    except SweAgentError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again to continue.", file=sys.stderr)
        return Cancelled.code
    return 0


def find_version(command: str | None, revision: str | None) -> Version:
    """Return the version that a command starts. Raises UsageError for an unknown revision."""
    if (command is None) != (revision is None):
        raise UsageError("--swe-agent and --version belong together.", "Give both, or neither for this checkout.")
    git = ["git", "-C", str(ROOT)]
    shown = subprocess.run(
        [*git, "log", "-1", "--format=%H %cI", f"{revision or 'HEAD'}^{{commit}}", "--"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if shown.returncode:
        raise UsageError(f"There is no revision {revision or 'HEAD'!r} in {ROOT}.", "Give a commit or a tag of it.")
    commit, date = shown.stdout.split()
    if command is not None:
        return Version(commit[:8], date, tuple(shlex.split(command)))
    words = sys.executable, "-P", "-c", START.format(str(ROOT))
    return Version(f"{commit[:8]}{_changes(git)}", date, words)


def _changes(git: Sequence[str]) -> str:
    """Return a suffix that names the uncommitted changes of this checkout, "" if there are none."""
    new = subprocess.run([*git, "ls-files", "--others", "--exclude-standard", "*.py"], capture_output=True, check=True)
    changed = subprocess.run([*git, "diff", "HEAD"], capture_output=True, check=True).stdout
    data = b"".join([changed, *((ROOT / os.fsdecode(path)).read_bytes() for path in new.stdout.splitlines())])
    return f"-changed-{sha256(data).hexdigest()[:8]}" if data else ""


def choose_jobs(tasks: Sequence[Task], fixed: int | None = None) -> list[Job]:
    """Return `locate` of all tasks, then `fix` of `fixed` tasks of each kind, taken from each file in turn (default:
    all)."""
    numbers: Counter[tuple[Path, str]] = Counter()
    turns = []
    for task in tasks:
        turns.append((numbers[task.file, task.kind], task))
        numbers[task.file, task.kind] += 1
    taken: Counter[str] = Counter()
    chosen = []
    for _, task in sorted(turns, key=lambda turn: turn[0]):
        if fixed is None or taken[task.kind] < fixed:
            taken[task.kind] += 1
            chosen.append(task)
    return [*(Job(LOCATE, task) for task in tasks), *(Job(FIX, task) for task in chosen)]


def measure(
    jobs: Sequence[Job], version: Version, seconds: float, workers: int, say: Callable[[str], None]
) -> list[Row]:
    """Return a row for each job, in their order; jobs that have a row from an earlier call are not measured again,
    unless they failed.

    Raises WorkspaceError if the machine fails.
    """
    known: dict[tuple[object, ...], Row] = {}

    def add(line: bytes) -> None:
        row = dict(json.loads(line))
        known[tuple(row.get(name) for name in KEY)] = row

    keys = {job: (version.name, job.what, job.task.digest, seconds) for job in jobs}
    with ExitStack() as stack:
        files = {measured_file(job.task) for job in jobs}
        logs = {file: stack.enter_context(closing(AppendLog(file, add))) for file in files}
        missing = [job for job in jobs if known.get(keys[job], {}).get("outcome", FAILED) == FAILED]
        pool = stack.enter_context(ProcessPoolExecutor(workers, get_context("spawn"), adopt_orphans))
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        waiting = {pool.submit(measure_task, job.what, job.task, version.command, seconds): job for job in missing}
        for number, future in enumerate(as_completed(waiting), 1):
            job, row = waiting[future], future.result()
            key = dict(zip(KEY, keys[job], strict=True))
            line = json.dumps({"id": job.task.instance.id, **key, **row}).encode() + b"\n"
            logs[measured_file(job.task)].append(line)
            add(line)
            result = " ".join(str(value) for value in row.values())
            say(f"{number}/{len(missing)} {job.what:6} {job.task.instance.id:40} {result}")
    return [known[keys[job]] for job in jobs]


def measured_file(task: Task) -> Path:
    """Return the file beside a task's file that holds its results."""
    return task.file.with_suffix(".measured.jsonl")


def history_line(version: Version, jobs: Sequence[Job], rows: Sequence[Row], seconds: float) -> Row:
    """Return the figures of a version, of all tasks, by kind and by operator.

    `tasks` identifies what was measured; figures of different tasks cannot be compared. Raises WorkspaceError if all
    measurements failed.
    """
    if all(row["outcome"] == FAILED for row in rows):
        raise WorkspaceError(f"Every command failed, with {rows[0].get('why', '')}.", "Check the command and PATH.")
    names = sorted(f"{job.what} {job.task.digest} {seconds:g}" for job in jobs)
    kinds, operators = defaultdict[str, list[Row]](list), defaultdict[str, list[Row]](list)
    for job, row in zip(jobs, rows, strict=True):
        kinds[job.task.kind].append(row)
        operators[job.task.operator].append(row)
    digest = sha256("\n".join(names).encode()).hexdigest()[:12]
    head = {"version": version.name, "date": version.date, "tasks": digest, "limit": seconds}
    parts = {"kinds": kinds, "operators": operators}
    figures = {part: {name: figures_of(found) for name, found in sorted(of.items())} for part, of in parts.items()}
    return {**head, "all": figures_of(rows), **figures}


def figures_of(rows: Iterable[Row]) -> Row:
    """Return counts of tasks and mean CPU seconds; a rank @k counts tasks, and `wrong_verified` counts patches of
    which `fix` called the proof complete (plausible or verified) although tests fail with them."""
    parts: dict[str, list[Row]] = {LOCATE: [], FIX: []}
    for row in rows:
        parts[row["what"]].append(row)
    outcomes = Counter(row["outcome"] for row in parts[FIX])
    located = {
        "tasks": len(parts[LOCATE]),
        **{
            f"{place}@{k}": sum((row[place] or TOP + 1) <= k for row in _at(parts[LOCATE], DONE))
            for place in ("file", "function")
            for k in RANKS
        },
        OUT_OF_TIME: len(_at(parts[LOCATE], OUT_OF_TIME)),
        FAILED: len(_at(parts[LOCATE], FAILED)),
        "cpu": _mean(parts[LOCATE]),
    }
    fixed = {
        "tasks": len(parts[FIX]),
        **{outcome: outcomes[outcome] for outcome in (RIGHT, WRONG, NO_PATCH, OUT_OF_TIME, FAILED)},
        "right_verified": sum(row["verified"] for row in _at(parts[FIX], RIGHT)),
        "wrong_verified": sum(row["verified"] for row in _at(parts[FIX], WRONG)),
        "cpu": _mean(parts[FIX]),
    }
    return {LOCATE: located, FIX: fixed}


def _at(rows: Sequence[Row], outcome: str) -> list[Row]:
    return [row for row in rows if row["outcome"] == outcome]


def _mean(rows: Sequence[Row]) -> float:
    return round(sum(float(row["cpu"]) for row in rows) / max(len(rows), 1), 2)


def read_history(file: Path) -> list[Row]:
    """Return the lines of a history, none if there is no file. Raises UsageError."""
    return [line for _, line in read_rows(file)] if file.exists() else []


def add_line(file: Path, line: Row) -> list[Row]:
    """Add a version's line to the history, in the place of an earlier one of the same tasks; return all lines."""
    key = line["version"], line["tasks"]
    kept = [one for one in read_history(file) if (one["version"], one["tasks"]) != key]
    lines = sorted([*kept, line], key=lambda one: (one["tasks"], one["date"]))
    written = file.with_suffix(".new")
    written.write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    written.replace(file)
    return lines


if __name__ == "__main__":
    sys.exit(main())
