"""Instruction counts of function calls and commands, which are reproducible and independent of the machine's load.

Times vary by a few percent from run to run, but counts do not. The idea comes from the authors of Valgrind; arXiv
2508.20124 ranks programs by instruction counts. The backends are the modules of `aci/counters/`; each result names its
backend.

The counted code is untrusted and runs in its own workspace; only numbers and short text are read from its answer.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any, NamedTuple

from aci.performance.count_job import (
    PATIENCE,
    REGIONS_PACKAGE,
    CountJob,
    WorkspaceHost,
    choose_backend,
    count_conditions,
    install_regions,
    relative_spread,
)
from aci.performance.target_function import PickledCall, Target, python_line
from aci.runtime.guest_programs import install_programs
from aci.runtime.workspace import Workspace
from aci.testing.suite_command import prepend_python_path
from trajectories.errors import UsageError

MARKS = 100
"""Number of empty regions that are measured to determine the cost of marking one; must equal TIMES in
`aci/guest/performance/metered_regions.py`."""

_DECORATOR = f'@__import__("{REGIONS_PACKAGE}.performance.metered_regions").performance.metered_regions.counted'


@dataclass(frozen=True, slots=True)
class Count:
    """Median instruction counts over hash seeds, for the first (cold) and the fourth (warm) call in a fresh process."""

    cold: int
    warm: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Instruction counts of several calls of the target.

    `in_c` describes for each call the C functions called and the opcodes that iterate in C, if opcodes are counted.
    `spread` is the largest range of a warm call's count over hash seeds, relative to its minimum.
    """

    backend: str
    calls: tuple[Count, ...]
    conditions: dict[str, str]
    in_c: tuple[str, ...] = ()
    spread: float = 0.0


class Workload(NamedTuple):
    """Instruction counts of a whole command, including the start of its processes, and of all calls of the target in
    it.

    `code` is the exit status of the shell that ran it: commands with different exit statuses did not do the same work.
    """

    whole: int
    inside: int
    code: int


def fork_for_counting(workspace: Workspace, tree: str) -> Workspace:
    """Return a fork at `tree` in which the harness may count the instructions of its own commands.

    In Docker, the fork is a container of the same image.
    """
    return workspace.fork(tree, counting=True)


def count_calls(
    room: Workspace,
    target: Target,
    calls: Sequence[PickledCall],
    seeds: Sequence[int] = (0,),
    timeout: float = 600.0,
    backend: str = "",
) -> Counts:
    """Count the instructions of each call of the target, in its own process and with fresh copies of its arguments.

    The calls run under each hash seed of `seeds`, for at most `timeout` seconds each. Calls that raise an exception are
    counted too, and lazy results are consumed while counting. Without `backend`, the first backend that works is used.
    Raises UsageError if the backend does not work, the target cannot be imported or a call does not finish.
    """
    job = _job(room, backend)
    kept = [f"{job.desk.folder}/call{n:04}.pickle" for n in range(len(calls))]
    for path, call in zip(kept, calls, strict=True):
        job.desk.write(path, call.data)
    what: dict[str, Any] = {
        "root": room.root,
        "path": target.path,
        "name": target.name,
        "calls": kept,
        "seconds": timeout,
    }
    found = []
    for seed in seeds:
        answer = job.ask(timeout + 60, environment={"PYTHONHASHSEED": str(seed)}, **what)
        found.append((_counts(answer, target, len(calls)), answer))
    counts = [each for each, _ in found]
    last = found[-1][1]
    conditions = {**count_conditions(last, job.tool), "hash seed": ", ".join(map(str, seeds))}
    in_c = tuple(last["in_c"].get(f"{n:04} warm", "") for n in range(len(calls)))
    merged = tuple(
        Count(median_low(each.cold for each in same), median_low(each.warm for each in same))
        for same in zip(*counts, strict=True)
    )
    spreads = [relative_spread([each.warm for each in same]) for same in zip(*counts, strict=True)]
    return Counts(job.backend, merged, conditions, in_c, max(spreads, default=0.0))


def count_workload(
    room: Workspace, target: Target | None, command: str, timeout: float = 3600.0, backend: str = ""
) -> Workload:
    """Count the instructions of a shell command in the repository's root, and of all calls of the target in it.

    The command runs twice: unchanged, and with the target's outermost calls marked. To mark the calls, the target's
    file is rewritten and then restored. For a generator, the code that its body runs between values is counted. Threads
    and programs that the target starts are included only in the count of the whole command. Raises UsageError if the
    command does not finish in time, has another exit status when marked, or `backend` does not work.
    """
    job = _job(room, backend)
    folder = f"{job.desk.folder}/regions"
    paths = install_regions(job.desk, folder, job.backend)
    shell = _shell(job)
    plain = _command(job, [*shell, _shell_line(paths, command, room.root)], timeout)
    whole, code = plain["values"]["whole"], plain["code"]
    if target is None:
        return Workload(whole, 0, code)
    before = room.read(target.path)
    room.write(target.path, _marked(before, target))
    try:
        marked = _command(job, [*shell, _shell_line([folder], command, room.root)], timeout, marked=True)
    finally:
        room.write(target.path, before)
    if marked["code"] != code:
        how = f"exits with {code}, but with {marked['code']} while calls of {target} are counted"
        raise UsageError(f"The command {how}.", "Check that it ends in the same way each time.")
    return Workload(whole, max(marked["values"]["whole"] - _marking(marked), 0), code)


