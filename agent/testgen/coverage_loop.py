"""What `write-tests` does for one file: how far its tests go, new cases, a file of tests that holds each time."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aci.candidate_server import unittest_python
from aci.commands import detect_command
from aci.generating.exercise import MUTANT_LIMIT, Exercise, Seen
from aci.generating.guarded import guard
from aci.generating.mutants import Mutant, mutants
from aci.generating.reading import Subject, subjects, taken
from aci.generating.rendering import Test, bound_otherwise, named, place_of, rendered
from aci.generating.standing import Standing, standing, standing_of
from aci.generating.writing import Asked, Found, found_of, write
from aci.patch import is_test
from aci.runner import PYTHON as TOLD_APART
from aci.target import PYTHON
from aci.testing import run_tests
from aci.workspace import OURS
from trajectories.errors import UsageError
from trajectories.records import Verdict

if TYPE_CHECKING:
    from aci.report import Report
    from agent.task import Task

SECONDS, STANDING = 60.0, 90.0
"""Seconds for the search of one file, and for finding out what its tests do, where no --max-time says otherwise."""
SHARE_OF_STANDING, REST, MOST_REST = 0.2, 0.35, 25.0
"""Of the time of --max-time that is left: for the tests that are there; and what the search leaves for the last runs,
at most so many seconds."""
STARTS, MOST_STARTS = 6.0, 0.6
"""The last runs are left the time of so many starts of a runner, but no larger share than this."""
RUNS = 3
AS_LONG = 2.0
"""By how much more time than the last run took must be left for another run of the new file."""
ELSEWHERE = "export TZ=XXX-13:45 LC_ALL=C\n"
GATHER = "import sys; sys.path[:] = filter(None, sys.path); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
LIMIT_OF_WRITTEN = 1.0
"""CPU seconds of a model's test."""
LEAST = 4.0
"""Seconds below which running other tests is not begun."""
MOST_SURVIVORS, MOST_TEST_FILES = 20, 200


@dataclass(frozen=True, slots=True)
class Reach:
    """How far tests go in a file's functions: lines, ways of branches and mutants, each (reached, all)."""

    lines: tuple[int, int]
    branches: tuple[int, int]
    mutants: tuple[int, int]

    def __str__(self) -> str:
        parts = (("lines", self.lines), ("branches", self.branches), ("mutants", self.mutants))
        return ", ".join(f"{name} {have}/{every} ({_share(have, every)})" for name, (have, every) in parts)


def _share(have: int, every: int) -> str:
    return f"{have / every:.0%}" if every else "none"


