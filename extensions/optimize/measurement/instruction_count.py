"""Instruction counts of function calls and commands, which are reproducible and independent of the machine's load.

Times vary by a few percent from run to run, but counts do not. The idea comes from the authors of Valgrind; arXiv
2508.20124 ranks programs by instruction counts. The backends are the modules of `counters/`; each result names its
backend.

The counted code is untrusted and runs in its own workspace; only numbers and short text are read from its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

from aci.runtime.guest_programs import install_programs
from aci.runtime.target_function import PickledCall, Target, python_line
from aci.runtime.workspace import Workspace
from extensions.optimize.measurement.count_job import (
    CountJob,
    WorkspaceHost,
    choose_backend,
    count_conditions,
    relative_spread,
)
from trajectories.errors import UsageError


@dataclass(frozen=True, slots=True)
class Count:
    """Median instruction counts over hash seeds, for the first (cold) and the fourth (warm) call in a fresh process.

    A large call runs only once in its process, after three small ones; both numbers are that run's.
    """

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
    large: Sequence[PickledCall] = (),
    warm_up: PickledCall | None = None,
) -> Counts:
    """Count the instructions of each call of the target, in its own process and with fresh copies of its arguments.

    Calls that take long under a counter can be given as `large`; they are counted once, after runs of `warm_up`, and
    follow the others in the result. The calls run under each hash seed of `seeds`, for at most `timeout` seconds each.
    Calls that raise an exception are counted too, and lazy results are consumed while counting. Without `backend`, the
    first backend that works is used. Raises UsageError if the backend does not work, the target cannot be imported or a
    call does not finish.
    """
    job = _job(room, backend)
    given = [*calls, *large, *([warm_up] if warm_up else [])]
    kept = [f"{job.desk.folder}/call{n:04}.pickle" for n in range(len(given))]
    for path, call in zip(kept, given, strict=True):
        job.desk.write(path, call.data)
    wanted = len(calls) + len(large)
    what: dict[str, Any] = {
        "root": room.root,
        "path": target.path,
        "name": target.name,
        "calls": kept[: len(calls)],
        "large": kept[len(calls) : wanted],
        "warm_up": kept[-1] if warm_up else "",
        "seconds": timeout,
    }
    found = []
    for seed in seeds:
        answer = job.ask(timeout + 60, environment={"PYTHONHASHSEED": str(seed)}, **what)
        found.append((_counts(answer, target, wanted), answer))
    counts = [each for each, _ in found]
    last = found[-1][1]
    conditions = {**count_conditions(last, job.tool), "hash seed": ", ".join(map(str, seeds))}
    in_c = tuple(last["in_c"].get(f"{n:04} warm", "") for n in range(wanted))
    merged = tuple(
        Count(median_low(each.cold for each in same), median_low(each.warm for each in same))
        for same in zip(*counts, strict=True)
    )
    spreads = [relative_spread([each.warm for each in same]) for same in zip(*counts, strict=True)]
    return Counts(job.backend, merged, conditions, in_c, max(spreads, default=0.0))


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
    programs = install_programs(room.write, desk.folder, "optimize.count_runner", "optimize.metered_calls")
    name, tool = choose_backend(desk, backend)

    def line(job: str) -> str:
        return python_line(room, ["-B", programs, "optimize.count_runner", job])

    return CountJob(desk, name, tool, line, {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"})


def _counts(answer: dict[str, Any], target: Target, wanted: int) -> list[Count]:
    values = answer["values"]
    if died := answer["died"]:
        raise UsageError(f"Call {died[0]} of {target} did not end: {answer['said'][-300:].strip()}", "")
    try:
        least = values["empty"]
        warm = [values[f"{n:04} warm"] for n in range(wanted)]
        rows = [(values.get(f"{n:04} cold", after) - least, after - least) for n, after in enumerate(warm)]
    except KeyError:
        why = answer["said"].strip().rpartition("\n")[2][-300:]
        raise UsageError(f"{target} could not be called: {why}", "Check that its module can be imported.") from None
    return [Count(max(cold, 1), max(warm, 1)) for cold, warm in rows]
