"""One task measured with the command line of one version of the program: the ranks of `locate`, the result of `fix`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from agent.config.settings import SECRET, Settings
from benchmarks._process_cpu import cpu_seconds
from extensions.lab.evaluation.instance_grading import EvaluationContext, evaluate_one
from extensions.lab.instances.dataset_instances import Gold, read_golds, read_instances
from extensions.lab.instances.jobs import Instance
from trajectories.errors import UsageError, WorkspaceError
from trajectories.verdict import COMPLETE

LOCATE, FIX = "locate", "fix"
DONE, RIGHT, WRONG, NO_PATCH = "done", "right", "wrong", "no patch"
OUT_OF_TIME, FAILED = "out of time", "failed"
VERIFIED, UNPROVEN, NO_FIX = 0, 6, 1
"""Exit codes of `fix`."""
TOP = 10
ENDING_SECONDS = 30.0
"""Seconds that an interrupted command has to end."""
IDENTITY = ("base_commit", "problem_statement", "patch", "FAIL_TO_PASS", "PASS_TO_PASS", "test", "symbols")
"""The fields of a row that decide what is measured. An id depends on where the repository was cloned from."""
_CHANGED = re.compile(r"^\+\+\+ b/(.*?)\t?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """An instance that `swe-agent synth` wrote to `file`."""

    file: Path
    instance: Instance
    gold: Gold

    @property
    def kind(self) -> str:
        return str(self.gold.row["kind"])

    @property
    def operator(self) -> str:
        return f"{self.kind} {self.gold.row['operator']}"

    @property
    def digest(self) -> str:
        """Identifies what is measured: operator, base, text, solution, tests and their command."""
        fields = [self.operator, *(self.gold.row[name] for name in IDENTITY)]
        return sha256(json.dumps(fields).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended: its exit code, or None if its time was over; the object that it printed, {} if none."""

    code: int | None
    printed: dict[str, Any]
    cpu: float
    said: str


def read_tasks(files: Sequence[Path]) -> list[Task]:
    """Return the tasks in the files. Raises UsageError for a file that `swe-agent synth` did not write."""
    found: list[Task] = []
    for file in files:
        golds = read_golds([file])
        for instance in read_instances([file]):
            row = golds[instance.id].row if instance.id in golds else {}
            if missing := [name for name in ("kind", "operator", "bundle", *IDENTITY) if name not in row]:
                raise UsageError(
                    f"{instance.id} in {file} has no {missing[0]}.", "Give files that `swe-agent synth` wrote."
                )
            found.append(Task(file, instance, golds[instance.id]))
    if len({task.instance.id for task in found}) < len(found):
        raise UsageError("Two files hold the same task.", "Give each task once.")
    return found


def measure_task(what: str, task: Task, command: Sequence[str], seconds: float) -> dict[str, Any]:
    """Measure `locate` or `fix` in a new checkout of the task's base; the command is interrupted after `seconds`.

    Settings, state and caches of the user are not used. Raises WorkspaceError if the machine fails.
    """
    with tempfile.TemporaryDirectory(prefix="swe-agent-self-") as name:
        home = Path(name)
        folder = home / "repository"
        branch = ["--single-branch", "--branch", task.instance.id]
        cloned = subprocess.run(
            ["git", "clone", "-q", *branch, task.instance.repo, str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if cloned.returncode:
            raise WorkspaceError(
                f"The base of {task.instance.id} cannot be checked out: {cloned.stderr.strip()[-200:]}.",
                f"Keep the bundle beside {task.file}.",
            )
        issue = f"--text={task.gold.row['problem_statement']}"
        words = [*command, what, f"--repo={folder}", issue, "--json"]
        if what == LOCATE:
            return _ranks(task, run_command([*words, f"--top={TOP}"], home, seconds))
        words += ["--strategy=templates", "--workspace=local"]
        if test := task.gold.row["test"]:
            words.append(f"--test={test}")
        return _repair(task, run_command(words, home, seconds), folder)


def run_command(words: Sequence[str], home: Path, seconds: float) -> Ended:
    """Run a command with its state in `home`, in the folder `repository` there, and return what it printed and the
    CPU seconds of all its processes."""
    began = cpu_seconds()
    process = subprocess.Popen(
        words,
        cwd=home / "repository",
        env=_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    code: int | None
    try:
        out, err = process.communicate(timeout=seconds)
        code = process.returncode
    except subprocess.TimeoutExpired:
        out, err, code = "", "", None
    finally:
        _end(process)
    cpu = round(cpu_seconds() - began, 2)
    try:
        printed = json.loads(out)
    except ValueError:
        printed = {}
    return Ended(code, printed if isinstance(printed, dict) else {}, cpu, err.strip()[-300:])


def _environment(home: Path) -> dict[str, str]:
    config = home / "config.toml"
    config.touch()
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith("SWE_AGENT_") and not SECRET.search(name)
    }
    folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA", "STATE")}
    return kept | folders | {"SWE_AGENT_CONFIG": str(config), "SWE_AGENT_STATE": str(home / "state")}


def _end(process: subprocess.Popen[str]) -> None:
    """Interrupt a command that has not ended, as Ctrl-C does, and kill it if it does not end."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=ENDING_SECONDS)


def _ranks(task: Task, ended: Ended) -> dict[str, Any]:
    """Return the ranks, from 1, of the first changed file and function; None below TOP."""
    result: dict[str, Any] = {"outcome": DONE, "file": None, "function": None, "cpu": ended.cpu}
    if ended.code is None:
        return result | {"outcome": OUT_OF_TIME}
    try:
        files = [str(hit["path"]) for hit in ended.printed["files"]]
        functions = [f"{hit['path']}:{hit['name']}" for hit in ended.printed["functions"]]
    except (KeyError, TypeError):
        return result | {"outcome": FAILED, "why": f"exit code {ended.code}: {ended.said}"}
    changed = _CHANGED.findall(task.gold.patch)
    return result | {"file": _rank(changed, files), "function": _rank(task.gold.row["symbols"], functions)}


def _rank(wanted: Sequence[str], ranked: Sequence[str]) -> int | None:
    return min((ranked.index(one) + 1 for one in wanted if one in ranked), default=None)


def _repair(task: Task, ended: Ended, folder: Path) -> dict[str, Any]:
    """Return whether the patch is right, by this version's evaluation and all tests of the row."""
    result: dict[str, Any] = {"outcome": NO_PATCH, "verified": False, "cpu": ended.cpu}
    if ended.code is None:
        return result | {"outcome": OUT_OF_TIME}
    if ended.code not in (VERIFIED, UNPROVEN, NO_FIX) or "patch" not in ended.printed:
        return result | {"outcome": FAILED, "why": f"exit code {ended.code}: {ended.said}"}
    if not (patch := ended.printed["patch"]):
        return result
    verdict = ended.printed.get("verdict")
    # Earlier versions call a complete proof `verified`, later ones `plausible` if there is no independent evidence.
    is_complete = ended.code == VERIFIED or (isinstance(verdict, dict) and verdict.get("kind") in COMPLETE)
    context = EvaluationContext(Settings(workspace="local"), repository=lambda _: folder)
    graded = evaluate_one(task.gold, task.instance, str(patch), context)
    if graded.infrastructure:
        raise WorkspaceError(f"{task.instance.id} cannot be judged: {graded.error}", "Run the command again.")
    return result | {"outcome": RIGHT if graded.resolved else WRONG, "verified": is_complete}
