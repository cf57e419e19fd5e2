"""Plug-in interface for test runners: hooks that make a runner report each test.

A runner is a module `aci/runners/<name>.py`, or one in the folder of an extension for this kind, with

    hook(request: RunnerRequest, command: str) -> Hook | None
        Return what to add to the command; None if the command does not use this runner.
    read(request: RunnerRequest, path: str, data: bytes) -> Iterator[Line]
        Yield the results in a file `<name>-…` in `request.out`.

`build_report` in `aci/testing/suite_results.py` describes the lines. `read` may be missing if the hook itself appends
lines to `request.lines`. Files of a workspace are not trusted: a runner reads them with limits, and skips what it does
not understand. Files that are too large for all their limits (`suite_run.py`) make the results incomplete.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from aci.runtime.guest_programs import program_source
from aci.testing.suite_results import Line
from trajectories import plugins

PYTHON = re.compile(r"\b(?:py\.?test|unittest|manage\.py|runtests\.py|django(?:-admin)?\s+test)\b")
"""Matches commands that run only Python tests."""
MOST_BYTES = 50_000_000
"""Size limit of a file that a wrapper writes (see `build_wrapper`)."""
PROCESS_FILE = "test-process.json"
"""File in the harness folder that describes the process of the last run that was limited to nodes: how it was started,
and the fixtures of the tests in it."""
START = (
    r"""(?:^|[;&|(){}!\n"'`]|\b(?:then|do|else|if|while|until)[ \t])[ \t]*"""
    r"(?:(?:\w+=[^\s;&|]*|-\S+|\d+[smh]?|env|exec|time|timeout|nice|sudo|xvfb-run|php|npx)[ \t]+)*"
)
"""Matches what comes before a program in a shell command."""


@dataclass(frozen=True, slots=True)
class RunnerRequest:
    """One run of tests in the repository at `root`, limited to `nodes` (empty: all tests).

    `folder` is outside the repository and holds the run's files. `look` returns the text of a file of the repository,
    "" if it does not exist. `exists` tells whether a file exists, outside of `node_modules`, `target` and `.git`.
    `limit` is the time limit of each test, in seconds. `rooted` tells whether the ids of pytest's tests are relative to
    `root`, instead of the folder that pytest takes for its root.
    """

    root: str
    folder: str
    nodes: tuple[str, ...]
    limit: float
    look: Callable[[str], str]
    exists: Callable[[str], bool]
    rooted: bool = False

    @property
    def out(self) -> str:
        """The folder for result files that runners write; it exists when the command starts."""
        return f"{self.folder}/out"

    @property
    def lines(self) -> str:
        """The file for result lines."""
        return f"{self.folder}/out.jsonl"

    @property
    def settings(self) -> bytes:
        """The file that tells the recorders in test processes what to run, and where to write the results."""
        values = {
            "out": self.lines,
            "root": self.root,
            "nodes": self.nodes,
            "cache": f"{self.folder}/cache",
            "limit": self.limit,
            "process": f"{posixpath.dirname(self.folder)}/{PROCESS_FILE}",
            "rooted": self.rooted,
        }
        return json.dumps(values).encode()

    def wants(self, *names: str) -> bool:
        """Whether one of a test's names, or its file, folder or class, is among the nodes."""
        if not self.nodes:
            return True
        below = tuple(f"{node.rstrip('/')}{end}" for node in self.nodes for end in ("/", "::", " > ", "["))
        return any(name in self.nodes or name.startswith(below) for name in names)


@dataclass(frozen=True, slots=True)
class Hook:
    """Additions that make a runner report its results: the `command` to run (in bash, or sh where there is no bash),
    `files` to write into the request's `folder`, and environment variables (`env`).

    Files under `bin/` are programs and take precedence over other programs of the same name. A value in `env` is put in
    double quotes, so that `${NAME}` in it expands to a variable of the session. `reports` holds `find -name` patterns
    for JUnit reports that the runner writes into the repository.
    """

    command: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    reports: Sequence[str] = ()


class Runner(Protocol):
    """The interface of a runner module; see the module docstring."""

    def hook(self, request: RunnerRequest, command: str) -> Hook | None: ...


def runner_modules() -> dict[str, str]:
    """Return the names of the modules of all runners, by their own names."""
    return _modules_of(plugins.extension_names())


@cache
def _modules_of(extensions: tuple[str, ...]) -> dict[str, str]:
    return plugins.names("aci.runners")


def load_runner(name: str) -> Runner:
    return cast(Runner, import_module(runner_modules()[name]))


def runners() -> dict[str, Runner]:
    """Return all runners by name. Kept for one release: `runner_modules` imports none."""
    return {name: load_runner(name) for name in runner_modules()}


def reader_of(name: str) -> Callable[[RunnerRequest, str, bytes], Iterator[Line]] | None:
    """Return the runner's `read`, if the runner exists and has one."""
    return getattr(load_runner(name), "read", None) if name in runner_modules() else None


def collect_hooks(request: RunnerRequest, command: str) -> tuple[str, list[Hook]]:
    """Return the command with all additions, and the hooks of the runners that the command may use."""
    found = []
    for name in runner_modules():
        if name == "python" or not PYTHON.search(command):
            hook = load_runner(name).hook(request, command)
            if hook is not None:
                command = hook.command
                found.append(hook)
    return command, found


def program_call(name: str) -> str:
    """Return a pattern of a call, also by a path, of the program whose name matches `name`; group 1 ends with the name.

    The program is at the start of a command, after variables and programs such as `env` and `time`; in
    `cd bats && bats test` that is the second `bats`.
    """
    return rf"({START}(?:[^\s;&|()]*/)?(?:{name}))(?=[\s;&|)]|$)"


def build_wrapper(
    request: RunnerRequest, added: Sequence[str], run: str, kept: str = "", subcommand: str = "test"
) -> bytes:
    """Return a program that wraps a tool: it inserts `added` after the subcommand, then runs `run`. Other subcommands
    run unchanged. If `subcommand` is empty, it inserts `added` before the arguments of every call.

    `run` is shell code. In it, `"$tool" "$@"` is the whole call of the tool, `$out` is the file to write, another one
    for each call, and `$dashes` is set if the call contains `--`. The function `fit` reduces a huge `$out` to the lines
    that match `kept`. `$out.cwd` holds the working directory of the call.
    """
    text = program_source("shim.sh").decode()
    places = {"%BIN%": shlex.quote(f"{request.folder}/bin"), "%OUT%": shlex.quote(request.out)}
    places["%SUBCOMMAND%"] = shlex.quote(subcommand)
    fit = {"%MOST%": str(MOST_BYTES), "%KEPT%": shlex.quote(kept)}
    for name, value in {"%ADDED%": shlex.join(added), "%RUN%": run, **fit, **places}.items():
        text = text.replace(name, value)
    return text.encode()