class Cover:
    """One file with the functions that are to be tested; all that is learnt of it is recorded."""

    def __init__(self, task: Task, path: str, names: Sequence[str], files: int) -> None:
        self.task, self.path, self.names, self.files = task, path, tuple(names), files
        self.data = task.trees.read(task.tree, path)
        self.subjects: list[Subject] = subjects(self.data, names)
        self.mutants: list[Mutant] = mutants(path, self.data, [one.name for one in self.subjects])

    @property
    def what(self) -> str:
        return f"`{', '.join(self.names)}` of {self.path}" if self.names else self.path

    @cached_property
    def command(self) -> str:
        return command_of(self.task)

    def standing(self) -> Standing:
        """What the tests that are there do."""
        value = self.task.once(f"standing {self.path}", lambda: self._standing().as_json())
        return standing_of(value)

    def _standing(self) -> Standing:
        if not self.command:
            return Standing(said="The repository has no tests that can be run.")
        files = sorted(self._tests())
        if not files:
            return Standing(said="No test of the repository names the module.")
        left = self._left()
        seconds = STANDING if left is None else max(1.0, left * SHARE_OF_STANDING / self.files)
        with closing(self.task.engine.fork(self.task.tree, self.task.cancel)) as room:
            return standing(room, self.command, self.path, self.mutants, self.task.cancel, seconds, files)

    def found(self) -> Found:
        """The cases of the search."""
        return found_of(self.task.once(f"search {self.path}", lambda: self._found().as_json()))

    def _found(self) -> Found:
        task = self.task
        told = [0.0]

        def tell(said: str) -> None:
            task.cancel.check()
            if time.monotonic() - told[0] > 1:
                told[0] = time.monotonic()
                task.engine.tell("progress", task.branch, said)

        asked = Asked(self.path, self.data, self.subjects, self.mutants, self.standing(), self._tests())
        with closing(task.engine.fork(task.tree, task.cancel)) as room:
            return write(room, asked, task.cancel, self._search_time(), tell)

    def _tests(self) -> dict[str, bytes]:
        """The files of tests that say the module's name."""
        word = self.path.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2].encode()
        paths = [one for one in self.task.trees.files(self.task.tree) if one.endswith(".py") and is_test(one)]
        found = {path: self.task.trees.read(self.task.tree, path) for path in sorted(paths)[:MOST_TEST_FILES]}
        return {path: data for path, data in found.items() if word in data}

    def _left(self) -> float | None:
        """The seconds that the run has left; None where nobody limits it."""
        deadline = self.task.cancel.deadline
        return None if deadline is None else deadline - time.monotonic()

    def _search_time(self) -> float:
        left = self._left()
        if left is None:
            return SECONDS
        begun = time.monotonic()
        with closing(self.task.engine.fork(self.task.tree, self.task.cancel)) as room:
            room.run(f"{PYTHON} -m pytest --version", 60, OURS)
        starts = min(STARTS * (time.monotonic() - begun), left * MOST_STARTS)
        return max(1.0, (left - max(min(left * REST, MOST_REST), starts)) / self.files)

    # The file

    def place(self) -> str:
        function = self.names[0] if len(self.names) == 1 else ""
        place: str = self.task.once(
            f"place {self.path}", lambda: place_of(self.task.trees.files(self.task.tree), self.path, function)
        )
        return place

    def style(self) -> str:
        """In the manner of the command; of pytest, where that is there, beside commands such as `make test`."""
        if TOLD_APART.search(self.command):
            return "unittest" if unittest_python(self.command) else "pytest"
        has: bool = self.task.once("has pytest", self._has_pytest)
        return "pytest" if has else "unittest"

    def _own_command(self) -> str:
        """What runs the new file and tells each of its tests."""
        return self.command if TOLD_APART.search(self.command) else f"{PYTHON} -m {self.style()}"

    def _has_pytest(self) -> bool:
        return not self.task.workspace.run(f"{PYTHON} -c 'import pytest'", 60, OURS).code

    def text(self, cases: Sequence[Seen], module: str) -> str:
        return self._rendered(named(cases), module)

    def _rendered(self, tests: Sequence[Test], module: str) -> str:
        return rendered(tests, module, self.what, self.style(), bound_otherwise(self.data))

    def holding(self, cases: Sequence[Seen], module: str, runs: int = RUNS) -> tuple[list[Seen], list[str]]:
        """The cases whose tests pass in each of so many runs, in fresh processes, other orders, under other hash seeds
        and in another time zone; and the names of those that were dropped."""
        value: dict[str, Any] = self.task.once(
            f"validate {self.path} {runs} {_digest(self.text(cases, module))}",
            lambda: self._validated(list(cases), module, runs),
        )
        kept = set(value["kept"])
        return [one for number, one in enumerate(cases) if number in kept], list(value["dropped"])

    def _validated(self, cases: list[Seen], module: str, runs: int) -> dict[str, Any]:
        numbers, dropped = {id(one): number for number, one in enumerate(cases)}, []
        took = 0.0
        for turn in range(runs):
            left = self._left()
            if not cases or (left is not None and turn and left < took * AS_LONG):
                break
            begun = time.monotonic()
            ordered = named(cases)
            if turn % 2:
                ordered.reverse()
            tree = self.task.trees.write({self.place(): self._rendered(ordered, module).encode()}, self.task.tree)
            passed, why = self._passed(tree, turn)
            bad = [one for one in ordered if not any(_is(one.name, id) for id in passed)]
            dropped += [f"{one.name}{f': {why}' if why else ''}" for one in bad]
            cases = [one for one in cases if all(one is not each.seen for each in bad)]
            took = time.monotonic() - begun
        return {"kept": sorted(numbers[id(one)] for one in cases), "dropped": dropped}

    def _passed(self, tree: str, turn: int) -> tuple[Sequence[str], str]:
        """The ids of the tests of the file that pass, and why none can be told."""
        with closing(self.task.engine.fork(tree, self.task.cancel)) as room:
            guard(room, self.place(), self.task.trees.read(tree, self.place()))
            elsewhere = ELSEWHERE if turn % 2 else ""
            command = f"export PYTHONHASHSEED={turn}\n{elsewhere}{self._own_command()}"
            report = run_tests(room, command, (self.place(),), 120.0)
        broken = next((one.message for one in report.results if one.outcome == "error"), "")
        return report.passed, broken[:200]

    def needs(self, module: str) -> str:
        """What who runs the file outside of the workspace has to set so that the module is found, in a sentence."""
        told: str = self.task.once(f"needs {self.path} {self.task.tree}", lambda: self._needs(module))
        return told

    def _needs(self, module: str) -> str:
        # Nothing of the file is run here: pytest gathers it, beside no folder but those that it finds itself.
        words = f"-c {shlex.quote(f'import {module}')}"
        if self.style() == "pytest":
            words = f"-c {shlex.quote(GATHER)} --collect-only -q {shlex.quote(self.place())}"
        with closing(self.task.engine.fork(self.task.tree, self.task.cancel)) as room:
            ran = room.run(f"unset PYTHONPATH\n{PYTHON} {words}", 60.0, OURS)
        if not ran.code or "ModuleNotFoundError" not in ran.text:
            return ""
        above = module.count(".") + (2 if self.path.endswith("/__init__.py") else 1)
        folder = "/".join(self.path.split("/")[:-above]) or "."
        return f"Run them with PYTHONPATH={folder}: without it `{self.style()}` does not find {module}."

    # How far

    def noticed(self, cases: Sequence[Seen], usable: frozenset[int]) -> frozenset[int]:
        """The mutants (numbers) that these cases notice."""
        name = f"noticed {self.path} {_digest(self.text(cases, 'm'))}"
        return frozenset(self.task.once(name, lambda: sorted(self._noticed(cases, usable))))

    def _noticed(self, cases: Sequence[Seen], usable: frozenset[int]) -> set[int]:
        found: set[int] = set()
        with (
            closing(self.task.engine.fork(self.task.tree, self.task.cancel)) as room,
            closing(Exercise(room, self.path, self.mutants, self.task.cancel)) as exercise,
        ):
            for one in cases:
                numbers = [each for each in sorted(usable - found) if self.mutants[each].reach & one.lines]
                limit = MUTANT_LIMIT if one.case.call else LIMIT_OF_WRITTEN
                found |= exercise.check([(one, numbers)], limit)[0].killed
        return found

    def arcs(self, cases: Sequence[Seen]) -> frozenset[tuple[int, int]]:
        """The steps in those functions that these cases take."""
        return frozenset(arc for one in cases for arc in one.arcs if self.is_own(arc))

    def is_own(self, arc: tuple[int, int]) -> bool:
        """Whether a step is in one of the functions that are to be tested."""
        line = arc[1] if arc[1] > 0 else arc[0]
        return any(one.first <= line <= one.last for one in self.subjects)

    def reach(self, arcs: frozenset[tuple[int, int]], killed: frozenset[int], usable: frozenset[int]) -> Reach:
        """Of the subjects' lines, branches and the mutants that can be tried."""
        run = {after for _, after in arcs}
        lines = [one.lines for one in self.subjects]
        ways = [taken(one, arcs) for one in self.subjects]
        return Reach(
            (sum(len(one & run) for one in lines), sum(map(len, lines))),
            (sum(map(len, ways)), sum(2 * len(one.branches) for one in self.subjects)),
            (len(killed & usable), len(usable)),
        )

    def survivors(self, killed: frozenset[int], usable: frozenset[int]) -> list[str]:
        left = [self.mutants[number] for number in sorted(usable - killed)]
        told = [f"{self.path}:{one.line}: {one.what}" for one in left[:MOST_SURVIVORS]]
        return told + ([f"and {len(left) - MOST_SURVIVORS} more"] if len(left) > MOST_SURVIVORS else [])


