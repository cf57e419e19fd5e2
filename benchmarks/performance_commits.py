"""Speed-ups of `optimize` against those of the authors of real performance commits.

    python -m benchmarks.performance_commits [LIST] --repos DIR [--only PROJECT@SHA,..] [--json OUT] [--venvs DIR]
        [--model M] [--expert-only]

LIST is a JSON list of commits (`benchmarks/performance_commits.json` if it is not given): `project` (OWNER/NAME),
`commit` (the full SHA; its first parent is the base), `function` (PATH.py:QUALNAME), `workload` (a command that calls
the function), `packages` (requirements beside the project), `message`, and optionally `python` (such as 3.10).
DIR/OWNER+NAME/repo is a git directory with the project's history. The packages are installed into a virtual environment
of the project below --venvs.

For each commit the strategy `optimize` runs with the function and the workload, in a local workspace at the base, with
the model M or without one. Its repository has the base as its only commit, so the project's own change is not visible.
Afterwards the project's change is judged by the same calls and checks, as another candidate: the Python files of the
commit that are not tests; the final checks run if it is at least 1.2x faster. It may change several functions, which
a candidate of `optimize` may not; `breach` then says so. With --expert-only, the strategy and final checks do not run.

Ratios are instructions before and after, in the recorded calls or on the largest grown call, whichever is larger. With
--json an interrupted benchmark is resumed. Local workspaces do not isolate the projects' code.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import harmonic_mean, median
from typing import Any
from unittest.mock import patch

from aci.repository.test_files import is_test
from aci.repository.user_repository import Repository
from aci.runtime.target_function import parse_target
from agent.config.settings import Settings
from agent.engine.task import Task
from agent.lifecycle.run_lifecycle import begin, reopen, solve
from agent.run_state.attempt_outcome import Outcome
from benchmarks._process_cpu import adopt_orphans, cpu_seconds
from benchmarks.optimize_verdicts import refusal, run_to_end
from benchmarks.verdict_cases import create_repository
from extensions.optimize import candidate_benchmark
from extensions.optimize.candidate_benchmark import RIGHT, Bench, CandidateVerdict, load_verdict
from extensions.optimize.function_contract import contract_breach
from extensions.optimize.speedup import measure_gain
from extensions.optimize.strategies import optimize
from trajectories.errors import SweAgentError, UsageError
from trajectories.records import Issue, Step
from trajectories.verdict import Verdict

COMMITS = Path(__file__).with_suffix(".json")
FIELDS = ("project", "commit", "function", "workload", "packages", "message")
LEAST_RATIO = 1.2
"""Minimum ratio of the project's own change; a smaller one says little about a speed-up."""
NEAR = 0.95
"""Share of the expert's speed-up that counts as reached, as in GSO's Opt@1."""
Change = Mapping[str, bytes | None]
"""Files that a commit changes, without tests; None for a deleted one."""


@dataclass(frozen=True)
class Speedup:
    """A candidate's verdict (`status` and `why`) and the ratios of instructions: `large` on the largest grown call,
    `recorded` in the recorded calls, and `ratio`, the larger of both. They are 0.0 if it was not counted; `ratio` is
    1.0 if the strategy adopted nothing. `cpu` and `seconds` are for judging or finding it."""

    status: str
    why: str = ""
    ratio: float = 0.0
    recorded: float = 0.0
    large: float = 0.0
    cpu: float = 0.0
    seconds: float = 0.0

    @property
    def line(self) -> str:
        figures = f"{self.ratio:8.2f}x ({self.recorded:.2f}x recorded, {self.large:.2f}x large) {self.cpu:6.1f} s CPU"
        return f"{figures} {self.seconds:6.1f} s {self.status}{': ' * bool(self.why)}{self.why[:300]}"


@dataclass(frozen=True)
class Row:
    """The speed-ups for one commit. `ours` is None if only the project's change was judged."""

    project: str
    commit: str
    function: str
    expert: Speedup
    ours: Speedup | None = None
    breach: str = ""
    calls: int = 0
    model: str = ""

    @property
    def name(self) -> str:
        return name_of(asdict(self))

    @property
    def lines(self) -> Iterator[str]:
        yield f"{self.name} {self.function}, {self.calls} calls{', contract: ' * bool(self.breach)}{self.breach}"
        yield f"  expert {self.expert.line}"
        if self.ours:
            yield f"  ours   {self.ours.line}"


