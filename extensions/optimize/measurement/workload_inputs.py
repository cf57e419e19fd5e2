"""Input calls that distinguish solutions: recorded from a command, varied by type, and scaled up.

A call is stored as a pickle of (args, kwargs), written inside a workspace. The host handles it as bytes. It is loaded
only in workspaces, by a Python started in the repository's root.
"""

from __future__ import annotations

import ast
import base64
import json
import posixpath
import re
import secrets
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from aci.observation.failure_cause import failure_cause, last_line
from aci.runtime.guest_programs import PREFIX, install_programs, program_source
from aci.runtime.target_function import PYTHON, SESSION, Target, iter_functions, python_line
from aci.runtime.workspace import Workspace
from aci.testing.command_files import prepend_python_path
from extensions.experiment.canonical_values import format_value
from extensions.optimize.measurement.equivalence import (
    Answer,
    collect_answers,
    has_raised,
    is_conclusive,
    longest_call,
    raised_explicitly,
    run_calls,
)
from extensions.optimize.measurement.input_calls import InputCall, Origin
from trajectories.errors import Cancelled, UsageError

MOST_LOST, LIMIT, SPARE = 5, 1.0, 3
"""Maximum number of reasons for lost calls that are reported; seconds that a mutated call may take; number of calls
that are mutated for each one that is kept."""
VARYING_SECONDS, LEAST_VARIED = 20.0, 150
"""Seconds for which derived calls of a slow function are tried, and how many are tried in any case."""
SETTINGS = "pyproject.toml pytest.ini .pytest.ini setup.cfg tox.ini"
ASV = re.compile(r"(?:time|timeraw|track|mem|peakmem)_", re.IGNORECASE)
_HAS = "from importlib.util import find_spec as f; print(*[n for n in ('pytest_benchmark', 'pytest_codspeed') if f(n)])"
LARGE_SECONDS = 0.1
"""Processor seconds that the largest call may take; it is counted some 30 times slower, for each candidate."""
RAISING, STRANGE = 0.2, 0.1
"""Maximum shares of mutated calls for which the original function may raise an exception, and of strange calls."""
WRONG_TYPE = ("builtins.TypeError", "builtins.AttributeError")
MOST_CONSTANTS, LONGEST_CONSTANT, MOST_BITS = 40, 40, 128
NUMBER_NAMES, MOST_NAMES = {"bool", "int", "float"}, 5
SORTED = re.compile(r"sorted|ordered|ascending|increasing|chronological", re.IGNORECASE)
RECORDING_PACKAGE = f"{PREFIX}record"
START_UP = """\
import os, sys
FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != FOLDER]
try:
    sys.path.insert(0, os.path.dirname(FOLDER))
    import {package}.optimize.call_recorder as call_recorder
    sys.path.pop(0)
    call_recorder.start(os.path.join(FOLDER, "job.json"))
except Exception as error:
    sys.stderr.write("No calls are recorded: %r\\n" % error)
from importlib.machinery import PathFinder
spec = PathFinder.find_spec("sitecustomize", sys.path)
if spec is not None and spec.loader is not None:
    from importlib.util import module_from_spec
    sys.modules["sitecustomize"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["sitecustomize"])
"""
"""Start-up file for Python (`sitecustomize`); it also runs the target's own sitecustomize, which it would otherwise
hide."""


