"""How many instructions a call of a function costs, or a command: the same number each time, on any machine's load.

Time spreads by percents from run to run, a count does not: Valgrind's authors' idea, and what arXiv 2508.20124 ranks
programs by. The ways to count are the files of `aci/counters/`; each figure is one of theirs and says of which.

What is counted is a stranger's code in a room of its own; its answer is read as data, and nothing in it is believed to
be more than a number.
"""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from statistics import median_low
from typing import Any, NamedTuple, Protocol

from aci.commands import importing
from aci.counters import Desk, Tool, Unusable
from aci.target import Target, place, python_line
from aci.workspace import Workspace
from trajectories.errors import Cancelled, UsageError
from trajectories.plugins import names

SESSION = "counting"
ENTRIES = 100
"""Regions of the least content, from which the cost of marking one is known."""

_DECORATOR = '@__import__("swe_agent_regions").counted'
_CALIBRATE = f"import swe_agent_regions; swe_agent_regions.calibrate({ENTRIES})"
_SITE = """\
import sys
import swe_agent_regions
folder = __file__.rpartition("/")[0]
sys.path = [each for each in sys.path if each != folder]
del sys.modules["sitecustomize"]
try:
    import sitecustomize
except ImportError:
    pass
sys.path.insert(0, folder)
swe_agent_regions.whole()
"""


class Kept(Protocol):
    """A kept call: a pickle of (args, kwargs)."""

    @property
    def data(self) -> bytes: ...


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
    """Instructions of a whole command, start-up of its processes included, and of all calls of the target in it."""

    whole: int
    inside: int


@dataclass(frozen=True, slots=True)
class Room:
    """A workspace in which only commands of ours run, as a place to count in."""

    workspace: Workspace
    folder: str

    def run(self, line: str, timeout: float) -> tuple[int, str]:
        ran = self.workspace.run(line, timeout, SESSION)
        if ran.code == 130:
            raise Cancelled("The counting was interrupted.")
        return ran.code, ran.text

    def write(self, path: str, data: bytes) -> None:
        self.workspace.write(path, data)

    def read(self, path: str) -> bytes:
        return self.workspace.read(path)


@dataclass(slots=True)
class Job:
    """What is handed to `aci/inside/counted.py` by one meter; `line(file)` is the shell line that runs it there."""

    desk: Desk
    backend: str
    tool: Tool
    line: Callable[[str], str]
    environment: dict[str, str] = field(default_factory=dict)

    def ask(self, timeout: float, tool: Sequence[str] = (), **job: Any) -> dict[str, Any]:
        """The answer to it. Raises UsageError where there is none."""
        at = f"{self.desk.folder}/{secrets.token_hex(4)}"
        out = f"{at}.out"
        words = [*self.tool.words, *tool, f"--callgrind-out-file={out}/%p"] if self.tool.words else []
        meter = {"SWE_AGENT_COUNTED": out, "SWE_AGENT_METER": self.backend}
        environment = {**self.environment, **self.tool.environment, **meter, **job.pop("environment", {})}
        whole = {**job, "out": out, "answer": f"{at}.answer", "meter": self.backend, "tool": words}
        self.desk.write(f"{at}.job", json.dumps({**whole, "environment": environment}).encode())
        code, said = self.desk.run(self.line(f"{at}.job"), timeout)
        try:
            answer = json.loads(self.desk.read(f"{at}.answer"))
        except (OSError, ValueError):
            why = "it took too long" if code == 124 else said.strip()[-300:] or f"exit status {code}"
            raise UsageError(f"Nothing could be counted: {why}.", "Give it more time, or less to do.") from None
        finally:
            self.desk.run(f"rm -rf {shlex.quote(at)}.*", 60.0)
        if not isinstance(answer, dict) or "error" in answer:
            raise UsageError(f"Nothing could be counted: {dict(answer).get('error')}.", "See that the command runs.")
        return answer


def counting_room(workspace: Workspace, tree: str) -> Workspace:
    """A fork at `tree` that may count: for commands of ours only. In Docker it is a container of the same image."""
    return workspace.fork(tree, counting=True)


def choose(desk: Desk, backend: str = "") -> tuple[str, Tool]:
    """The first way to count that works in a place, or the one that is named. Raises UsageError where it does not."""
    parts = {name: import_module(module) for name, module in names("aci.counters").items()}
    if backend and backend not in parts:
        raise UsageError(f"There is no way to count named {backend!r}.", f"Choose one of: {', '.join(sorted(parts))}.")
    refused = {}
    for name, part in sorted(parts.items(), key=lambda pair: int(pair[1].ORDER)):
        if backend in ("", name):
            try:
                tool: Tool = part.ready(desk)
            except Unusable as error:
                refused[f"not {name}"] = str(error)
                continue
            return name, Tool(tool.words, tool.environment, {**tool.conditions, **refused})
    raise UsageError(f"{backend} cannot count here: {'; '.join(refused.values())}.", "Leave the choice to us.")