def incomparable_reason(before: Counts, after: Counts) -> str:
    """Return why two counts cannot be compared, or "".

    Opcode events do not include work in C. Fewer events may mean that work was moved to C, unless both versions call
    the same C functions equally often and iterate over containers in C equally often.
    """
    if before.backend != after.backend:
        return f"not comparable: counted by {before.backend} before and by {after.backend} after"
    differing = [name for name in ("python", "hash seed") if before.conditions.get(name) != after.conditions.get(name)]
    if differing:
        return f"not comparable: different {' and '.join(differing)}"
    if before.backend == "opcodes" and before.in_c != after.in_c:
        pairs = zip(before.in_c, after.in_c, strict=False)
        moved = next((f"{one or 'none'} before, {two or 'none'} after" for one, two in pairs if one != two), "")
        return f"not comparable: opcode events do not include work in C ({moved[:200]})"
    return ""


def _job(room: Workspace, backend: str) -> CountJob:
    desk = WorkspaceHost(room, f"{room.harness}/counting")
    programs = install_programs(room.write, desk.folder, "performance.count_runner", "performance.metered_calls")
    name, tool = choose_backend(desk, backend)

    def line(job: str) -> str:
        return python_line(room, ["-B", programs, "performance.count_runner", job])

    return CountJob(desk, name, tool, line, {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"})


def _counts(answer: dict[str, Any], target: Target, wanted: int) -> list[Count]:
    values = answer["values"]
    if died := answer["died"]:
        raise UsageError(f"Call {died[0]} of {target} did not end: {answer['said'][-300:].strip()}", "")
    try:
        least = values["empty"]
        rows = [(values[f"{n:04} cold"] - least, values[f"{n:04} warm"] - least) for n in range(wanted)]
    except KeyError:
        why = answer["said"].strip().rpartition("\n")[2][-300:]
        raise UsageError(f"{target} could not be called: {why}", "Check that its module can be imported.") from None
    return [Count(max(cold, 1), max(warm, 1)) for cold, warm in rows]


def _shell(job: CountJob) -> list[str]:
    """Return the command line of the shell that the workspace's sessions use: bash if it is installed."""
    code, output = job.desk.run("command -v bash || command -v sh", PATIENCE)
    path = output.strip().rpartition("\n")[2]
    return [path if not code and path.startswith("/") else "/bin/sh", "-c"]


def _command(job: CountJob, words: Sequence[str], timeout: float, marked: bool = False) -> dict[str, Any]:
    tool = ("--collect-atstart=no",) if marked and job.tool.words else ()
    answer = job.ask(timeout, tool, command=list(words), marked=marked)
    if not answer["values"].setdefault("whole", 0) and not marked:
        raise UsageError(f"Nothing could be counted of this command: {words[-1][:200]}", "Check that it runs.")
    return answer


def _shell_line(folders: Sequence[str], command: str, root: str) -> str:
    """Return a shell line for the command in the repository's root, with these folders first on the import path."""
    paths = ":".join(folders)
    command = prepend_python_path(paths, command)
    settings = f"export PYTHONPATH={shlex.quote(paths)}${{PYTHONPATH:+:$PYTHONPATH}}"
    return f"cd {shlex.quote(root)} || exit\n{settings}\n{command}"


def _marking(answer: dict[str, Any]) -> int:
    """Return the total cost of marking the target's outermost and nested calls."""
    values = answer["values"]
    nested = max(values.get("nested", 0) - values.get("direct", 0), 0)
    return int(answer["entries"] * values.get("marking", 0) + answer["nested"] * nested) // MARKS


def _marked(data: bytes, target: Target) -> bytes:
    """Return the file with an innermost decorator added to the target that marks its calls, so that its own decorators
    are unaffected."""
    lines = data.split(b"\n")
    try:
        at = target.find(data.decode("utf-8")).lineno - 1
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{target.path} cannot be read: {error}", "Check that it is Python in UTF-8.") from None
    indentation = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines.insert(at, indentation + _DECORATOR.encode())
    return b"\n".join(lines)
