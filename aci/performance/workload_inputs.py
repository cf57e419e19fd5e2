"""Calls that tell solutions apart: recorded from a command, changed by type, and grown.

A call is kept as a pickle of (args, kwargs) made inside a room. The host moves it as bytes; it is loaded in rooms
alone, by a Python started in the repository's root.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
import secrets
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from aci.commands import importing
from aci.equivalence import PACKAGE, answers, ask, install, is_telling
from aci.forms import shown
from aci.target import PYTHON, SESSION, Target, python_line
from aci.workspace import Workspace
from trajectories.errors import Cancelled, UsageError

Origin = Literal["recorded", "test", "mutated", "grown", "unseen"]
MOST_LOST, LIMIT, SPARE = 5, 1.0, 3
"""Reasons told of what was lost; seconds that a mutated call may take; how many are made for one that is kept."""
SETTINGS = "pyproject.toml pytest.ini .pytest.ini setup.cfg tox.ini"
ASV = re.compile(r"(?:time|timeraw|track|mem|peakmem)_", re.IGNORECASE)
_HAS = "from importlib.util import find_spec as f; print(*[n for n in ('pytest_benchmark', 'pytest_codspeed') if f(n)])"
RAISING = 0.2
"""The share of mutated calls at which the original may raise."""
START_UP = """\
import os, sys
FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != FOLDER]
try:
    sys.path.insert(0, os.path.dirname(FOLDER))
    import {package}.recording as recording
    sys.path.pop(0)
    recording.start(os.path.join(FOLDER, "job.json"))
except Exception as error:
    sys.stderr.write("No calls are recorded: %r\\n" % error)
from importlib.machinery import PathFinder
spec = PathFinder.find_spec("sitecustomize", sys.path)
if spec is not None and spec.loader is not None:
    from importlib.util import module_from_spec
    sys.modules["sitecustomize"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["sitecustomize"])
