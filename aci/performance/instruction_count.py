"""How many instructions a call of a function costs, or a command: the same number each time, on any machine's load.

Time spreads by percents from run to run, a count does not: Valgrind's authors' idea, and what arXiv 2508.20124 ranks
programs by. The ways to count are the files of `aci/counters/`; each figure is one of theirs and says of which.

What is counted is a stranger's code in a room of its own; its answer is read as data, and nothing in it is believed to
be more than a number.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any, NamedTuple

from aci.commands import importing
from aci.counting_job import INSIDE, PATIENCE, Job, Room, choose, place_regions, spread, told
from aci.target import KeptCall, Target, place, python_line
from aci.workspace import Workspace
from trajectories.errors import UsageError

MARKS = 100
"""Regions of the least content, from which the cost of marking one is known: TIMES of `aci/inside/regions.py`."""

_DECORATOR = '@__import__("swe_agent_regions").counted'


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions of the first call in a fresh process, and of the fourth; the median over hash seeds."""

    cold: int
    warm: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What calls cost. `in_c`: of each call, C functions called and opcodes that walk in C, where opcodes are counted.

    `spread` is the greatest range over hash seeds of a warm call's count, relative to its least.
    """

    backend: str
    calls: tuple[Count, ...]
    conditions: dict[str, str]
    in_c: tuple[str, ...] = ()
    spread: float = 0.0


class Workload(NamedTuple):
    """Instructions of a whole command, start-up of its processes included, and of all calls of the target in it.

    `code` is the exit status of the shell that ran it: two commands that end with another one did not do the same work.
    """

    whole: int
    inside: int
    code: int


def counting_room(workspace: Workspace, tree: str) -> Workspace:
    """A fork at `tree` that may count: for commands of ours only. In Docker it is a container of the same image."""
    return workspace.fork(tree, counting=True)


def count_calls(
    room: Workspace,
    target: Target,
    calls: Sequence[KeptCall],
    seeds: Sequence[int] = (0,),
    timeout: float = 600.0,
    backend: str = "",
) -> Counts:
    """Instructions of each call of the target, in a process of its own and with a fresh copy of its arguments.

    Under each hash seed of `seeds`, for `timeout` seconds each. A lazy result is used up within the count; a call that
    raises is counted as it is. `backend` names the way to count; without it, the first that works there is taken.
    Raises UsageError where that cannot be had, the target cannot be imported or a call does not end.
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
    conditions = {**told(last, job.tool), "hash seed": ", ".join(map(str, seeds))}
    in_c = tuple(last["in_c"].get(f"{n:04} warm", "") for n in range(len(calls)))
    merged = tuple(
        Count(median_low(each.cold for each in same), median_low(each.warm for each in same))
        for same in zip(*counts, strict=True)
    )
    spreads = [spread([each.warm for each in same]) for same in zip(*counts, strict=True)]
    return Counts(job.backend, merged, conditions, in_c, max(spreads, default=0.0))


def count_workload(
    room: Workspace, target: Target | None, command: str, timeout: float = 3600.0, backend: str = ""
) -> Workload:
    """Instructions of a shell command in the repository's root, and of all calls of the target in it; how it ended.

    Two runs: one of the command as it is, and one with the target's outermost calls marked, for which its file is
    written anew and put back. Of a generator, what runs between its values counts. What the target does on threads and
    in programs that it starts is in the whole only. Raises UsageError where the command does not end in time, ends
    otherwise when marked, or `backend` cannot be had.
    """
    job = _job(room, backend)
    folder = f"{job.desk.folder}/regions"
    paths = place_regions(job.desk, folder, job.backend)
    shell = _shell(job)
    plain = _command(job, [*shell, _in(paths, command, room.root)], timeout)
    whole, code = plain["values"]["whole"], plain["code"]
    if target is None:
        return Workload(whole, 0, code)
    before = room.read(target.path)
    room.write(target.path, _marked(before, target))
    try:
        marked = _command(job, [*shell, _in([folder], command, room.root)], timeout, marked=True)
    finally:
        room.write(target.path, before)
    if marked["code"] != code:
        how = f"ends with status {code}, and with {marked['code']} while calls of {target} are counted"
        raise UsageError(f"The command {how}.", "See that it ends in the same way each time.")
    return Workload(whole, max(marked["values"]["whole"] - _marking(marked), 0), code)


