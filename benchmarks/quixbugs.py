"""Repair of the 40 QuixBugs programs without a model: whether the chosen edit agrees with the reference.

    python -m benchmarks.quixbugs --repo DIR [--limit N] [--programs a,b] [--json OUT] [--fix [--workspace docker]]

DIR is a checkout of QuixBugs. Each program becomes a small git repository with its tests. The reference stays outside;
only the scoring reads it, in a separate process. `plausible`: all tests of the program pass with the first chosen edit,
in a fresh process that reports each of them. `correct`: the edit also agrees with the reference on 200 generated inputs
(hanoi has only 76). `any`: at least one plausible edit does. CPU seconds are those of the search, including the
target's. With `--fix` the whole `swe-agent fix` is run as a user would run it, including the proof. The row of a
program that cannot be measured shows the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

from aci.repository.user_repository import Repository
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from aci.testing.suite_run import SuiteReport, run_tests
from extensions.repair.repair_search import RepairTask, SearchResult, search
from trajectories.errors import SweAgentError, UsageError
from trajectories.git_store.trees import Trees

ISSUE = """{program} gives wrong results

The function `{program}` in `python_programs/{program}.py` does not do what it is meant to: tests of it fail.
"""
PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider"
COMMAND = f"{PYTEST} --timeout=1"
"""Test command of the base, where endless loops are common; a repaired program may take longer."""
CPU_SECONDS = 60.0
SECONDS = 600.0
NOTHING: dict[str, Any] = {"agree": 0, "inputs": 0, "differ": ""}
MAX_SCORED = 10
"""Maximum number of plausible behaviours of a program that are scored."""


@dataclass(frozen=True)
class Row:
    """Result of one program: of its search, of the chosen edit, and of all plausible edits.

    The chosen edit agrees with the reference on `agree` of `inputs` generated inputs; `differ` is an input on which it
    does not, or the reason why nothing was measured. `cpu` and the fields after `seconds` cover the search alone.
    """

    program: str
    plausible: bool = False
    agree: int = 0
    inputs: int = 0
    any_correct: bool = False
    cpu: float = 0.0
    seconds: float = 0.0
    candidates: int = 0
    behaviours: int = 0
    failing: int = 0
    verdict: str = ""
    doubt: str = ""
    edit: str = ""
    differ: str = ""

    @property
    def correct(self) -> bool:
        return self.plausible and 0 < self.inputs == self.agree


def programs(quixbugs: Path) -> list[str]:
    """The programs with a test and a reference."""
    files = sorted((quixbugs / "correct_python_programs").glob("*.py"))
    return [file.stem for file in files if (quixbugs / "python_testcases" / f"test_{file.stem}.py").exists()]


def wanted(quixbugs: Path, names: str, limit: int) -> list[str]:
    """The selected programs: those in `names` or all, up to `limit`. Raises UsageError."""
    known = programs(quixbugs)
    if not known:
        clone = "Give a checkout: git clone https://github.com/jkoppel/QuixBugs"
        raise UsageError(f"{quixbugs} has no QuixBugs program with a test and a reference.", clone)
    selected = names.split(",") if names else known
    unknown = [name for name in selected if name not in known]
    if unknown:
        raise UsageError(f"QuixBugs has no program {unknown[0]!r}.", f"Choose from {', '.join(known)}.")
    return selected[: limit or None]


def build(quixbugs: Path, program: str, folder: Path) -> Path:
    """Make a git repository with the buggy program, its test and the files that the test needs."""
    folder.mkdir()
    files = [
        f"python_programs/{program}.py",
        f"python_testcases/test_{program}.py",
        "python_testcases/load_testdata.py",
        f"json_testcases/{program}.json",
        "conftest.py",
    ]
    test = (quixbugs / files[1]).read_text()
    if "import Node" in test:
        files.append("python_testcases/node.py")
    for name in files:
        if (quixbugs / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(quixbugs / name, folder / name)
    (folder / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", "The program and its tests"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return folder


def score(quixbugs: Path, program: str, repaired: str) -> dict[str, Any]:
    """Compare a repaired file's text with the reference, by running `quixbugs_check` in a separate process."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-quixbugs-") as home:
        file = Path(home) / f"{program}.py"
        file.write_text(repaired)
        command = [sys.executable, "-m", "benchmarks.quixbugs_check", str(quixbugs), program, str(file)]
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=Path(__file__).parents[1]
            )
        except subprocess.TimeoutExpired:
            return {"inputs": 1, "agree": 0, "differ": f"no answers within {SECONDS:.0f} s"}
    found: dict[str, Any] = json.loads(ran.stdout) if ran.returncode == 0 else {"inputs": 1, "agree": 0, "differ": "?"}
    return found


