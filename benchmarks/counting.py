"""Repeatability of instruction counts: repeated counts of the same functions, and the order of solutions by count.

    python -m benchmarks.counting --tasks DIR [--most N] [--repeats K] [--workspace local|docker] [--image I] [--json F]

DIR holds JSONL files with one task per line: {"task": name, "entry": "Solution.method" or "function", "solutions":
[Python text, ..], "calls": [[argument, ..], ..]}. All solutions of a task are correct, and each defines the entry.
Tasks of Mercury and EffiBench can be converted to this format; none are included in this repository. The first call of
a task is executed.

Prints the spread ((largest - smallest) / smallest) of the first solutions' counts over K fresh processes, and the
spread of their wall-clock times. Then takes all pairs of a task's solutions whose counts differ by 1 % or more, and
prints for how many of them two runs, which count the solutions in opposite orders, agree on the order.
"""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from aci.repository.user_repository import Repository
from aci.runtime.target_function import Target, python_line
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from extensions.optimize.measurement.instruction_count import Count, count_calls, fork_for_counting
from trajectories.git_store.trees import Trees

MIN_DIFFERENCE = 0.01
"""Smallest relative difference at which two counts are ordered."""

TARGET = Target("tasks.py", "solve")
SECONDS = 7200.0
_DISPATCH = """\
import importlib, json, sys, time
SOLUTIONS = {entries!r}
FOUND = []
for names, entry in SOLUTIONS:
    FOUND.append([])
    for name in names:
        found = importlib.import_module("solved." + name)
        for part in entry.split("."):
            found = found() if isinstance(found, type) else found
            found = getattr(found, part)
        FOUND[-1].append(found)

def solve(task, solution, args):
    return FOUND[task][solution](*args)

if __name__ == "__main__":
    import copy
    seconds = []
    for task, args in enumerate(json.load(open(sys.argv[1]))):
        for _ in range(4):
            copied = copy.deepcopy(args)
            began = time.perf_counter()
            solve(task, 0, copied)
            took = time.perf_counter() - began
        seconds.append(took)
    print(json.dumps(seconds))
"""


@dataclass(frozen=True)
class Task:
    """Correct solutions of one task, and the arguments of a call."""

    name: str
    entry: str
    solutions: tuple[str, ...]
    args: list[Any]


@dataclass(frozen=True)
class Call:
    data: bytes


def read(folder: Path, most: int) -> list[Task]:
    """Read the first `most` tasks of a folder, in the order of their files."""
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()]
    rows = [json.loads(line) for line in lines if line.strip()][:most]
    return [Task(row["task"], row["entry"], tuple(row["solutions"]), row["calls"][0]) for row in rows]


def make_repository(tasks: Sequence[Task], root: Path) -> None:
    """Make a repository with one module per solution, and a function that calls the solution given by its indices."""
    (root / "solved").mkdir(parents=True)
    (root / "solved" / "__init__.py").write_text("")
    entries = []
    for n, task in enumerate(tasks):
        names = [f"task{n:03}_{k:02}" for k in range(len(task.solutions))]
        for name, text in zip(names, task.solutions, strict=True):
            (root / "solved" / f"{name}.py").write_text(text, "utf-8")
        entries.append((names, task.entry))
    (root / TARGET.path).write_text(_DISPATCH.replace("{entries!r}", repr(entries)))
    (root / "args.json").write_text(json.dumps([task.args for task in tasks]))
    author = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.com")
    for words in (["init", "-q"], ["add", "-A", "-f"], [*author, "commit", "-q", "-m", "Tasks"]):
        subprocess.run(["git", "-C", str(root), *words], check=True)


def call(tasks: Sequence[Task], task: int, solution: int) -> Call:
    return Call(pickle.dumps(((task, solution, tasks[task].args), {}), 4))


def spread(values: Sequence[float]) -> float:
    return (max(values) - min(values)) / max(min(values), 1e-12)


