"""Repair of the 40 QuixBugs programs without a model, and whether what is chosen answers as the reference does.

    python -m benchmarks.quixbugs --repo DIR [--limit N] [--programs a,b] [--json OUT] [--fix [--workspace docker]]

DIR is a checkout of QuixBugs. Each program becomes a small git repository with its tests; the reference stays outside
and is read by the scoring only, in a process of its own. `plausible`: all tests of the program pass with the edit that
is chosen first, in a fresh process that tells of each of them; `correct`: it also answers as the reference on 200
generated inputs (hanoi has 76 within reach); `any`: one of the plausible ones does. CPU seconds are those of the
search, ours and the target's. With `--fix` the whole `swe-agent fix` is run as a user would, proof included. A program
that cannot be measured has a row that says why.
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
from agent.repair.repair_search import RepairTask, SearchResult, search
from trajectories.errors import SweAgentError, UsageError
from trajectories.git_store.trees import Trees

ISSUE = """{program} gives wrong results

The function `{program}` in `python_programs/{program}.py` does not do what it is meant to: tests of it fail.
"""
PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider"
COMMAND = f"{PYTEST} --timeout=1"
"""How the base is tested, in which loops are many; a repaired program may take longer."""
CPU_SECONDS = 60.0
SECONDS = 600.0
NOTHING: dict[str, Any] = {"agree": 0, "inputs": 0, "differ": ""}
SHOWN = 10
"""So many of a program's plausible behaviours are asked whether they are right."""


@dataclass(frozen=True)
class Row:
    """What came of one program: of its search, of what was chosen, and of all that was plausible.

    `agree` of `inputs` generated inputs are answered by the chosen edit as by the reference; `differ` is one that is
    not, or why nothing was measured. `cpu` and what follows `seconds` are those of the search alone.
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
    """The programs that have a test and a reference."""
    files = sorted((quixbugs / "correct_python_programs").glob("*.py"))
    return [file.stem for file in files if (quixbugs / "python_testcases" / f"test_{file.stem}.py").exists()]


def wanted(quixbugs: Path, names: str, limit: int) -> list[str]:
    """The programs that are asked for, all but for a limit if none is named. Raises UsageError."""
    known = programs(quixbugs)
    if not known:
        clone = "Give a checkout: git clone https://github.com/jkoppel/QuixBugs"
        raise UsageError(f"{quixbugs} has no QuixBugs program with a test and a reference.", clone)
    asked = names.split(",") if names else known
    strange = [name for name in asked if name not in known]
    if strange:
        raise UsageError(f"QuixBugs has no program {strange[0]!r}.", f"Name some of {', '.join(known)}.")
    return asked[: limit or None]


def build(quixbugs: Path, program: str, folder: Path) -> Path:
    """A git repository with the buggy program, its test and what that needs."""
    folder.mkdir()
    wanted = [
        f"python_programs/{program}.py",
        f"python_testcases/test_{program}.py",
        "python_testcases/load_testdata.py",
        f"json_testcases/{program}.json",
        "conftest.py",
    ]
    test = (quixbugs / wanted[1]).read_text()
    if "import Node" in test:
        wanted.append("python_testcases/node.py")
    for name in wanted:
        if (quixbugs / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(quixbugs / name, folder / name)
    (folder / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", "The program and its tests"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return folder


def score(quixbugs: Path, program: str, repaired: str) -> dict[str, Any]:
    """Ask `quixbugs_check` about a repaired file's text, in a process of its own."""
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
    """A workspace on this machine with the last commit of the folder, and its tree."""
    with Trees(home / "trees.git") as trees:
        repository = Repository.open(folder)
        base = repository.base(trees)
        workspace = open_workspace("local", WorkspaceOptions(repository, base, trees, say=lambda text: None))
        try:
            yield workspace, trees, base.tree
        finally:
            workspace.close()


def passes(workspace: Workspace, before: SuiteReport) -> bool:
    """Whether all tests that were told of before pass now, in a fresh process. One that ends early tells of fewer."""
    after = run_tests(workspace, f"{PYTEST} --timeout=30")
    names = {*before.failed, *before.passed}
    return after.complete and bool(names) and names <= set(after.passed)