def name_of(commit: Mapping[str, Any]) -> str:
    """Return the short name of a commit, as --only takes it."""
    return f"{commit['project']}@{commit['commit'][:10]}"


def read_commits(path: Path) -> list[dict[str, Any]]:
    """Return the commits of a JSON file. Raises UsageError if it cannot be read, or if a field is missing."""
    try:
        commits: list[dict[str, Any]] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"The commits cannot be read: {error}.", "Name a JSON file.") from None
    for commit in commits:
        if missing := set(FIELDS) - set(commit):
            raise UsageError(f"A commit of {path} has no {min(missing)}.", "Add it.")
        parse_target(commit["function"])
    return commits


def measure(commit: Mapping[str, Any], repos: Path, venvs: Path, model: str, expert_only: bool) -> Row:
    """Return the speed-ups for one commit. This process must have been started for it alone: its environment is
    changed."""
    adopt_orphans()
    row = Row(commit["project"], commit["commit"], commit["function"], Speedup("not run"), model=model)
    with tempfile.TemporaryDirectory(prefix="swe-agent-commit-") as home:
        try:
            store = repos / commit["project"].replace("/", "+") / "repo"
            enter_environment(make_environment(commit, venvs))
            check_out_parent(store, commit["commit"], Path(home) / "project")
            change = read_change(store, commit["commit"])
            return _run(commit, change, Path(home), row, expert_only)
        except SweAgentError as error:
            return replace(row, expert=Speedup("not run", error.message))
        except subprocess.CalledProcessError as error:
            said = (error.stderr or b"").decode("utf-8", "replace").strip()[-300:]
            return replace(row, expert=Speedup("not run", f"{error.cmd[0]} {error.cmd[1]} failed: {said}"))


def make_environment(commit: Mapping[str, Any], venvs: Path) -> Path:
    """Return the folder of a virtual environment with the packages of the commit; it is made if it is missing."""
    version, packages = commit.get("python", ""), sorted({"pytest", *commit["packages"]})
    digest = hashlib.sha256(json.dumps([version, packages]).encode()).hexdigest()[:8]
    folder = venvs.absolute() / f"{commit['project'].replace('/', '+')}-{digest}"
    if not (folder / "complete").exists():
        pyenv = [str(each) for each in Path.home().glob(f".pyenv/versions/{version}.*/bin/python")] if version else []
        python = next(iter(pyenv), shutil.which(f"python{version}") or sys.executable)
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True, capture_output=True)
        subprocess.run([folder / "bin" / "pip", "install", "-q", *packages], check=True, capture_output=True)
        (folder / "complete").touch()
    return folder


def enter_environment(folder: Path) -> None:
    """Make the commands of workspaces use the virtual environment."""
    os.environ["PATH"] = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", os.defpath)])
    os.environ["VIRTUAL_ENV"] = str(folder)
    os.environ.pop("PYTHONPATH", None)  # it would make the packages of swe-agent visible in workspaces


def _git(store: Path, *words: str, **variables: str) -> bytes:
    command = ["git", f"--git-dir={store}", *words]
    return subprocess.run(command, check=True, capture_output=True, env={**os.environ, **variables}).stdout


def check_out_parent(store: Path, commit: str, folder: Path) -> None:
    """Create a repository whose only commit has the files of the commit's first parent."""
    folder.mkdir()
    index = {"GIT_INDEX_FILE": str(folder.with_suffix(".index"))}
    _git(store, "read-tree", f"{commit}^", **index)
    _git(store, "checkout-index", "--all", f"--prefix={folder}/", **index)
    create_repository(folder, {})


