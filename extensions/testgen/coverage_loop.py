"""Steps of `write-tests` for one file: existing coverage, new test cases, a test file that passes reliably."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aci.repository.test_files import choose_test_path, is_test
from aci.runtime.target_function import PYTHON
from aci.runtime.workspace import HARNESS_SESSION
from aci.testing.runner_hooks import PYTHON as TOLD_APART
from aci.testing.suite_command import detect_command
from aci.testing.suite_run import run_tests
from extensions.experiment.evaluator.evaluator_process import unittest_python
from extensions.testgen.case_generation import GeneratedCases, GenerationRequest, cases_from_json, generate_cases
from extensions.testgen.case_rendering import NamedTest, name_tests, rebound_helpers, render_tests
from extensions.testgen.existing_coverage import ExistingCoverage, coverage_from_json, measure_coverage
from extensions.testgen.module_exerciser import MUTANT_LIMIT, CaseOutcome, ModuleExerciser
from extensions.testgen.mutants import Mutant, find_mutants
from extensions.testgen.sandboxed_suite import write_guarded_tests
from extensions.testgen.usage_mining import Subject, find_subjects, taken_branches
from trajectories.errors import UsageError
from trajectories.facts import Fact
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from aci.testing.suite_results import SuiteReport
    from agent.engine.task import Task

SECONDS, EXISTING_SECONDS = 60.0, 90.0
"""Time limits in seconds if --max-time is not given: for the search in one file, and for running its existing tests."""
SHARE_FOR_EXISTING, REST, MOST_REST = 0.2, 0.35, 25.0
"""Shares of the remaining --max-time for the existing tests and for the last runs, and the maximum number of seconds
for the last runs."""
STARTS, MOST_STARTS = 6.0, 0.6
"""Minimum time for the last runs, as a multiple of the start-up time of a test runner, and the maximum share of the
remaining time for it."""
RUNS = 3
AS_LONG = 2.0
"""The new file is run again only if the remaining time is at least this multiple of the duration of its last run."""
ELSEWHERE = "export TZ=XXX-13:45 LC_ALL=C\n"
GATHER = "import sys; sys.path[:] = filter(None, sys.path); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
LIMIT_OF_WRITTEN = 1.0
"""Limit in CPU seconds for a test written by a model."""
MOST_SEARCH_CALLS = 0
"""Number of calls that the search in one file makes; 0 for no limit. Benchmarks set it, since seconds depend on the
load of the machine."""
LEAST = 4.0
"""Minimum number of remaining seconds for running the other tests."""
MOST_SURVIVORS, MOST_TEST_FILES = 20, 200
SHOWING = (".py", ".md", ".rst", ".txt")
"""Ends of the names of files that may contain examples of how the module is used."""
MOST_EXAMPLE_FILES, LARGEST_EXAMPLE = 80, 200_000


@dataclass(frozen=True, slots=True)
class Coverage:
    """The coverage of a file's functions: lines, branches and mutants, each as (reached, total)."""

    lines: tuple[int, int]
    branches: tuple[int, int]
    mutants: tuple[int, int]

    def __str__(self) -> str:
        parts = (("lines", self.lines), ("branches", self.branches), ("mutants", self.mutants))
        return ", ".join(f"{name} {have}/{every} ({_share(have, every)})" for name, (have, every) in parts)


def _share(have: int, every: int) -> str:
    return f"{have / every:.0%}" if every else "none"


