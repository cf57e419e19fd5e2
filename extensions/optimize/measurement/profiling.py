"""Profiles of a workload: the time spent in functions of the repository, and in the lines of one of them.

Times are in seconds of CPU time, summed over all threads and Python processes. Profiles are sampled and vary slightly
from run to run; for exact shares, count the instructions of the workload. Time in C and libraries is attributed to the
repository's function that called them.
"""

from __future__ import annotations

import ast
import json
import math
import secrets
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aci.observation.failure_cause import failure_cause, last_line
from aci.observation.untrusted_text import clean_output, clean_text
from aci.repository.test_files import is_test, is_test_config
from aci.runtime.guest_programs import install_programs, program_source
from aci.runtime.target_function import PickledCall, Target, iter_functions, python_line
from aci.runtime.workspace import Workspace
from aci.testing.command_files import prepend_python_path
from trajectories.errors import Cancelled, UsageError

SESSION = "profile"
EVERY = 0.002
"""Minimum number of seconds between two samples of the stacks."""

MODULE = "<module>"
MOST_PROCESSES, LARGEST, LARGEST_SOURCE = 200, 100_000_000, 5_000_000
Stack = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """A code object. `target` is the repository's outermost function that contains it, if any."""

    name: str
    file: str
    line: int
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class FunctionTime:
    """The time of a function: `own` includes libraries and C code that it calls, `total` also the repository's
    functions.

    `share` and `total_share` are relative to the whole workload. `calls` is 0 if calls were not counted. `inside` is
    the part of `own` in the function's own lines and in C code, without the Python code of libraries.
    """

    target: Target
    own: float
    total: float
    calls: int
    share: float
    total_share: float
    inside: float = 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """The sampled stacks (indexes into `frames`, outermost first) with their seconds; `spent` lists the functions in
    descending order of own time."""

    command: str
    frames: tuple[Frame, ...]
    stacks: tuple[tuple[Stack, float], ...]
    spent: tuple[FunctionTime, ...]
    processes: int
    code: int = 0
    """The exit status of the workload while it was sampled."""
    is_cut: bool = False
    """Whether the workload was ended by the time limit, so that only its beginning was sampled."""

    @property
    def seconds(self) -> float:
        """Processor time of all stacks, in seconds, including stacks outside the repository."""
        return sum(weight for _, weight in self.stacks)


@dataclass(frozen=True, slots=True)
class LineTime:
    """A line of the target: how often it ran, its seconds, including what it calls, and their share of all lines'.

    `runs` counts the rounds of a loop in the line, and `starts` does not. `types` are the names of the local variables'
    types where the line starts.
    """

    line: int
    runs: int
    share: float
    starts: int = 0
    seconds: float = 0.0
    types: Mapping[str, str] = field(default_factory=dict)


def profile_command(
    room: Workspace, command: str, timeout: float = 600.0, calls: bool = True, may_cut: bool = False
) -> Profile:
    """Run a workload under the sampler, and, with `calls`, once more to count the calls of each function.

    Only processes that start Python with the inherited environment are sampled. Raises UsageError if the workload does
    not finish in time or no Python was sampled. With `may_cut`, a workload that does not finish in time is profiled
    until then. A failing workload is profiled until it exits.
    """
    answers, code, text, is_cut = _run(room, command, timeout, False, may_cut)
    if not any(answer["stacks"] for answer in answers):
        why = (failure_cause(text) or last_line(text)).removesuffix(".")
        how = f"; it ended with status {code}{f': {why}' if why else ''}." if code else "."
        fix = "Give a command that runs Python for a tenth of a second or more."
        raise UsageError(f"No Python code of the workload was sampled{how}", fix)
    sources = _Sources(room)
    frames: dict[Frame, int] = {}
    stacks: Counter[Stack] = Counter()
    for answer in answers:
        numbers = [frames.setdefault(sources.frame(*row), len(frames)) for row in answer["frames"]]
        for stack, weight in answer["stacks"]:
            stacks[tuple(numbers[number] for number in stack)] += weight
    counted = _calls(_run(room, command, timeout, True)[0], sources) if calls else {}
    found = tuple(frames)
    return Profile(command, found, tuple(stacks.items()), _spent(found, stacks, counted), len(answers), code, is_cut)


def hottest_functions(profile: Profile, n: int = 5, least: float = 0.01) -> list[FunctionTime]:
    """Return the functions with the most own time whose share is at least `least`, excluding tests and `__main__`
    code."""
    found = [one for one in profile.spent if one.share >= least and _is_candidate(one.target)]
    return found[:n]


def to_speedscope(profile: Profile, name: str = "") -> str:
    """Return the profile as JSON in speedscope's format (a `sampled` profile, weights in seconds)."""
    shown = [
        {
            "name": clean_text(frame.name),
            **({"file": clean_text(frame.file), "line": frame.line} if frame.line > 0 else {}),
        }
        for frame in profile.frames
    ]
    title = clean_text(name or profile.command)
    sampled = {
        "type": "sampled",
        "name": title,
        "unit": "seconds",
        "startValue": 0,
        "endValue": profile.seconds,
        "samples": [list(stack) for stack, _ in profile.stacks],
        "weights": [weight for _, weight in profile.stacks],
    }
    return json.dumps(
        {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "name": title,
            "exporter": "swe-agent",
            "activeProfileIndex": 0,
            "shared": {"frames": shown},
            "profiles": [sampled],
        }
    )