@contextmanager
def opened(folder: Path, home: Path) -> Iterator[tuple[Workspace, Trees, str]]:
    """Open a local workspace at the folder's last commit; yield it, the trees and the commit's tree."""
    with Trees(home / "trees.git") as trees:
        repository = Repository.open(folder)
        base = repository.base(trees)
        workspace = open_workspace("local", WorkspaceOptions(repository, base, trees, say=lambda text: None))
        try:
            yield workspace, trees, base.tree
        finally:
            workspace.close()


def passes(workspace: Workspace, before: SuiteReport) -> bool:
    """Whether all tests reported before pass now, in a fresh process. A process that exits early reports fewer."""
    after = run_tests(workspace, f"{PYTEST} --timeout=30")
    names = {*before.failed, *before.passed}
    return after.complete and bool(names) and names <= set(after.passed)


def measure_search(quixbugs: Path, program: str, home: Path) -> Row:
    """Measure the search alone, in a local workspace."""
    started = time.monotonic()
    folder = build(quixbugs, program, home / program)
    with opened(folder, home) as (workspace, trees, tree):
        report = run_tests(workspace, COMMAND)
        before = time.process_time()
        task = RepairTask(workspace, trees, tree, report.failed, report.passed, COMMAND)
        found = search(task, CPU_SECONDS, Event())
        cpu = time.process_time() - before + found.cpu
        return _score_search(quixbugs, program, found, workspace, report, cpu, time.monotonic() - started)


def _score_search(
    quixbugs: Path,
    program: str,
    found: SearchResult,
    workspace: Workspace,
    before: SuiteReport,
    cpu: float,
    seconds: float,
) -> Row:
    plausible = False
    scores: list[dict[str, Any]] = []
    for behaviour in found.choice.behaviours[:MAX_SCORED]:
        text = found.new_text(behaviour.candidate)
        if not scores:
            workspace.write(behaviour.candidate.path, text.encode())
            plausible = passes(workspace, before)
        scores.append(score(quixbugs, program, text))
    first = scores[0] if scores else NOTHING
    chosen = found.choice.behaviours[0].candidate if scores else None
    return Row(
        program=program,
        plausible=plausible,
        agree=first["agree"],
        inputs=first["inputs"],
        any_correct=any(0 < one["inputs"] == one["agree"] for one in scores),
        cpu=round(cpu, 2),
        seconds=round(seconds, 1),
        candidates=found.tried,
        behaviours=len(found.choice.behaviours),
        failing=len(before.failed),
        doubt=found.choice.doubt,
        edit=f"{chosen.line}: {chosen.description}" if chosen else "",
        differ=first["differ"],
    )