def order(first: Sequence[Sequence[int]], second: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Compare two runs: (pairs that differ by MIN_DIFFERENCE in either run, pairs among them with the same order)."""
    pairs = agreed = 0
    for one, two in zip(first, second, strict=True):
        for a, b in combinations(range(len(one)), 2):
            if any(abs(run[a] - run[b]) >= MIN_DIFFERENCE * min(run[a], run[b]) for run in (one, two)):
                pairs += 1
                agreed += (one[a] < one[b]) == (two[a] < two[b])
    return pairs, agreed


def measure_spread(workspace: Workspace, tasks: Sequence[Task], repeats: int) -> dict[str, Any]:
    """Spreads of counts and of seconds over fresh processes, for the first solution of each task."""
    calls = [call(tasks, n, 0) for n in range(len(tasks))]
    runs, seconds = [], []
    for n in range(repeats):
        counts = count_calls(workspace, TARGET, calls, timeout=SECONDS, backend="valgrind")
        runs.append(counts.calls)
        timed = workspace.run(python_line(workspace, [TARGET.path, "args.json"]), 600.0).text
        seconds.append(json.loads(timed.splitlines()[-1]))  # a solution may print
        print(f"run {n + 1} of {repeats} counted", file=sys.stderr, flush=True)
    columns = list(zip(*runs, strict=True))
    kinds = {
        "cold": [spread([each.cold for each in column]) for column in columns],
        "warm": [spread([each.warm for each in column]) for column in columns],
        "wall clock": [spread(column) for column in zip(*seconds, strict=True)],
    }
    spreads = {name: {"median": median(found), "largest": max(found)} for name, found in kinds.items()}
    return {"backend": counts.backend, "conditions": counts.conditions, "functions": len(calls), "spread": spreads}


def measure_order(workspace: Workspace, tasks: Sequence[Task]) -> dict[str, Any]:
    """How often two runs agree on the order of two solutions, by cold and by warm counts."""
    every = [(n, k) for n, task in enumerate(tasks) for k in range(len(task.solutions))]
    runs: list[dict[tuple[int, int], Count]] = []
    for sequence in (every, every[::-1]):
        counts = count_calls(
            workspace, TARGET, [call(tasks, *indices) for indices in sequence], timeout=SECONDS, backend="valgrind"
        )
        runs.append(dict(zip(sequence, counts.calls, strict=True)))
        print(f"order {len(runs)} of 2 counted", file=sys.stderr, flush=True)
    orders = {}
    for kind in ("cold", "warm"):
        sides = [
            [[getattr(run[n, k], kind) for k in range(len(task.solutions))] for n, task in enumerate(tasks)]
            for run in runs
        ]
        pairs, agreed = order(*sides)
        orders[kind] = {"pairs": pairs, "agreed": agreed, "share": agreed / max(pairs, 1)}
    return {"solutions": len(every), "order": orders}


def table(result: dict[str, Any]) -> str:
    lines = [f"{result['functions']} functions, {result['repeats']} repeats, {result['backend']}"]
    for name, value in result["conditions"].items():
        lines.append(f"  {name}: {value}")
    for name, value in result["spread"].items():
        lines.append(f"spread, {name:10} median {value['median']:.4%}  largest {value['largest']:.4%}")
    for name, value in result["order"].items():
        lines.append(f"order by {name}: {value['agreed']} of {value['pairs']} pairs agree ({value['share']:.2%})")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.counting", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=Path, required=True, help="folder with JSONL files of tasks")
    parser.add_argument("--most", type=int, default=50, help="maximum number of tasks")
    parser.add_argument("--repeats", type=int, default=10, help="number of fresh processes")
    parser.add_argument("--workspace", default="local")
    parser.add_argument("--image", default="")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    args = parser.parse_args(arguments)
    tasks = read(args.tasks, args.most)
    if not tasks:
        parser.error(f"{args.tasks} has no tasks")
    with tempfile.TemporaryDirectory() as home:
        make_repository(tasks, Path(home) / "repo")
        found, trees = Repository.open(Path(home) / "repo"), Trees(Path(home) / "trees.git")
        base = found.base(trees)
        workspace = open_workspace(
            args.workspace, WorkspaceOptions(found, base, trees, image=args.image, say=lambda _: None)
        )
        fork = fork_for_counting(workspace, base.tree)
        try:
            fork.run(python_line(fork, ["-m", "compileall", "-q", "."]), 600.0)
            result = {
                "repeats": args.repeats,
                **measure_spread(fork, tasks, args.repeats),
                **measure_order(fork, tasks),
            }
        finally:
            fork.close()
            workspace.close()
            trees.close()
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