def count_calls(
    room: Workspace,
    target: Target,
    calls: Sequence[Kept],
    seeds: Sequence[int] = (0,),
    timeout: float = 600.0,
    backend: str = "",
) -> Counts:
    """Instructions of each call of the target, in a process of its own and with a fresh copy of its arguments.

    Under each hash seed of `seeds`, for `timeout` seconds each. A lazy result is used up within the count; a call that
    raises is counted as it is. Raises UsageError where the target cannot be imported or a call does not end.
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
    told = {**_told(last, job.tool), "hash seed": ", ".join(map(str, seeds))}
    in_c = tuple(str(last.get("in_c", {}).get(f"{n:04} warm", "")) for n in range(len(calls)))
    merged = tuple(
        Count(median_low(each.cold for each in same), median_low(each.warm for each in same))
        for same in zip(*counts, strict=True)
    )
    spreads = [_spread([each.warm for each in same]) for same in zip(*counts, strict=True)]
    return Counts(job.backend, merged, told, in_c, max(spreads, default=0.0))


def count_workload(
    room: Workspace, target: Target | None, command: str, timeout: float = 3600.0, backend: str = ""
) -> Workload:
    """Instructions of a shell command in the repository's root, and of all calls of the target in it.

    Two runs: one of the command as it is, and one with the target's outermost calls marked, for which its file is
    written anew and put back. Of a generator, what runs between its values counts. What the target does on threads and
    in programs that it starts is in the whole only. Raises UsageError where the command does not end in time.
    """
    job = _job(room, backend)
    folder = f"{job.desk.folder}/regions"
    for name, put in (
        ("regions", "swe_agent_regions"),
        ("meters", "parts/meters"),
        ("meters_told", "parts/meters_told"),
    ):
        room.write(f"{folder}/{put}.py", files("aci.inside").joinpath(f"{name}.py").read_bytes())
    if job.backend == "opcodes":
        room.write(f"{folder}/site/sitecustomize.py", _SITE.encode())
    paths = [f"{folder}/site", folder] if job.backend == "opcodes" else [folder]
    whole = _command(job, _in(paths, command, room.root), timeout)["values"]["whole"]
    if target is None:
        return Workload(whole, 0)
    before = room.read(target.path)
    room.write(target.path, _marked(before, target))
    try:
        told = _command(job, _in([folder], command, room.root), timeout, ("--collect-atstart=no",))
    finally:
        room.write(target.path, before)
    return Workload(whole, max(told["values"]["whole"] - told["entries"] * _marking(job, folder), 0))


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
    folder = place(room, "subject", "meters", "meters_told", "called", "counted")
    desk = Room(room, folder)
    name, tool = choose(desk, backend)

    def line(job: str) -> str:
        return python_line(room, ["-B", f"{folder}/counted.py", job])

    return Job(desk, name, tool, line, {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"})


def _counts(answer: dict[str, Any], target: Target, wanted: int) -> list[Count]:
    values = answer.get("values", {})
    if died := [str(each) for each in answer.get("died", ())]:
        raise UsageError(f"Call {died[0]} of {target} did not end: {answer.get('said', '')[-300:].strip()}", "")
    try:
        least = values["empty"]
        rows = [(values[f"{n:04} cold"] - least, values[f"{n:04} warm"] - least) for n in range(wanted)]
    except KeyError:
        why = str(answer.get("said", "")).strip().rpartition("\n")[2][-300:]
        raise UsageError(f"{target} could not be called: {why}", "See that its module can be imported.") from None
    return [Count(max(cold, 1), max(warm, 1)) for cold, warm in rows]


def _told(answer: dict[str, Any], tool: Tool) -> dict[str, str]:
    return {**tool.conditions, **{str(k): str(v)[:200] for k, v in answer.get("conditions", {}).items()}}


def _spread(counts: Sequence[int]) -> float:
    """The range of these counts, relative to the least."""
    return (max(counts) - min(counts)) / max(min(counts), 1)


def _command(job: Job, line: str, timeout: float, tool: Sequence[str] = ()) -> dict[str, Any]:
    answer = job.ask(timeout, tool if job.tool.words else (), command=["/bin/sh", "-c", line])
    if not answer["values"]["whole"] and not tool:
        raise UsageError(f"Nothing could be counted of this command: {line[:200]}", "See that it runs.")
    return answer


def _in(folders: Sequence[str], command: str, root: str) -> str:
    """A shell line for the command in the repository's root, with our modules in reach."""
    paths = ":".join(folders)
    command = importing(paths, command)
    return f"cd {shlex.quote(root)} && export PYTHONPATH={shlex.quote(paths)}${{PYTHONPATH:+:$PYTHONPATH}} && {command}"


def _marking(job: Job, folder: str) -> int:
    """What entering and leaving a region costs by itself."""
    if job.backend != "valgrind":
        return 0
    python = '"$(command -v python3 || command -v python)"'
    line = f"{python} -c {shlex.quote(_CALIBRATE)}"
    told = _command(job, _in([folder], line, "/"), 120.0, ("--collect-atstart=no",))
    return int(told["values"]["whole"]) // max(int(told["entries"]), 1)


def _marked(data: bytes, target: Target) -> bytes:
    """The file with the target's calls marked: the innermost decorator, so its own see the same as before."""
    lines = data.split(b"\n")
    at = target.find(data.decode("utf-8")).lineno - 1
    indentation = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines.insert(at, indentation + _DECORATOR.encode())
    return b"\n".join(lines)