def read_change(store: Path, commit: str) -> Change:
    """Return the Python files that a commit changes, without tests."""
    listed = _git(store, "diff", "--no-renames", "--name-status", "-z", f"{commit}^", commit).decode().split("\0")
    pairs = zip(listed[::2], listed[1::2], strict=False)
    wanted = [(status, path) for status, path in pairs if path.endswith(".py") and not is_test(path)]
    return {path: None if status == "D" else _git(store, "show", f"{commit}:{path}") for status, path in wanted}


def _run(commit: Mapping[str, Any], change: Change, home: Path, row: Row, expert_only: bool) -> Row:
    """Run the strategy, judge the project's change in the same run, and return the completed row."""
    settings = Settings(
        strategy="optimize",
        model=row.model,
        function=commit["function"],
        workload=commit["workload"],
        test=commit["workload"],
        workspace="local",
        state=home / "state",
        experience=False,
    )
    original, measured = optimize.solve, [replace(row, expert=Speedup("not run", "The strategy did not end."))]

    def solve_and_compare(task: Task) -> Generator[Step, None, Outcome]:
        outcome = Outcome(task.turn.base.tree, Verdict(), "not_found")
        watch = Stopwatch()
        if not expert_only:
            outcome = yield from original(task)
        measured.append(_compare(task, change, outcome.tree, row, watch, expert_only))
        return outcome

    issue = Issue(f"Make {commit['function']} faster", f"The workload is `{commit['workload']}`.")
    directory = begin(issue, Repository.open(home / "project"), settings)
    with patch.object(optimize, "solve", solve_and_compare), closing(reopen(directory, settings.state)) as engine:
        result = run_to_end(solve(engine))
        row = measured[-1]
        if expert_only or row.ours is None:
            return replace(row, ours=None)
        if result.patch.diff:
            return replace(row, ours=replace(row.ours, status=f"adopted, {result.verdict.kind}"))
        why = " ".join(refusal(result, engine.trajectory).split())
        return replace(row, ours=replace(row.ours, status="nothing adopted", why=why))


class Stopwatch:
    """CPU and wall-clock seconds since its creation."""

    def __init__(self) -> None:
        self._used, self._started = cpu_seconds(), time.monotonic()

    def stop(self, speedup: Speedup) -> Speedup:
        cpu, seconds = cpu_seconds() - self._used, time.monotonic() - self._started
        return replace(speedup, cpu=round(cpu, 1), seconds=round(seconds, 1))


def _compare(task: Task, change: Change, adopted: str, row: Row, watch: Stopwatch, is_short: bool) -> Row:
    """Return the row with the ratios of the adopted tree and of the project's change, which gets no final checks if
    `is_short`."""
    row = replace(row, ours=watch.stop(Speedup("", ratio=1.0)))
    target, trees, base = parse_target(row.function), task.trees, task.turn.base.tree
    with closing(Bench(task, target, base, task.turn.settings.workload)) as bench:
        try:
            known = bench.calls["known"]
            if not known:
                return replace(row, expert=Speedup("not recorded", bench.words))
            before, watch = bench.baseline(), Stopwatch()
            if adopted != base and row.ours:
                row = replace(row, ours=_with_ratios(row.ours, before, bench.judge("adopted", adopted)))
            old = {path: trees.read(base, path) for path in change if trees.entry(base, path)}
            new = {path: data for path, data in change.items() if data is not None}
            row = replace(row, calls=len(known), breach=contract_breach(old, new, target)[1])
            tree = trees.write(change, base)
            with patch.object(candidate_benchmark, "contract_breach", lambda *_: ("", "")):
                judged = bench.judge("the project's own change", tree)
            if judged.status == "wrong":  # its ratio shows what a refusal costs
                judged = replace(load_verdict(bench._counted("", tree)), status=judged.status, why=judged.why)
            expert = _with_ratios(Speedup(judged.status, "; ".join(judged.why)), before, judged)
            is_final = judged.status == RIGHT and expert.ratio >= LEAST_RATIO and not is_short
            if is_final and (why := bench.last_checks(tree) or measure_gain(bench, judged).against):
                expert = replace(expert, status="refused", why="; ".join(why))
            return replace(row, expert=watch.stop(expert))
        except UsageError as error:
            return replace(row, expert=Speedup("not counted", error.message))


