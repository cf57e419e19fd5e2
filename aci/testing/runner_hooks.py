"""The border to test runners: what makes one tell of each test, whatever command ends up running it.

A runner is a module `aci/runners/<name>.py` with

    hook(asked: Asked, command: str) -> Hook | None         what is to be added; None: not run by this command
    read(asked: Asked, path: str, data: bytes) -> Iterator[Line]     the lines of a file `<name>-…` in `asked.out`

`read` may be missing where the hook itself appends lines (`aci/report.py` says which) to `asked.lines`.
What a workspace holds is not trusted: a runner reads it with bounds, and passes over what it does not understand.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Protocol, cast

from aci.report import Line
from trajectories.plugins import names

PYTHON = re.compile(r"\b(?:py\.?test|unittest|manage\.py|runtests\.py|django(?:-admin)?\s+test)\b")
"""Commands that run Python's tests and no others."""
MOST_BYTES = 50_000_000
"""Of a file that a runner writes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One run of tests: the repository's `root`, a `folder` of ours outside it, what it is narrowed to (nothing: all).

    `look` gives the text of a file of the repository, "" where there is none; `exists` knows the source files of
    languages whose runners name a file by a class or crate only. `limit` is in seconds, for each test.
    """

    root: str
    folder: str
    nodes: tuple[str, ...]
    limit: float
    look: Callable[[str], str]
    exists: Callable[[str], bool]

    @property
    def out(self) -> str:
        """The folder for files that a runner writes and we read."""
        return f"{self.folder}/out"

    @property
    def lines(self) -> str:
        """The file for lines of results."""
        return f"{self.folder}/out.jsonl"

    def wants(self, *names: str) -> bool:
        """Whether one of a test's names is asked for, or lies below what is (its file, folder, class)."""
        if not self.nodes:
            return True
        below = tuple(f"{node.rstrip('/')}{end}" for node in self.nodes for end in ("/", "::", " > ", "["))
        return any(name in self.nodes or name.startswith(below) for name in names)


@dataclass(frozen=True, slots=True)
class Hook:
    """What makes a runner tell: the `command` to be run, `files` to be written into the folder, and `env`.

    Files under `bin/` are programs, found before others of their name. A value of `env` stands in double quotes:
    `${NAME}` in it is what the session has. `reports` are names, as for `find -name`, of reports in JUnit's form that
    the runner writes into the repository.
    """

    command: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    reports: Sequence[str] = ()


class Runner(Protocol):
    """See the module."""

    def hook(self, asked: Asked, command: str) -> Hook | None: ...


@cache
def runners() -> dict[str, Runner]:
    """Every runner there is, by name."""
    return {name: cast(Runner, import_module(module)) for name, module in names("aci.runners").items()}


def reader_of(name: str) -> Callable[[Asked, str, bytes], Iterator[Line]] | None:
    """The runner's `read`, if there is such a runner and it has one."""
    return getattr(runners().get(name), "read", None)


def hooks(asked: Asked, command: str) -> tuple[str, list[Hook]]:
    """The command with all that is to be added to it, and the hooks of the runners it may end up in."""
    found = []
    for name, runner in runners().items():
        if name == "python" or not PYTHON.search(command):
            hook = runner.hook(asked, command)
            if hook is not None:
                command = hook.command
                found.append(hook)
    return command, found


def shim(asked: Asked, added: Sequence[str], run: str, kept: str) -> bytes:
    """A program to stand before a build tool: `added` comes behind its word `test`, then `run` is run.

    `run` is shell: `"$tool" "$@"` is the tool's whole call, `$out` the file to be written, `$dashes` set if the call
    has a `--`, `fit` leaves of a huge `$out` the lines that match `kept`. `$out.cwd` holds where it was called.
    """
    text = files("aci.inside").joinpath("shim.sh").read_text(encoding="utf-8")
    places = {"%BIN%": shlex.quote(f"{asked.folder}/bin"), "%OUT%": shlex.quote(asked.out)}
    fit = {"%MOST%": str(MOST_BYTES), "%KEPT%": shlex.quote(kept)}
    for name, value in {"%ADDED%": shlex.join(added), "%RUN%": run, **fit, **places}.items():
        text = text.replace(name, value)
    return text.encode()