def comparable(before: Counts, after: Counts) -> str:
    """Why two counts cannot be set side by side, or "".

    Opcode events do not see what C does: unless both call the same C functions equally often, and let C walk over
    containers equally often, fewer events may be work that was moved there.
    """
    if before.backend != after.backend:
        return f"not comparable: counted by {before.backend} before and by {after.backend} after"
    differing = [name for name in ("python", "hash seed") if before.conditions.get(name) != after.conditions.get(name)]
    if differing:
        return f"not comparable: another {' and '.join(differing)}"
    if before.backend == "opcodes" and before.in_c != after.in_c:
        pairs = zip(before.in_c, after.in_c, strict=False)
        moved = next((f"{one or 'none'} before, {two or 'none'} after" for one, two in pairs if one != two), "")
        return f"not comparable: opcode events do not see what is done in C ({moved[:200]})"
    return ""


def _job(room: Workspace, backend: str) -> Job:
    folder = place(room, "subject", "called", *INSIDE)
    desk = Room(room, folder)
    name, tool = choose(desk, backend)

    def line(job: str) -> str:
        return python_line(room, ["-B", f"{folder}/counted.py", job])

    return Job(desk, name, tool, line, {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"})


def _counts(answer: dict[str, Any], target: Target, wanted: int) -> list[Count]:
    values = answer["values"]
    if died := answer["died"]:
        raise UsageError(f"Call {died[0]} of {target} did not end: {answer['said'][-300:].strip()}", "")
    try:
        least = values["empty"]
        rows = [(values[f"{n:04} cold"] - least, values[f"{n:04} warm"] - least) for n in range(wanted)]
    except KeyError:
        why = answer["said"].strip().rpartition("\n")[2][-300:]
        raise UsageError(f"{target} could not be called: {why}", "See that its module can be imported.") from None
    return [Count(max(cold, 1), max(warm, 1)) for cold, warm in rows]


def _shell(job: Job) -> list[str]:
    """The shell of the room's sessions, which a command is written for: bash where there is one."""
    code, said = job.desk.run("command -v bash || command -v sh", PATIENCE)
    path = said.strip().rpartition("\n")[2]
    return [path if not code and path.startswith("/") else "/bin/sh", "-c"]


def _command(job: Job, words: Sequence[str], timeout: float, marked: bool = False) -> dict[str, Any]:
    tool = ("--collect-atstart=no",) if marked and job.tool.words else ()
    answer = job.ask(timeout, tool, command=list(words), marked=marked)
    if not answer["values"].setdefault("whole", 0) and not marked:
        raise UsageError(f"Nothing could be counted of this command: {words[-1][:200]}", "See that it runs.")
    return answer


def _in(folders: Sequence[str], command: str, root: str) -> str:
    """A shell line for the command in the repository's root, with our modules in reach."""
    paths = ":".join(folders)
    command = importing(paths, command)
    settings = f"export PYTHONPATH={shlex.quote(paths)}${{PYTHONPATH:+:$PYTHONPATH}}"
    return f"cd {shlex.quote(root)} || exit\n{settings}\n{command}"


def _marking(answer: dict[str, Any]) -> int:
    """What marking the target's calls cost by itself: the outermost, and those within one."""
    values = answer["values"]
    nested = max(values.get("nested", 0) - values.get("direct", 0), 0)
    return int(answer["entries"] * values.get("marking", 0) + answer["nested"] * nested) // MARKS


def _marked(data: bytes, target: Target) -> bytes:
    """The file with the target's calls marked: the innermost decorator, so its own see the same as before."""
    lines = data.split(b"\n")
    try:
        at = target.find(data.decode("utf-8")).lineno - 1
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{target.path} cannot be read: {error}", "See that it is Python, in UTF-8.") from None
    indentation = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines.insert(at, indentation + _DECORATOR.encode())
    return b"\n".join(lines)