def searched(quixbugs: Path, program: str, home: Path) -> Row:
    """The search alone, in a workspace on this machine."""
    started = time.monotonic()
    folder = build(quixbugs, program, home / program)
    with opened(folder, home) as (workspace, trees, tree):
        report = run_tests(workspace, COMMAND)
        before = time.process_time()
        question = RepairTask(workspace, trees, tree, report.failed, report.passed, COMMAND)
        found = search(question, CPU_SECONDS, Event())
        cpu = time.process_time() - before + found.cpu
        return _judged(quixbugs, program, found, workspace, report, cpu, time.monotonic() - started)


def _judged(
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
    for behaviour in found.choice.behaviours[:SHOWN]:
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


def fixed(quixbugs: Path, program: str, home: Path, options: Sequence[str]) -> Row:
    """`swe-agent fix --json` without a key, as a user would run it."""
    folder = build(quixbugs, program, home / program)
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    command = [sys.executable, "-c", "from swe_agent import main; main()", "fix", "--repo", str(folder), "--json"]
    command += ["--strategy", "templates", "--text", ISSUE.format(program=program), *options]
    started = time.monotonic()
    ran = subprocess.run(
        command,
        env=kept | {"SWE_AGENT_STATE": str(home / "state")},
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
    """The search, or with options `fix`; a row that says why where that cannot be done."""
    try:
        with tempfile.TemporaryDirectory(prefix="swe-agent-quixbugs-") as home:
            if options is None:
                return searched(quixbugs, program, Path(home))
            return fixed(quixbugs, program, Path(home), options)
    except (SweAgentError, subprocess.SubprocessError) as error:
        said = " ".join(str(getattr(error, "message", error)).split())
        return Row(program, verdict="error", differ=said[-300:])


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The table as JSON; CPU seconds only where they were measured."""
    cpu = [row.cpu for row in rows if row.cpu]
    return {
        "plausible": sum(row.plausible for row in rows),
        "correct": sum(row.correct for row in rows),
        "any_correct": sum(row.any_correct for row in rows),
        **({"median_cpu": round(median(cpu), 2), "most_cpu": max(cpu)} if cpu else {}),
        "programs": [{**asdict(row), "correct": row.correct} for row in rows],
    }


def line(row: Row) -> str:
    """A row in words, without what was not measured."""
    said = "correct" if row.correct else "plausible" if row.plausible else "-"
    also = "" if row.correct or not row.any_correct else ", another is right"
    done = (
        f"{row.cpu:6.2f} CPU-s {row.candidates:7,} tried {row.behaviours:3} behaviours {row.failing:2} failing  "
        if row.cpu
        else ""
    )
    told = f"{row.program:28} {row.verdict:10}" if row.verdict else f"{row.program:28}"
    return f"{told} {said:10} {row.agree:3}/{row.inputs:3} {row.seconds:6.1f} s {done}{row.edit}{also}  {row.differ}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=0, help="only the first N programs")
    parser.add_argument("--programs", default="", help="only these, separated by commas")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--fix", action="store_true", help="run the whole command on each")
    parser.add_argument("--workspace", default="local", help="for --fix")
    parser.add_argument("--image", default="swe-agent-base:latest", help="for --fix in docker")
    asked = parser.parse_args(arguments)
    options = None
    if asked.fix:
        python = "python3" if asked.workspace == "docker" else sys.executable
        options = ["--workspace", asked.workspace, "--image", asked.image]
        options += ["--test", f"{python} -m pytest -q --timeout=5"]
    try:
        names = wanted(asked.repo.resolve(), asked.programs, asked.limit)
    except UsageError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for program in names:
        rows.append(measure(asked.repo.resolve(), program, options))
        print(line(rows[-1]), flush=True)
        if asked.json:
            asked.json.write_text(json.dumps(summary(rows), indent=1))
    told = summary(rows)
    cpu = f"; CPU seconds: median {told['median_cpu']}, most {told['most_cpu']}" if "most_cpu" in told else ""
    print(
        f"{told['plausible']} of {len(rows)} plausible, {told['correct']} chosen first are correct, "
        f"{told['any_correct']} have a correct one{cpu}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
