"""Where the time of a workload goes, in functions of the repository, and in the lines of one of them.

The unit is seconds of processor time, of all threads and Python processes together: sampled, so a profile differs a
little from run to run. Exact shares in instructions come from counting the workload. What C and libraries take is
given to the repository's function that called them.
"""

from __future__ import annotations

import ast
import json
import math
import secrets
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from aci.commands import importing
from aci.patch import is_test, is_test_config
from aci.target import KeptCall, Target, functions, place, python_line
from aci.view import clean
from aci.workspace import Workspace
from trajectories.errors import Cancelled, UsageError

SESSION = "profile"
EVERY = 0.002
"""Seconds between two looks at the stacks, where the program lets us have them."""

MODULE = "<module>"
MOST_PROCESSES, LARGEST, LARGEST_SOURCE = 200, 100_000_000, 5_000_000
Stack = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """A code object. `target` is the repository's outermost function that holds it, if any; a line of the text else."""

    name: str
    file: str
    line: int
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a function took: `own` seconds are its, its libraries' and C's; `total` those of what it calls as well.

    `share` and `total_share` are of the whole workload. `calls` is 0 where nobody counted.
    """

    target: Target
    own: float
    total: float
    calls: int
    share: float
    total_share: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The stacks seen (frames by number, outermost first) with their seconds; `spent` by function, own time first."""

    command: str
    frames: tuple[Frame, ...]
    stacks: tuple[tuple[Stack, float], ...]
    spent: tuple[Spent, ...]
    processes: int
    code: int = 0
    """The exit status of the workload while it was sampled."""

    @property
    def seconds(self) -> float:
        """Processor time of all stacks, those outside the repository too."""
        return sum(weight for _, weight in self.stacks)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the target: how often it ran, and its share of the time of all its lines, with what they call."""

    line: int
    runs: int
    share: float


def profile(room: Workspace, command: str, timeout: float = 600.0, calls: bool = True) -> Profile:
    """Run a workload under the sampler, and, for the numbers of `calls`, once more under a counter.

    Processes are seen that start a Python with the environment that they are given. Raises UsageError where the time
    is up or nothing was seen; a workload that fails is shown as far as it came.
    """
    answers, code, text = _run(room, command, timeout, False)
    if not any(answer["stacks"] for answer in answers):
        how = f" and ended with status {code}: {clean(text).strip()[-200:]}" if code else "."
        fix = "Give a command that runs Python for a tenth of a second or more."
        raise UsageError(f"The workload shows no Python at work{how}", fix)
    sources = _Sources(room)
    frames: dict[Frame, int] = {}
    stacks: Counter[Stack] = Counter()
    for answer in answers:
        numbers = [frames.setdefault(sources.frame(*row), len(frames)) for row in answer["frames"]]
        for stack, weight in answer["stacks"]:
            stacks[tuple(numbers[number] for number in stack)] += weight
    counted = _calls(_run(room, command, timeout, True)[0], sources) if calls else {}
    found = tuple(frames)
    return Profile(command, found, tuple(stacks.items()), _spent(found, stacks, counted), len(answers), code)


def hottest(profile: Profile, n: int = 5, least: float = 0.01) -> list[Target]:
    """The functions that hold most of the time themselves, each at least the share `least`; no tests, no `__main__`."""
    found = [one.target for one in profile.spent if one.share >= least and _is_candidate(one.target)]
    return found[:n]


def speedscope(profile: Profile, name: str = "") -> str:
    """The profile as JSON in speedscope's own format (a `sampled` profile, weights in seconds)."""
    shown = [
        {"name": clean(frame.name), **({"file": clean(frame.file), "line": frame.line} if frame.line > 0 else {})}
        for frame in profile.frames
    ]
    title = clean(name or profile.command)
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