def measure_fix(quixbugs: Path, program: str, home: Path, options: Sequence[str]) -> Row:
    """Run `swe-agent fix --json` without an API key, as a user would."""
    folder = build(quixbugs, program, home / program)
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    command = [sys.executable, "-c", "from swe_agent import main; main()", "fix", "--repo", str(folder), "--json"]
    command += ["--strategy", "templates", "--text", ISSUE.format(program=program), *options]
    started = time.monotonic()
    ran = subprocess.run(
        command,
        env=inherited | {"SWE_AGENT_STATE": str(home / "state")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    seconds = round(time.monotonic() - started, 1)
    try:
        answer: dict[str, Any] = json.loads(ran.stdout)
    except ValueError:
        answer = {"error": {"message": ran.stderr[-500:]}}
    verdict = answer.get("verdict", {}).get("kind", "error")
    patch = answer.get("patch", "")
    if not patch:
        return Row(program, seconds=seconds, verdict=verdict, differ=answer.get("error", {}).get("message", ""))
    path = f"python_programs/{program}.py"
    with opened(folder, home) as (workspace, _, _):
        before = run_tests(workspace, COMMAND)
        subprocess.run(["git", "-C", str(folder), "apply"], input=patch, text=True, check=True, capture_output=True)
        text = (folder / path).read_text()
        workspace.write(path, text.encode())
        plausible = passes(workspace, before)
    checked = score(quixbugs, program, text)
    return Row(
        program=program,
        plausible=plausible,
        agree=checked["agree"],
        inputs=checked["inputs"],
        any_correct=0 < checked["inputs"] == checked["agree"],
        seconds=seconds,
        verdict=verdict,
        differ=checked["differ"],
    )


def measure(quixbugs: Path, program: str, options: Sequence[str] | None) -> Row:
    """Measure the search, or `fix` if options are given. On failure the row shows the reason."""
    try:
        with tempfile.TemporaryDirectory(prefix="swe-agent-quixbugs-") as home:
            if options is None:
                return measure_search(quixbugs, program, Path(home))
            return measure_fix(quixbugs, program, Path(home), options)
    except (SweAgentError, subprocess.SubprocessError) as error:
        message = " ".join(str(getattr(error, "message", error)).split())
        return Row(program, verdict="error", differ=message[-300:])


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The table as JSON; CPU seconds only if they were measured."""
    cpu = [row.cpu for row in rows if row.cpu]
    return {
        "plausible": sum(row.plausible for row in rows),
        "correct": sum(row.correct for row in rows),
        "any_correct": sum(row.any_correct for row in rows),
        **({"median_cpu": round(median(cpu), 2), "most_cpu": max(cpu)} if cpu else {}),
        "programs": [{**asdict(row), "correct": row.correct} for row in rows],
    }


def line(row: Row) -> str:
    """Format a row, without the fields that were not measured."""
    result = "correct" if row.correct else "plausible" if row.plausible else "-"
    also = "" if row.correct or not row.any_correct else ", another is correct"
    search_figures = (
        f"{row.cpu:6.2f} CPU-s {row.candidates:7,} tried {row.behaviours:3} behaviours {row.failing:2} failing  "
        if row.cpu
        else ""
    )
    head = f"{row.program:28} {row.verdict:10}" if row.verdict else f"{row.program:28}"
    figures = f"{result:10} {row.agree:3}/{row.inputs:3} {row.seconds:6.1f} s"
    return f"{head} {figures} {search_figures}{row.edit}{also}  {row.differ}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a checkout of QuixBugs")
    parser.add_argument("--limit", type=int, default=0, help="only the first N programs")
    parser.add_argument("--programs", default="", help="only these, separated by commas")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--fix", action="store_true", help="run the whole `swe-agent fix` on each program")
    parser.add_argument("--workspace", default="local", help="workspace for --fix")
    parser.add_argument("--image", default="swe-agent-base:latest", help="image for --fix in Docker")
    args = parser.parse_args(arguments)
    options = None
    if args.fix:
        python = "python3" if args.workspace == "docker" else sys.executable
        options = ["--workspace", args.workspace, "--image", args.image]
        options += ["--test", f"{python} -m pytest -q --timeout=5"]
    try:
        names = wanted(args.repo.resolve(), args.programs, args.limit)
    except UsageError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for program in names:
        rows.append(measure(args.repo.resolve(), program, options))
        print(line(rows[-1]), flush=True)
        if args.json:
            args.json.write_text(json.dumps(summary(rows), indent=1))
    totals = summary(rows)
    cpu = f"; CPU seconds: median {totals['median_cpu']}, most {totals['most_cpu']}" if "most_cpu" in totals else ""
    print(
        f"{totals['plausible']} of {len(rows)} plausible, {totals['correct']} with a correct first choice, "
        f"{totals['any_correct']} with any correct edit{cpu}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