def command_of(task: Task) -> str:
    """What runs the repository's tests; "" where it has none, so that pytest or unittest is taken."""

    def found() -> str:
        try:
            return task.settings.test or detect_command(task.workspace)
        except UsageError:
            return ""

    command: str = task.once("test command", found)
    return command


def beside(task: Task, command: str) -> Verdict:
    """Whether the tests that passed pass beside the new ones; not judged where there are none, or no time is left."""
    value = task.once(f"beside {task.tree}", lambda: _beside(task, command))
    return Verdict(no_loss=value["no_loss"], lost=tuple(value["lost"]), notes=tuple(value["notes"]))


def _beside(task: Task, command: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"no_loss": None, "lost": [], "notes": []}
    deadline = task.cancel.deadline
    seconds = task.settings.suite_time if deadline is None else (deadline - time.monotonic()) / 3
    if not command or seconds < LEAST:
        why = "there was no time left" if command else "the repository has none that can be run"
        return nothing | {"notes": [f"No other tests were run beside the new ones: {why}."]}
    now = _ran(task, task.tree, command, seconds)
    bad = set(now.failed)
    lost = sorted(bad & set(_ran(task, task.base.tree, command, seconds).passed)) if bad else []
    notes = [] if now.complete else [f"Beside the new ones not all other tests were run: {now.summary()}."]
    return {"no_loss": not lost, "lost": lost, "notes": notes}


def _ran(task: Task, tree: str, command: str, seconds: float) -> Report:
    with closing(task.engine.fork(tree, task.cancel)) as room:
        return run_tests(room, command, (), seconds)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _is(name: str, id: str) -> bool:
    return id.split("::")[-1].split(".")[-1] == name