def format_flame_graph(profile: Profile, width: int = 80, deepest: int = 12, least: float = 0.01) -> str:
    """Return a flame graph as text: a tree of the repository's functions, each with its share, its name and a bar below
    its caller's bar.

    Recursive calls of a function, including indirect ones, are merged. Lines are at most `width` columns long.
    """
    root = _Node("")
    for stack, weight in profile.stacks:
        root.add(_path(profile.frames, stack)[:deepest], weight)
    names = min(max(width * 3 // 5, 20), 70)
    lines: list[str] = []
    _draw(root, 0, 0.0, root.weight or 1.0, (names, max(width - names - 9, 4), least), lines)
    return "\n".join(lines)


def profile_lines(
    room: Workspace, target: Target, calls: Sequence[PickledCall], timeout: float = 60.0, is_whole: bool = False
) -> tuple[LineTime, ...]:
    """Return each line's share of the target's time in these calls, largest first.

    With `is_whole`, the lines are those of all functions of the target's file, each without the time of the others.
    Raises UsageError if the calls cannot run.
    """
    programs = install_programs(room.write, room.harness, "optimize.line_profiler")
    mark = f"{room.harness}/lines-{secrets.token_hex(8)}"
    kept = [f"{mark}/{number}.pickle" for number in range(len(calls))]
    for file, call in zip(kept, calls, strict=True):
        room.write(file, call.data)
    job = {"root": room.root, "path": target.path, "name": target.name, "calls": kept, "out": f"{mark}/answer.json"}
    room.write(f"{mark}/job.json", json.dumps({**job, "seconds": timeout, "is_whole": is_whole}).encode())
    ran = room.run(python_line(room, [programs, "optimize.line_profiler", f"{mark}/job.json"]), timeout + 30, SESSION)
    if ran.code == 130:
        raise Cancelled("The profiling was interrupted.")
    try:
        answer = json.loads(room.read(f"{mark}/answer.json", LARGEST))
        rows = [_line_time(*row) for row in answer["lines"]]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise UsageError(f"{target} could not be run line by line.", clean_output(ran.text)[-300:]) from error
    whole = sum(row.seconds for row in rows) or 1.0
    lines = (replace(row, share=row.seconds / whole) for row in rows)
    return tuple(sorted(lines, key=lambda one: (-one.share, one.line)))


def _line_time(line: Any, runs: Any, starts: Any, seconds: Any, types: Any) -> LineTime:
    """Validate a row of the line profiler, since untrusted code ran in it."""
    names = {str(name): str(kind) for name, kind in types.items()}
    found = LineTime(int(line), int(runs), 0.0, int(starts), float(seconds), names)
    if not (found.line > 0 and min(found.runs, found.starts) >= 0 and 0 <= found.seconds < math.inf):
        raise ValueError("invalid line")
    return found


# Running


def _run(
    room: Workspace, command: str, timeout: float, calls: bool, may_cut: bool = False
) -> tuple[list[dict[str, Any]], int, str, bool]:
    """Run the workload; return the report of each process, the exit status, the output, and whether the time limit
    ended it."""
    folder = f"{room.harness}/profile-{secrets.token_hex(8)}"
    job = {"root": room.root, "out": f"{folder}/out", "every": EVERY, "calls": calls}
    source = program_source("optimize/sampling_profiler.py")
    room.write(f"{folder}/sitecustomize.py", source)
    room.write(f"{folder}/out/.keep", b"")
    settings = f"PYTHONPATH={shlex.quote(folder)}${{PYTHONPATH:+:$PYTHONPATH}} PYTHONDONTWRITEBYTECODE=1"
    line = (
        f"export {settings} SWE_AGENT_PROFILE={shlex.quote(json.dumps(job))} && {prepend_python_path(folder, command)}"
    )
    ran = room.run(f"(cd {shlex.quote(room.root)} && {line}\n) </dev/null", timeout, SESSION)
    if ran.code == 130:
        raise Cancelled("The profiling was interrupted.")
    if ran.timed_out and not may_cut:
        raise UsageError(f"The workload did not finish within {timeout:g} s.", "Give a shorter one.")
    listed = room.run(f"ls {shlex.quote(folder)}/out", 30, SESSION).text.split()
    names = sorted(name for name in listed if name.endswith(".json"))[:MOST_PROCESSES]
    found = [_answer(room, f"{folder}/out/{name}") for name in names]
    room.run(f"rm -rf {shlex.quote(folder)}", 30, SESSION)
    return [answer for answer in found if answer], ran.code, ran.text, ran.timed_out


def _answer(room: Workspace, path: str) -> dict[str, Any]:
    """Read and validate the report of one process, since untrusted code ran in it."""
    try:
        report = json.loads(room.read(path, LARGEST))
        rows = [(str(path), str(file), int(line), str(name)) for path, file, line, name in report["frames"]]
        known = range(len(rows))
        stacks = [(tuple(map(int, stack)), float(weight)) for stack, weight in report["stacks"]]
        calls = [(int(number), int(count)) for number, count in report["calls"]]
    except (OSError, ValueError, TypeError, KeyError, UsageError, RecursionError, OverflowError):
        return {}
    return {
        "frames": rows,
        "stacks": [(stack, weight) for stack, weight in stacks if 0 < weight < 1e9 and all(n in known for n in stack)],
        "calls": [(number, count) for number, count in calls if number in known and count > 0],
    }


class _Sources:
    """Finds the function that contains a given line of a file in the workspace's repository."""

    def __init__(self, room: Workspace) -> None:
        self.room = room
        self._spans: dict[str, list[tuple[int, int, str]]] = {}

    def frame(self, path: str, file: str, line: int, name: str) -> Frame:
        if not path:
            return Frame(name, file, line)
        return Frame(name, path, line, Target(path, self._name(path, line)))

    def _name(self, path: str, line: int) -> str:
        if path not in self._spans:
            self._spans[path] = self._read(path)
        return next((name for first, last, name in self._spans[path] if first <= line <= last), MODULE)

    def _read(self, path: str) -> list[tuple[int, int, str]]:
        try:
            tree = ast.parse(self.room.read(path, LARGEST_SOURCE))
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError, UsageError):
            return []
        tree.body = [node for node in tree.body if not _is_main(node)]
        return [
            (min([node.lineno, *(each.lineno for each in node.decorator_list)]), node.end_lineno or node.lineno, name)
            for name, node in iter_functions(tree)
        ]


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in {
        each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)
    }