def record_calls(
    room: Workspace,
    target: Target,
    command: str,
    most: int = 64,
    timeout: float = 600,
    say: Callable[[str], None] = lambda text: None,
    origin: Origin = "recorded",
) -> tuple[InputCall, ...]:
    """Run a command with a recorder in every Python that it starts; return at most `most` distinct calls.

    Both small and large calls are selected. Only outermost calls are recorded, with their arguments as they were before
    the call; calls of async functions are not recorded, since their behaviour depends on the caller. If the command
    fails or takes more than `timeout` seconds, the calls recorded so far are used. `say` gets messages about a failure
    or timeout, and about calls that could not be kept.
    """
    folder = f"{room.harness}/record-{secrets.token_hex(6)}"
    install_programs(room.write, room.harness, "optimize.call_recorder", package=RECORDING_PACKAGE)
    room.write(f"{folder}/sitecustomize.py", START_UP.format(package=RECORDING_PACKAGE).encode())
    job = {"root": room.root, "path": target.path, "name": target.name, "out": f"{folder}/calls"}
    room.write(f"{folder}/job.json", json.dumps(job).encode())
    room.write(f"{folder}/calls/.kept", b"")
    settings = f'PYTHONPATH={shlex.quote(folder)}"${{PYTHONPATH:+:$PYTHONPATH}}" PYTHONDONTWRITEBYTECODE=1'
    line = (
        f"(cd {shlex.quote(room.root)} && export {settings} PYTHONHASHSEED=0\n{prepend_python_path(folder, command)}\n)"
    )
    ran = room.run(line, timeout, SESSION)
    if ran.code == 130:
        raise Cancelled("The recording was interrupted.")
    if ran.code:
        how = f"took more than {timeout:.0f} s" if ran.timed_out else f"ended with {ran.code}"
        why = failure_cause(ran.output) or last_line(ran.output)
        say(f"The command {how} while calls of {target} were recorded{f': {why}' if why else '.'}")
    summary, *lines = run_calls(
        room, "optimize.recording_merge", {"folder": f"{folder}/calls", "most": most}, [], 120
    ) or [{}]
    room.run(f"rm -rf {shlex.quote(folder)}", session=SESSION)
    _report_lost_calls(target, summary, say)
    calls = [InputCall(data, origin, times=int(line.get("times", 1))) for line in lines if (data := call_data(line))]
    return tuple(_loadable(room, target, calls, say))


def _report_lost_calls(target: Target, summary: Mapping[str, Any], say: Callable[[str], None]) -> None:
    if summary.get("refused"):
        say(f"Calls of {target} cannot be recorded: {format_value(str(summary['refused']))}")
    elif not summary.get("processes"):
        say("No Python process of the command could record calls.")
    elif not summary.get("seen"):
        say(f"The command does not call {target}.")
    lost = sorted(dict(summary.get("lost") or {}).items(), key=lambda pair: -int(pair[1]))
    for reason, number in lost[:MOST_LOST]:
        say(f"{number} of {summary.get('seen')} calls were not recorded: {format_value(str(reason))}")


def _loadable(
    room: Workspace, target: Target, calls: list[InputCall], say: Callable[[str], None]
) -> Iterable[InputCall]:
    """Return the calls that a fresh process can load."""
    if not calls:
        return []
    job = {"root": room.root, "path": target.path, "name": target.name, "seconds": 20.0, "load": True}
    found = run_calls(
        room, "optimize.call_answers", job, [call.data for call in calls], 180 + len(calls) * longest_call(20.0)
    )
    bad = [line for line in found if line.get("kind") != "loaded"]
    if bad:
        reason = format_value(str(bad[0].get("text", bad[0].get("kind"))))
        say(f"{len(bad)} recorded calls cannot be loaded in another process: {reason}")
    return [call for call, line in zip(calls, found, strict=False) if line.get("kind") == "loaded"]


def vary_calls(
    room: Workspace,
    target: Target,
    calls: Sequence[InputCall],
    want: int,
    seed: int,
    origin: Origin = "mutated",
    constants: Sequence[int | float | str] = (),
) -> tuple[InputCall, ...]:
    """Return at most `want` new calls, derived from these by varying values within what was recorded at their position,
    and a few strange ones; the same seed gives the same calls.

    Each call has some of `constants`; without these, numbers and strings in the function's file are tried now and then.
    The function in the workspace finishes each call in time with the same result under two hash seeds, and at most a
    fifth of `want` raise an exception. Calls whose answers differ from those of earlier calls come first.

    If the calls take long, fewer of them are tried: those for which VARYING_SECONDS suffice, at least LEAST_VARIED.
    """
    if not calls or want < 1:
        return ()
    source = room.read(target.path)
    job = {
        "want": SPARE * want,
        "seed": seed,
        "constants": (list(constants) or source_constants(source, target))[:MOST_CONSTANTS],
        "says_sorted": says_sorted(source, target),
        "is_focused": bool(constants),
        "numbers": allowed_numbers(source, target),
    }
    lines = run_calls(room, "optimize.call_variation", job, [call.data for call in calls], 150)
    varied = [
        InputCall(data, origin, strange=line.get("strange") is True) for line in lines if (data := call_data(line))
    ]
    first = _answers_in_time(room, target, varied)
    answered = [(call, one) for call, one in zip(varied, first, strict=False) if _is_comparable(one)]
    second = collect_answers(room, target, [call for call, _ in answered], LIMIT, hash_seed=1)
    steady = [pair for pair, again in zip(answered, second, strict=True) if pair[1] == again]
    seen: set[str] = set()
    fresh: list[tuple[InputCall, bool]] = []
    more: list[tuple[InputCall, bool]] = []
    for call, one in steady:
        key = json.dumps([one.kind, one.value], sort_keys=True)
        (more if key in seen else fresh).append((call, one.kind == "raised"))
        seen.add(key)
    left = {"strange": int(want * STRANGE), "raises": int(want * RAISING), "returns": want}
    found: list[InputCall] = []
    for call, raises in fresh + more:
        kind = "strange" if call.strange else "raises" if raises else "returns"
        left[kind] -= 1
        if len(found) < want and left[kind] >= 0:
            found.append(call)
    return tuple(found)