"""
"""Python's start-up file; it hides the target's own sitecustomize, where there is one, and runs it."""


@dataclass(frozen=True, slots=True)
class Call:
    """`size`: the growth size n, where grown. `times`: how often it came while the command ran."""

    data: bytes
    origin: Origin
    size: int = 0
    times: int = 1


def record(
    room: Workspace,
    target: Target,
    command: str,
    most: int = 64,
    timeout: float = 600,
    say: Callable[[str], None] = lambda told: None,
    origin: Origin = "recorded",
) -> tuple[Call, ...]:
    """Run a command with a recorder in every Python that it starts; at most so many distinct calls, small and large.

    Only outermost calls, with their arguments as they were before, and none of an async function: what one does
    depends on who awaits it. A command that fails or takes more than `timeout` seconds is told of, and what was
    recorded counts. `say` is told what could not be kept, and why.
    """
    folder = f"{room.harness}/record-{secrets.token_hex(6)}"
    install(room)
    room.write(f"{folder}/sitecustomize.py", START_UP.format(package=PACKAGE).encode())
    job = {"root": room.root, "path": target.path, "name": target.name, "out": f"{folder}/calls"}
    room.write(f"{folder}/job.json", json.dumps(job).encode())
    room.write(f"{folder}/calls/.kept", b"")
    settings = f'PYTHONPATH={shlex.quote(folder)}"${{PYTHONPATH:+:$PYTHONPATH}}" PYTHONDONTWRITEBYTECODE=1'
    line = f"(cd {shlex.quote(room.root)} && export {settings} PYTHONHASHSEED=0\n{importing(folder, command)}\n)"
    ran = room.run(line, timeout, SESSION)
    if ran.code == 130:
        raise Cancelled("The recording was interrupted.")
    if ran.code:
        how = f"took more than {timeout:.0f} s" if ran.timed_out else f"ended with {ran.code}"
        say(f"The command {how} while calls of {target} were recorded: {shown(ran.text.strip()[-200:], 200)}")
    told, *lines = ask(room, "gathering", {"folder": f"{folder}/calls", "most": most}, [], 120) or [{}]
    room.run(f"rm -rf {shlex.quote(folder)}", session=SESSION)
    _say_what_was_lost(target, told, say)
    calls = [Call(data, origin, times=int(line.get("times", 1))) for line in lines if (data := _data(line))]
    return tuple(_loadable(room, target, calls, say))


def _say_what_was_lost(target: Target, told: Mapping[str, Any], say: Callable[[str], None]) -> None:
    if told.get("refused"):
        say(f"Calls of {target} cannot be recorded: {shown(str(told['refused']))}")
    elif not told.get("processes"):
        say("No Python that the command starts could be reached.")
    elif not told.get("seen"):
        say(f"The command does not call {target}.")
    lost = sorted(dict(told.get("lost") or {}).items(), key=lambda pair: -int(pair[1]))
    for reason, number in lost[:MOST_LOST]:
        say(f"{number} of {told.get('seen')} calls were not kept: {shown(str(reason))}")


def _loadable(room: Workspace, target: Target, calls: list[Call], say: Callable[[str], None]) -> Iterable[Call]:
    """The calls that a fresh process can load."""
    if not calls:
        return []
    job = {"root": room.root, "path": target.path, "name": target.name, "seconds": 20.0, "load": True}
    found = ask(room, "answering", job, [call.data for call in calls], 180 + len(calls) * 22)
    bad = [line for line in found if line.get("kind") != "loaded"]
    if bad:
        said = shown(str(bad[0].get("text", bad[0].get("kind"))))
        say(f"{len(bad)} recorded calls cannot be loaded in another process: {said}")
    return [call for call, line in zip(calls, found, strict=False) if line.get("kind") == "loaded"]


def widen(
    room: Workspace, target: Target, calls: Sequence[Call], want: int, seed: int, origin: Origin = "mutated"
) -> tuple[Call, ...]:
    """At most `want` further calls, made of these by type and by swapping parts; the same ones for the same seed.

    The function as it is in the room answers them all in time, in the same way under two hash seeds; at most a fifth
    of them makes it raise. Calls whose answers are new come first.
    """
    if not calls or want < 1:
        return ()
    lines = ask(room, "varying", {"want": SPARE * want, "seed": seed}, [call.data for call in calls], 150)
    made = [Call(data, origin) for line in lines if (data := _data(line))]
    first = answers(room, target, made, LIMIT)
    said = [(call, one) for call, one in zip(made, first, strict=True) if is_telling(one)]
    second = answers(room, target, [call for call, _ in said], LIMIT, hash_seed=1)
    steady = [pair for pair, again in zip(said, second, strict=True) if pair[1] == again]
    seen: set[str] = set()
    fresh: list[tuple[Call, bool]] = []
    more: list[tuple[Call, bool]] = []
    for call, one in steady:
        key = json.dumps([one.kind, one.value], sort_keys=True)
        (more if key in seen else fresh).append((call, one.kind == "raised"))
        seen.add(key)
    room_for_raising = int(want * RAISING)
    found: list[Call] = []
    for call, raises in fresh + more:
        room_for_raising -= raises
        if len(found) < want and not (raises and room_for_raising < 0):
            found.append(call)
    return tuple(found)


def grow(
    room: Workspace,
    target: Target,
    calls: Sequence[Call],
    sizes: Sequence[int],
    limit: float = 2.0,
    say: Callable[[str], None] = lambda told: None,
) -> tuple[Call, ...]:
    """For each size, in order, a call of the shape of these in which that has grown which makes the work grow.

    It ends before the size with which the function takes more than `limit` seconds, or that it refuses; `say` is told
    what grows and why it ended. Which part grows is found by the lines that run, and where C does the work by time.
    """
    if not calls:
        return ()
    job = {"root": room.root, "path": target.path, "name": target.name, "sizes": sorted(sizes), "seconds": limit}
    lines = ask(room, "growing", job, [call.data for call in calls], 300 + len(sizes) * (limit + 2))
    for line in lines:
        if "broken" in line:
            raise UsageError(f"{target} cannot be imported: {shown(str(line['broken']), 500)}")
        if "note" in line:
            say(f"{target}: {shown(str(line['note']), 300)}")
    return tuple(Call(data, "grown", int(line["size"])) for line in lines if (data := _data(line)) and "size" in line)


def benchmark_command(room: Workspace, node: str) -> str:
    """A command that runs one benchmark once, without its tool: a pytest node id (pytest-benchmark, pytest-codspeed),
    or asv's, as `benchmarks/a.py::Suite.time_x` or `a.Suite.time_x`. Raises UsageError if there is no such file.

    It runs in the root of any room that has the same tree: it carries our program, and names no folder of this room.
    """
    file, names = _benchmark(room, node)
    if names and ASV.match(names[-1]):
        top = next((folder for folder in _asv_folders(room) if file.startswith(f"{folder}/")), posixpath.dirname(file))
        return _plainly("asv", top or ".", file, *["", *names][-2:])
    words = ["-q", "-p", "no:cacheprovider", node]
    has = room.run(python_line(room, ["-c", _HAS]), 60, SESSION).text.split()
    if "pytest_benchmark" in has:
        asked = room.run(f"cd {shlex.quote(room.root)} && grep -l -e --benchmark- {SETTINGS}", 60, SESSION)
        words += [*(["-o", "addopts="] if asked.code == 0 else []), "--benchmark-disable"]
    if "pytest_benchmark" in has or "pytest_codspeed" in has:
        return f"{PYTHON} -m pytest {shlex.join(words)}"
    return _plainly("pytest", *words)


def _plainly(*words: str) -> str:
    return f"{PYTHON} -c {shlex.join([files('aci.inside').joinpath('plainly.py').read_text(), *words])}"


def _benchmark(room: Workspace, node: str) -> tuple[str, list[str]]:
    """The file, and the names inside it."""
    if ".py" in node:
        file, _, rest = node.partition("::")
        names = re.split(r"::|\.", rest.partition("[")[0].partition("(")[0]) if rest else []
        if _is_file(room, file):
            return file.removeprefix("./"), names
        raise UsageError(f"There is no file {file!r}.", "Name the benchmark as PATH.py::NAME.")
    parts = node.partition("(")[0].split(".")
    for folder in _asv_folders(room):
        for most in range(len(parts) - 1, 0, -1):
            file = "/".join([folder, *parts[:most]])
            for path in (f"{file}.py", f"{file}/__init__.py"):
                if _is_file(room, path):
                    return path, parts[most:]
    raise UsageError(f"{node!r} names no benchmark.", "Name it as PATH.py::NAME.")


def _asv_folders(room: Workspace) -> list[str]:
    """Where asv's settings say that benchmarks lie."""
    found = room.run(f"cd {shlex.quote(room.root)} && find . -maxdepth 3 -name 'asv.conf*.json'", 60, SESSION)
    folders = []
    for path in sorted(found.text.splitlines()):
        told = re.search(r'"benchmark_dir"\s*:\s*"([^"]+)"', room.read(path).decode("utf-8", "replace"))
        folders.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), told[1] if told else "benchmarks")))
    return [*folders, "benchmarks"]


def _is_file(room: Workspace, path: str) -> bool:
    try:
        room.read(path)
    except (OSError, UsageError):
        return False
    return True


def _data(line: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(str(line.get("data", "")), validate=True)
    except ValueError:
        return b""