def _calls(answers: Iterable[Mapping[str, Any]], sources: _Sources) -> dict[Target, int]:
    """Return the number of calls by function, excluding calls of nested functions and comprehensions."""
    counted: Counter[Target] = Counter()
    for answer in answers:
        for number, count in answer["calls"]:
            frame = sources.frame(*answer["frames"][number])
            if frame.target and frame.target.name.rpartition(".")[2] == frame.name.rpartition(".")[2]:
                counted[frame.target] += count
    return counted


# Results


def _spent(
    frames: Sequence[Frame], stacks: Mapping[Stack, float], counted: Mapping[Target, int]
) -> tuple[FunctionTime, ...]:
    own: Counter[Target] = Counter()
    inside: Counter[Target] = Counter()
    total: Counter[Target] = Counter()
    for stack, weight in stacks.items():
        mine = [target for number in stack if (target := frames[number].target)]
        if mine:
            own[mine[-1]] += weight  # type: ignore[assignment]
        if mine and frames[stack[-1]].target:
            inside[mine[-1]] += weight  # type: ignore[assignment]
        for target in set(mine):
            total[target] += weight  # type: ignore[assignment]
    whole = sum(stacks.values())
    found = [
        FunctionTime(
            target, own[target], spent, counted.get(target, 0), own[target] / whole, spent / whole, inside[target]
        )
        for target, spent in total.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.own, -one.total, str(one.target))))


def _is_candidate(target: Target) -> bool:
    return target.name != MODULE and not is_test(target.path) and not is_test_config(target.path)


def _path(frames: Sequence[Frame], stack: Stack) -> list[str]:
    """Return the repository's functions in a stack, outermost first; frames between two calls of the same function are
    left out."""
    found: list[str] = []
    for number in stack:
        if target := frames[number].target:
            name = str(target)
            del found[found.index(name) if name in found else len(found) :]
            found.append(name)
    return found


class _Node:
    def __init__(self, name: str) -> None:
        self.name, self.weight = name, 0.0
        self.children: dict[str, _Node] = {}

    def add(self, path: Sequence[str], weight: float) -> None:
        self.weight += weight
        if path:
            self.children.setdefault(path[0], _Node(path[0])).add(path[1:], weight)


def _draw(node: _Node, depth: int, start: float, whole: float, sizes: tuple[int, int, float], lines: list[str]) -> None:
    names, bar, least = sizes
    for child in sorted(node.children.values(), key=lambda each: -each.weight):
        share = child.weight / whole
        if share < least:
            continue
        label = _short(" " * depth + clean_text(child.name).replace("\n", " "), names)
        left, length = round(start * bar), max(round((start + share) * bar) - round(start * bar), 1)
        lines.append(f"{share:6.1%} {label:<{names}} {' ' * left}{'█' * min(length, bar - left)}".rstrip())
        _draw(child, depth + 1, start, whole, sizes, lines)
        start += share


def _short(text: str, longest: int) -> str:
    """Shorten text at its start, as the end of a name is more informative."""
    if len(text) <= longest:
        return text
    blank = text[: len(text) - len(text.lstrip())][: longest // 2]
    return f"{blank}…{text[len(blank) - longest + 1 :]}"