def _answers_in_time(room: Workspace, target: Target, calls: Sequence[InputCall]) -> list[Answer]:
    """Return the answers of the first calls, as many as there is time for."""
    began = time.monotonic()
    first = collect_answers(room, target, calls[:LEAST_VARIED], LIMIT)
    passed = time.monotonic() - began
    more = int(len(first) * max(0.0, VARYING_SECONDS - passed) / max(passed, 0.001))
    return [*first, *collect_answers(room, target, calls[len(first) :][:more], LIMIT)]


def _is_comparable(answer: Answer) -> bool:
    """Return whether the answer to a derived call binds other versions of the function.

    If the interpreter raises a TypeError or AttributeError, the call is not one that the function is made for, and the
    operation that fails first is an accident of how the code is written.
    """
    if not is_conclusive(answer) or raised_explicitly(answer):
        return is_conclusive(answer)
    return not answer.strange and not has_raised(answer, *WRONG_TYPE)


def says_sorted(data: bytes, target: Target) -> bool:
    """Return whether the function's signature or docstring says that something is sorted."""
    try:
        node = target.find(data)
    except (UsageError, SyntaxError, ValueError):
        return False
    return bool(SORTED.search(f"{ast.unparse(node.args)} {ast.get_docstring(node) or ''}"))


def allowed_numbers(data: bytes, target: Target) -> dict[str, list[str]]:
    """Return for parameters, by position and by name, the types of numbers that a union in the annotation allows, or
    "any" if there is no annotation or it allows any object."""
    try:
        module, node = ast.parse(data), target.find(data)
    except (UsageError, SyntaxError, ValueError, RecursionError):
        return {}
    named = {
        one.id: each.value
        for each in module.body
        if isinstance(each, ast.Assign | ast.AnnAssign) and each.value
        for one in (each.targets if isinstance(each, ast.Assign) else [each.target])
        if isinstance(one, ast.Name)
    }
    found: dict[str, list[str]] = {}
    given = [*node.args.posonlyargs, *node.args.args]
    for number, each in enumerate([*given, *node.args.kwonlyargs]):
        kinds = ["any"] if each.annotation is None else sorted(_numbers_of_union(each.annotation, named))
        for name in (str(number), each.arg) if kinds else ():
            found[name] = kinds
    return found


def _numbers_of_union(annotation: ast.AST, named: Mapping[str, ast.expr], depth: int = 0) -> set[str]:
    """Return the types of numbers that the unions in an annotation name, through up to five names of the module."""
    found: set[str] = set()
    for each in ast.walk(annotation):
        if isinstance(each, ast.Name) and each.id in named and depth < MOST_NAMES:
            found |= _numbers_of_union(named[each.id], named, depth + 1)
        elif isinstance(each, ast.Name | ast.Attribute) and ast.unparse(each).rpartition(".")[2] in ("object", "Any"):
            found.add("any")
        elif (isinstance(each, ast.BinOp) and isinstance(each.op, ast.BitOr)) or (
            isinstance(each, ast.Subscript) and ast.unparse(each.value).rpartition(".")[2] == "Union"
        ):
            members = [each.left, each.right] if isinstance(each, ast.BinOp) else getattr(each.slice, "elts", [])
            names = {part.id for one in members for part in _members(one) if isinstance(part, ast.Name)}
            found |= names & NUMBER_NAMES if len(names & NUMBER_NAMES) > 1 else set()
    return found