def flame(profile: Profile, width: int = 80, deepest: int = 12, least: float = 0.01) -> str:
    """The repository's functions as a tree, one line each: share, place, and a bar below that of the caller.

    A function that calls itself, also through others, is one. Lines are at most `width` columns long.
    """
    root = _Node("")
    for stack, weight in profile.stacks:
        root.add(_path(profile.frames, stack)[:deepest], weight)
    names = min(max(width * 3 // 5, 20), 70)
    lines: list[str] = []
    _draw(root, 0, 0.0, root.weight or 1.0, (names, max(width - names - 9, 4), least), lines)
    return "\n".join(lines)


def hot_lines(room: Workspace, target: Target, calls: Sequence[KeptCall], timeout: float = 60.0) -> tuple[Line, ...]:
    """The share of each line of the target in these calls, most first. Raises UsageError where they cannot be run."""
    folder = place(room, "subject", "lined")
    mark = f"{folder}/lines-{secrets.token_hex(8)}"
    kept = [f"{mark}/{number}.pickle" for number in range(len(calls))]
    for file, call in zip(kept, calls, strict=True):
        room.write(file, call.data)
    job = {"root": room.root, "path": target.path, "name": target.name, "calls": kept, "out": f"{mark}/answer.json"}
    room.write(f"{mark}/job.json", json.dumps({**job, "seconds": timeout}).encode())
    ran = room.run(python_line(room, [f"{folder}/lined.py", f"{mark}/job.json"]), timeout + 30, SESSION)
    if ran.code == 130:
        raise Cancelled("The profiling was interrupted.")
    try:
        answer = json.loads(room.read(f"{mark}/answer.json", LARGEST))
        rows = [(int(line), int(runs), float(seconds)) for line, runs, seconds in answer["lines"]]
        if not all(line > 0 and runs >= 0 and 0 <= seconds < math.inf for line, runs, seconds in rows):
            raise ValueError("no lines of ours")
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise UsageError(f"{target} could not be run line by line.", clean(ran.text)[-300:]) from error
    whole = sum(seconds for _, _, seconds in rows) or 1.0
    lines = (Line(line, runs, seconds / whole) for line, runs, seconds in rows)
    return tuple(sorted(lines, key=lambda one: (-one.share, one.line)))


# Running


def _run(room: Workspace, command: str, timeout: float, calls: bool) -> tuple[list[dict[str, Any]], int, str]:
    """What each process told, the workload's exit status and its output."""
    folder = f"{room.harness}/profile-{secrets.token_hex(8)}"
    job = {"root": room.root, "out": f"{folder}/out", "every": EVERY, "calls": calls}
    source = files("aci.inside").joinpath("profiled.py").read_bytes()
    room.write(f"{folder}/sitecustomize.py", source)
    room.write(f"{folder}/out/.keep", b"")
    settings = f"PYTHONPATH={shlex.quote(folder)}${{PYTHONPATH:+:$PYTHONPATH}} PYTHONDONTWRITEBYTECODE=1"
    line = f"export {settings} SWE_AGENT_PROFILE={shlex.quote(json.dumps(job))} && {importing(folder, command)}"
    ran = room.run(f"(cd {shlex.quote(room.root)} && {line}\n) </dev/null", timeout, SESSION)
    if ran.code == 130:
        raise Cancelled("The profiling was interrupted.")
    if ran.timed_out:
        raise UsageError(f"The workload did not end within {timeout:g} s.", "Give a shorter one.")
    listed = room.run(f"ls {shlex.quote(folder)}/out", 30, SESSION).text.split()
    names = sorted(name for name in listed if name.endswith(".json"))[:MOST_PROCESSES]
    found = [_answer(room, f"{folder}/out/{name}") for name in names]
    room.run(f"rm -rf {shlex.quote(folder)}", 30, SESSION)
    return [answer for answer in found if answer], ran.code, ran.text


def _answer(room: Workspace, path: str) -> dict[str, Any]:
    """What one process told: a stranger's code ran in it, so nothing in it is taken for granted."""
    try:
        said = json.loads(room.read(path, LARGEST))
        rows = [(str(path), str(file), int(line), str(name)) for path, file, line, name in said["frames"]]
        known = range(len(rows))
        stacks = [(tuple(map(int, stack)), float(weight)) for stack, weight in said["stacks"]]
        calls = [(int(number), int(count)) for number, count in said["calls"]]
    except (OSError, ValueError, TypeError, KeyError, UsageError, RecursionError, OverflowError):
        return {}
    return {
        "frames": rows,
        "stacks": [(stack, weight) for stack, weight in stacks if 0 < weight < 1e9 and all(n in known for n in stack)],
        "calls": [(number, count) for number, count in calls if number in known and count > 0],
    }


class _Sources:
    """Finds the function that holds a line of a file of the repository, as the room has it."""

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
            for name, node in functions(tree)
        ]


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in {
        each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)
    }


def _calls(answers: Iterable[Mapping[str, Any]], sources: _Sources) -> dict[Target, int]:
    """Calls by function: those of its own code, not of the functions and comprehensions inside it."""
    counted: Counter[Target] = Counter()
    for answer in answers:
        for number, count in answer["calls"]:
            frame = sources.frame(*answer["frames"][number])
            if frame.target and frame.target.name.rpartition(".")[2] == frame.name.rpartition(".")[2]:
                counted[frame.target] += count
    return counted


# What was seen


def _spent(frames: Sequence[Frame], stacks: Mapping[Stack, float], counted: Mapping[Target, int]) -> tuple[Spent, ...]:
    own: Counter[Target] = Counter()
    total: Counter[Target] = Counter()
    for stack, weight in stacks.items():
        mine = [target for number in stack if (target := frames[number].target)]
        if mine:
            own[mine[-1]] += weight  # type: ignore[assignment]
        for target in set(mine):
            total[target] += weight  # type: ignore[assignment]
    whole = sum(stacks.values())
    found = [
        Spent(target, own[target], spent, counted.get(target, 0), own[target] / whole, spent / whole)
        for target, spent in total.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.own, -one.total, str(one.target))))


def _is_candidate(target: Target) -> bool:
    return target.name != MODULE and not is_test(target.path) and not is_test_config(target.path)


def _path(frames: Sequence[Frame], stack: Stack) -> list[str]:
    """The repository's functions of a stack, outermost first, without what lies between two calls of the same one."""
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
        label = _short(" " * depth + clean(child.name).replace("\n", " "), names)
        left, length = round(start * bar), max(round((start + share) * bar) - round(start * bar), 1)
        lines.append(f"{share:6.1%} {label:<{names}} {' ' * left}{'█' * min(length, bar - left)}".rstrip())
        _draw(child, depth + 1, start, whole, sizes, lines)
        start += share


def _short(text: str, longest: int) -> str:
    """The end of a name says more than its beginning."""
    if len(text) <= longest:
        return text
    blank = text[: len(text) - len(text.lstrip())][: longest // 2]
    return f"{blank}…{text[len(blank) - longest + 1 :]}"