def _with_ratios(speedup: Speedup, before: CandidateVerdict, after: CandidateVerdict) -> Speedup:
    """Return the speed-up with the ratios of a candidate; they are 0.0 if it was not counted."""
    recorded = round(before.cost / after.cost, 3) if after.cost else 0.0
    large = round(before.large / after.large, 3) if after.large else 0.0
    return replace(speedup, ratio=max(large, recorded), recorded=recorded, large=large)


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines that compare ours with the experts' changes that are worthwhile, and the reasons of refusals."""
    worthwhile = [row for row in rows if row.expert.ratio >= LEAST_RATIO]
    yield f"{len(worthwhile)} of {len(rows)} changes of the projects are at least {LEAST_RATIO}x faster"
    if worthwhile:
        yield f"expert: {_means([row.expert.ratio for row in worthwhile])}"
    both = [(row.expert.ratio, row.ours.ratio or 1.0) for row in worthwhile if row.ours]
    if both:
        shares = [ours / expert for expert, ours in both]
        capped = harmonic_mean([min(share, 1.0) for share in shares])
        near = sum(share >= NEAR for share in shares)
        yield f"ours: {_means([ours for _, ours in both])}"
        yield f"ours / expert: harmonic mean {harmonic_mean(shares):.2f}, capped at 1: {capped:.2f}"
        yield f"ours at least {NEAR} of the expert: {near} of {len(both)} ({near / len(both):.0%})"
        yield f"CPU seconds of a run: median {median(row.ours.cpu for row in worthwhile if row.ours):.0f}"
    for status, count in Counter(row.expert.status for row in rows).most_common():
        yield f"expert {status}: {count}"
        if status != RIGHT:
            yield from (f"  {row.name}: {row.expert.why[:200]}" for row in rows if row.expert.status == status)


def _means(ratios: Sequence[float]) -> str:
    return f"median {median(ratios):.2f}x, harmonic mean {harmonic_mean(ratios):.2f}x"


def load_row(value: Mapping[str, Any]) -> Row:
    """Return a row from its form in the JSON file."""
    ours = Speedup(**value["ours"]) if value["ours"] else None
    return Row(**{**value, "expert": Speedup(**value["expert"]), "ours": ours})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", type=Path, nargs="?", default=COMMITS, metavar="LIST")
    parser.add_argument("--repos", type=Path, required=True, metavar="DIR")
    parser.add_argument("--only", default="", metavar="PROJECT@SHA,..", help="only these; SHA may be shortened")
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--venvs", type=Path, metavar="DIR", help="default: DIR of --repos")
    parser.add_argument("--model", default="", metavar="M")
    parser.add_argument("--expert-only", action="store_true")
    options = parser.parse_args(arguments)
    try:
        commits = read_commits(options.commits)
    except UsageError as error:
        parser.error(f"{error.message} {error.fix}")
    only = tuple(name for name in options.only.split(",") if name)
    names = [f"{each['project']}@{each['commit']}" for each in commits]
    for name in only:
        if not any(full.startswith(name) for full in names):
            parser.error(f"there is no {name}")
    wanted = [each for each, full in zip(commits, names, strict=True) if not only or full.startswith(only)]
    kept = options.json.read_text() if options.json and options.json.exists() else "[]"
    rows = {row.name: row for row in map(load_row, json.loads(kept))}
    jobs = [each for each in wanted if not _is_done(rows.get(name_of(each)), options.expert_only)]
    same = (options.repos, options.venvs or options.repos, options.model, options.expert_only)
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for job in jobs:
            row = pool.submit(measure, job, *same).result()
            rows[row.name] = row
            print(*row.lines, sep="\n", flush=True)
            if options.json:
                options.json.write_text(json.dumps([asdict(each) for each in rows.values()], indent=1))
    print(*summary([rows[name_of(each)] for each in wanted]), sep="\n")
    return 0


def _is_done(row: Row | None, expert_only: bool) -> bool:
    return row is not None and row.expert.status != "not run" and (expert_only or row.ours is not None)


if __name__ == "__main__":
    sys.exit(main())