def _members(node: ast.AST) -> list[ast.AST]:
    """Return the members of a union written with `|`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_members(node.left), *_members(node.right)]
    return [node]


def source_constants(data: bytes, target: Target) -> list[int | float | str]:
    """Return numbers and short strings in a file, those of the target first."""
    try:
        tree = ast.parse(data)
        functions = list(iter_functions(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    nodes = [node for name, node in functions if name == target.name] + [tree]
    values = [node.value for each in nodes for node in ast.walk(each) if isinstance(node, ast.Constant)]
    kept: dict[str, int | float | str] = {}
    for one in values:
        is_long = one.bit_length() > MOST_BITS if isinstance(one, int) else len(str(one)) >= LONGEST_CONSTANT
        if isinstance(one, int | float | str) and not isinstance(one, bool) and not is_long:
            kept.setdefault(repr(one), one)
    return list(kept.values())


def scale_calls(
    room: Workspace,
    target: Target,
    calls: Sequence[InputCall],
    sizes: Sequence[int],
    limit: float = LARGE_SECONDS,
    say: Callable[[str], None] = lambda text: None,
    least: int = 0,
) -> tuple[InputCall, ...]:
    """Return a variant of these calls for each size, in ascending order, scaling the part of the arguments that
    determines the amount of work.

    The list ends before the first size that the function rejects or for which it takes more than `limit` processor
    seconds; if it then has fewer than `least` sizes, some between them are added. `say` gets messages about the scaled
    part and about why the list ended. That part is found by counting the executed lines, or by timing if the work is
    done in C.
    """
    if not calls:
        return ()
    job = {"root": room.root, "path": target.path, "name": target.name, "sizes": sorted(sizes), "limit": limit}
    lines = run_calls(
        room,
        "optimize.call_scaling",
        {**job, "least": least},
        [call.data for call in calls],
        300 + len(sizes) * (longest_call(limit) + 20),
    )
    for line in lines:
        if "broken" in line:
            raise UsageError(f"{target} cannot be imported: {format_value(str(line['broken']), 500)}")
        if "note" in line:
            say(f"{target}: {format_value(str(line['note']), 300)}")
    return tuple(
        InputCall(data, "grown", int(line["size"])) for line in lines if (data := call_data(line)) and "size" in line
    )


def benchmark_command(room: Workspace, node: str) -> str:
    """Return a command that runs one benchmark once, without its benchmark tool.

    `node` is a pytest node id (pytest-benchmark, pytest-codspeed), or a benchmark of asv, such as
    `benchmarks/a.py::Suite.time_x` or `a.Suite.time_x`. The command is self-contained, so that it runs in the root of
    any workspace with the same tree. Raises UsageError if there is no such file.
    """
    file, names = _benchmark(room, node)
    if names and ASV.match(names[-1]):
        top = next((folder for folder in _asv_folders(room) if file.startswith(f"{folder}/")), posixpath.dirname(file))
        return _plainly("asv", top or ".", file, *["", *names][-2:])
    words = ["-q", "-p", "no:cacheprovider", node]
    has = room.run(python_line(room, ["-c", _HAS]), 60, SESSION).text.split()
    if "pytest_benchmark" in has:
        found = room.run(f"cd {shlex.quote(room.root)} && grep -l -e --benchmark- {SETTINGS}", 60, SESSION)
        words += [*(["-o", "addopts="] if found.code == 0 else []), "--benchmark-disable"]
    if "pytest_benchmark" in has or "pytest_codspeed" in has:
        return f"{PYTHON} -m pytest {shlex.join(words)}"
    return _plainly("pytest", *words)


def _plainly(*words: str) -> str:
    return f"{PYTHON} -c {shlex.join([program_source('optimize/plain_benchmark.py').decode(), *words])}"


def _benchmark(room: Workspace, node: str) -> tuple[str, list[str]]:
    """Return the file of a benchmark, and the names inside it."""
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
    raise UsageError(f"{node!r} does not name a benchmark.", "Name it as PATH.py::NAME.")


def _asv_folders(room: Workspace) -> list[str]:
    """Return the folders of benchmarks according to asv's settings."""
    found = room.run(f"cd {shlex.quote(room.root)} && find . -maxdepth 3 -name 'asv.conf*.json'", 60, SESSION)
    folders = []
    for path in sorted(found.text.splitlines()):
        match = re.search(r'"benchmark_dir"\s*:\s*"([^"]+)"', room.read(path).decode("utf-8", "replace"))
        folders.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1] if match else "benchmarks")))
    return [*folders, "benchmarks"]


def _is_file(room: Workspace, path: str) -> bool:
    try:
        room.read(path)
    except (OSError, UsageError):
        return False
    return True


def call_data(line: Mapping[str, Any]) -> bytes:
    """Return the pickle in a line of a guest program's answer, or b"" if it has none."""
    try:
        return base64.b64decode(str(line.get("data", "")), validate=True)
    except ValueError:
        return b""