class FileCoverage:
    """One file with the functions to test. All results are recorded in the run."""

    def __init__(self, task: Task, path: str, names: Sequence[str], files: int) -> None:
        self.task, self.path, self.names, self.files = task, path, tuple(names), files
        self.data = task.trees.read(task.tree, path)
        self.subjects: list[Subject] = find_subjects(self.data, names)
        self.mutants: list[Mutant] = find_mutants(path, self.data, [one.name for one in self.subjects])

    @property
    def what(self) -> str:
        return f"`{', '.join(self.names)}` of {self.path}" if self.names else self.path

    @cached_property
    def command(self) -> str:
        return test_command(self.task)

    def existing_coverage(self) -> ExistingCoverage:
        """Return the coverage of the existing tests."""
        value = self.task.once(f"standing {self.path}", lambda: self._measure_existing_coverage().as_json())
        return coverage_from_json(value)

    def _measure_existing_coverage(self) -> ExistingCoverage:
        if not self.command:
            return ExistingCoverage(said="The repository has no tests that can be run.")
        files = sorted(self._tests())
        if not files:
            return ExistingCoverage(said="No test of the repository mentions the module.")
        left = self._left()
        seconds = EXISTING_SECONDS if left is None else max(1.0, left * SHARE_FOR_EXISTING / self.files)
        with closing(self.task.branch.place.fork(self.task.tree)) as room:
            return measure_coverage(
                room, self.command, self.path, self.mutants, self.task.branch.cancel, seconds, files
            )

    def found(self) -> GeneratedCases:
        """Return the test cases that the search found."""
        return cases_from_json(self.task.once(f"search {self.path}", lambda: self._found().as_json()))

    def _found(self) -> GeneratedCases:
        task = self.task
        last_report = [0.0]

        def tell(message: str) -> None:
            task.branch.cancel.check()
            if time.monotonic() - last_report[0] > 1:
                last_report[0] = time.monotonic()
                task.branch.engine.report("progress", task.branch.name, message)

        asked = GenerationRequest(
            self.path, self.data, self.subjects, self.mutants, self.existing_coverage(), self._examples(), self.names,
            MOST_SEARCH_CALLS,
        )  # fmt: skip
        with closing(task.branch.place.fork(task.tree)) as room:
            return generate_cases(room, asked, task.branch.cancel, self._search_time(), tell)

    def _tests(self) -> dict[str, bytes]:
        """Return the test files that contain the module's name."""
        word = self.path.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2].encode()
        paths = [one for one in self.task.trees.files(self.task.tree) if one.endswith(".py") and is_test(one)]
        found = {path: self.task.trees.read(self.task.tree, path) for path in sorted(paths)[:MOST_TEST_FILES]}
        return {path: data for path, data in found.items() if word in data}

    def _examples(self) -> dict[str, bytes]:
        """Return the files that may show how the module is used, the module first, since time may run out."""
        near = self.path.partition("/")[0] + "/"
        paths = [one for one in self.task.trees.files(self.task.tree) if one.endswith(SHOWING) and not is_test(one)]
        paths.sort(key=lambda path: (path != self.path, not path.startswith(near), path))
        found = {path: self.task.trees.read(self.task.tree, path) for path in paths[:MOST_EXAMPLE_FILES]}
        files = self._tests() | {path: data for path, data in found.items() if len(data) <= LARGEST_EXAMPLE}
        return {path: files[path] for path in sorted(files, key=lambda path: path != self.path)}

    def _left(self) -> float | None:
        """Return the seconds that the run has left, or None if it has no time limit."""
        deadline = self.task.branch.cancel.deadline
        return None if deadline is None else deadline - time.monotonic()

    def _search_time(self) -> float:
        left = self._left()
        if left is None:
            return SECONDS
        start = time.monotonic()
        with closing(self.task.branch.place.fork(self.task.tree)) as room:
            room.run(f"{PYTHON} -m pytest --version", 60, HARNESS_SESSION)
        starts = min(STARTS * (time.monotonic() - start), left * MOST_STARTS)
        return max(1.0, (left - max(min(left * REST, MOST_REST), starts)) / self.files)

    # The test file

    def place(self) -> str:
        function = self.names[0] if len(self.names) == 1 else ""
        place: str = self.task.once(
            f"place {self.path}", lambda: choose_test_path(self.task.trees.files(self.task.tree), self.path, function)
        )
        return place

    def style(self) -> str:
        """Return the style of the test command, "pytest" or "unittest"; for commands like `make test` it is "pytest" if
        pytest is installed."""
        if TOLD_APART.search(self.command):
            return "unittest" if unittest_python(self.command) else "pytest"
        has: bool = self.task.once("has pytest", self._has_pytest)
        return "pytest" if has else "unittest"

    def _own_command(self) -> str:
        """Return a command that runs the new file and reports each of its tests."""
        return self.command if TOLD_APART.search(self.command) else f"{PYTHON} -m {self.style()}"

    def _has_pytest(self) -> bool:
        return not self.task.workspace.run(f"{PYTHON} -c 'import pytest'", 60, HARNESS_SESSION).code

    def text(self, cases: Sequence[CaseOutcome], module: str) -> str:
        return self._rendered(name_tests(cases), module)

    def _rendered(self, tests: Sequence[NamedTest], module: str) -> str:
        return render_tests(tests, module, self.what, self.style(), rebound_helpers(self.data, module))

    def holding(
        self, cases: Sequence[CaseOutcome], module: str, runs: int = RUNS
    ) -> tuple[list[CaseOutcome], list[str]]:
        """Return the cases whose tests pass in each of `runs` runs, and the names of the other tests, each with a
        reason.

        Each run has a fresh process and its own hash seed; every second run has another test order and time zone.
        """
        value: dict[str, Any] = self.task.once(
            f"validate {self.path} {runs} {_digest(self.text(cases, module))}",
            lambda: self._validated(list(cases), module, runs),
        )
        kept = set(value["kept"])
        return [one for number, one in enumerate(cases) if number in kept], list(value["dropped"])

    def _validated(self, cases: list[CaseOutcome], module: str, runs: int) -> dict[str, Any]:
        numbers, dropped = {id(one): number for number, one in enumerate(cases)}, []
        took = 0.0
        for turn in range(runs):
            left = self._left()
            if not cases or (left is not None and turn and left < took * AS_LONG):
                break
            start = time.monotonic()
            ordered = name_tests(cases)
            if turn % 2:
                ordered.reverse()
            tree = self.task.trees.write({self.place(): self._rendered(ordered, module).encode()}, self.task.tree)
            passed, why = self._passed(tree, turn)
            bad = [one for one in ordered if not any(_is(one.name, id) for id in passed)]
            dropped += [f"{one.name}{f': {why}' if why else ''}" for one in bad]
            cases = [one for one in cases if all(one is not each.seen for each in bad)]
            took = time.monotonic() - start
        return {"kept": sorted(numbers[id(one)] for one in cases), "dropped": dropped}

    def _passed(self, tree: str, turn: int) -> tuple[Sequence[str], str]:
        """Return the ids of the file's tests that pass, and the message of an error during the run."""
        with closing(self.task.branch.place.fork(tree)) as room:
            write_guarded_tests(room, self.place(), self.task.trees.read(tree, self.place()))
            elsewhere = ELSEWHERE if turn % 2 else ""
            command = f"export PYTHONHASHSEED={turn}\n{elsewhere}{self._own_command()}"
            report = run_tests(room, command, (self.place(),), 120.0)
        broken = next((one.message for one in report.results if one.outcome == "error"), "")
        return report.passed, broken[:200]

    def needs(self, module: str) -> str:
        """Return a sentence with the PYTHONPATH that users need to run the file, or ""."""
        sentence: str = self.task.once(f"needs {self.path} {self.task.tree}", lambda: self._needs(module))
        return sentence

    def _needs(self, module: str) -> str:
        # The tests are not run here: pytest only collects the file, without the current folder on sys.path unless
        # pytest adds it.
        words = f"-c {shlex.quote(f'import {module}')}"
        if self.style() == "pytest":
            words = f"-c {shlex.quote(GATHER)} --collect-only -q {shlex.quote(self.place())}"
        with closing(self.task.branch.place.fork(self.task.tree)) as room:
            ran = room.run(f"unset PYTHONPATH\n{PYTHON} {words}", 60.0, HARNESS_SESSION)
        if not ran.code or "ModuleNotFoundError" not in ran.text:
            return ""
        above = module.count(".") + (2 if self.path.endswith("/__init__.py") else 1)
        folder = "/".join(self.path.split("/")[:-above]) or "."
        return f"Run them with PYTHONPATH={folder}: without it `{self.style()}` does not find {module}."

    # Coverage

    def noticed(self, cases: Sequence[CaseOutcome], usable: frozenset[int]) -> frozenset[int]:
        """Return the numbers of the mutants that these cases detect."""
        name = f"noticed {self.path} {_digest(self.text(cases, 'm'))}"
        return frozenset(self.task.once(name, lambda: sorted(self._noticed(cases, usable))))

    def _noticed(self, cases: Sequence[CaseOutcome], usable: frozenset[int]) -> set[int]:
        found: set[int] = set()
        with (
            closing(self.task.branch.place.fork(self.task.tree)) as room,
            closing(ModuleExerciser(room, self.path, self.mutants, self.task.branch.cancel)) as exercise,
        ):
            for one in cases:
                numbers = [each for each in sorted(usable - found) if self.mutants[each].reach & one.lines]
                limit = MUTANT_LIMIT if one.case.call else LIMIT_OF_WRITTEN
                found |= exercise.check([(one, numbers)], limit)[0].killed
        return found

    def arcs(self, cases: Sequence[CaseOutcome]) -> frozenset[tuple[int, int]]:
        """Return the arcs in the tested functions that these cases run."""
        return frozenset(arc for one in cases for arc in one.arcs if self.is_own(arc))

    def is_own(self, arc: tuple[int, int]) -> bool:
        """Return whether an arc is in one of the functions to test."""
        line = arc[1] if arc[1] > 0 else arc[0]
        return any(one.first <= line <= one.last for one in self.subjects)

    def reach(self, arcs: frozenset[tuple[int, int]], killed: frozenset[int], usable: frozenset[int]) -> Coverage:
        """Return the coverage of the subjects' lines and branches, and of the usable mutants."""
        run = {after for _, after in arcs}
        lines = [one.lines for one in self.subjects]
        ways = [taken_branches(one, arcs) for one in self.subjects]
        return Coverage(
            (sum(len(one & run) for one in lines), sum(map(len, lines))),
            (sum(map(len, ways)), sum(2 * len(one.branches) for one in self.subjects)),
            (len(killed & usable), len(usable)),
        )

    def survivors(self, killed: frozenset[int], usable: frozenset[int]) -> list[str]:
        left = [self.mutants[number] for number in sorted(usable - killed)]
        lines = [f"{self.path}:{one.line}: {one.what}" for one in left[:MOST_SURVIVORS]]
        return lines + ([f"and {len(left) - MOST_SURVIVORS} more"] if len(left) > MOST_SURVIVORS else [])


def test_command(task: Task) -> str:
    """Return the repository's test command, or "" if it has none; then pytest or unittest is used."""

    def found() -> str:
        try:
            return task.turn.settings.test or detect_command(task.workspace)
        except UsageError:
            return ""

    command: str = task.once("test command", found)
    return command


def passes_with_new_tests(task: Task, command: str) -> Verdict:
    """Check that tests that passed before also pass with the new ones; without tests or without time there is no
    result."""
    value = task.once(f"beside {task.tree}", lambda: _beside(task, command))
    facts = tuple(Fact("limit", note) for note in value["notes"])
    return Verdict(no_loss=value["no_loss"], lost=tuple(value["lost"]), facts=facts)


def _beside(task: Task, command: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"no_loss": None, "lost": [], "notes": []}
    deadline = task.branch.cancel.deadline
    seconds = task.turn.settings.suite_time if deadline is None else (deadline - time.monotonic()) / 3
    if not command or seconds < LEAST:
        why = "there was no time left" if command else "the repository has none that can be run"
        return nothing | {"notes": [f"No other tests were run together with the new ones: {why}."]}
    now = _ran(task, task.tree, command, seconds)
    bad = set(now.failed)
    lost = sorted(bad & set(_ran(task, task.turn.base.tree, command, seconds).passed)) if bad else []
    notes = [] if now.complete else [f"Not all other tests were run together with the new ones: {now.summary()}."]
    return {"no_loss": not lost, "lost": lost, "notes": notes}


def _ran(task: Task, tree: str, command: str, seconds: float) -> SuiteReport:
    with closing(task.branch.place.fork(tree)) as room:
        return run_tests(room, command, (), seconds)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _is(name: str, id: str) -> bool:
    return id.split("::")[-1].split(".")[-1] == name
