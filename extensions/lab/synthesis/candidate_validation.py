"""Validation of candidates: tests that passed must fail, twice the same ones, and the others must still pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Event

from aci.runtime.workspace import Workspace
from aci.testing.suite_results import SuiteReport, TestResult
from aci.testing.suite_run import SESSION, run_tests
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.failing_example import FailingExample
from extensions.lab.synthesis.issue_text import find_examples
from extensions.lab.synthesis.observed_examples import observe, run_examples
from extensions.lab.synthesis.template_repair import is_repaired_by_templates, repair_search
from trajectories.errors import UsageError, WorkspaceError
from trajectories.git_store.trees import Trees

SLOWER, SHORTEST = 4.0, 30.0
"""Time limit of a candidate's run: a multiple of the base's time, and at least this many seconds, since failing tests
take longer."""
TEST_SLOWER, TEST_SHORTEST = 10.0, 2.0
"""The same for one test."""
MOST_NEAREST = 250
"""If more tests than this run the change, all tests run at once."""
MOST_FAILING = 1 / 3
"""Share of the tests; a change that breaks more of them would be noticed at the first import."""
MOST_RUN = 6
"""Maximum number of examples that are run."""
FIRST_SECONDS = 1800.0
"""Time limit of a run of the unchanged tree, in seconds."""


@dataclass(frozen=True, slots=True)
class BaseResults:
    """Two runs of the unchanged tree: `passing` are the tests that passed in both, with their seconds."""

    command: str
    passing: dict[str, float]
    seconds: float

    @property
    def limit(self) -> float:
        return max(SHORTEST, SLOWER * self.seconds)

    @property
    def limit_per_test(self) -> float:
        return max(TEST_SHORTEST, TEST_SLOWER * max(self.passing.values()))


@dataclass(frozen=True, slots=True)
class Validation:
    """The result of a candidate. It is valid if `reason` is empty; otherwise `reason` says why not, such as `passed`.

    `fail_to_pass` are the tests that fail because of the change, with their results in `failures`, and `examples` the
    clearest examples in them with the results that they give.
    """

    reason: str = ""
    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()
    failures: tuple[TestResult, ...] = ()
    examples: tuple[tuple[TestResult, FailingExample], ...] = ()


def measure_base(workspace: Workspace, command: str) -> BaseResults:
    """Run the tests of the unchanged tree twice. Raises UsageError if they cannot judge candidates."""
    prepare(workspace)
    reports = [run_tests(workspace, command, (), FIRST_SECONDS) for _ in range(2)]
    last = reports[-1]
    if last.granularity != "test":
        raise UsageError("The test command does not report single tests.", "Give one that does: --test 'pytest'.")
    times = {result.id: result.seconds for result in last.results}
    passing = [name for name in reports[0].passed if name in set(last.passed)]
    if not passing:
        said = last.output.decode("utf-8", "replace").strip()[-300:]
        raise UsageError(f"No test passes in two runs of `{last.command}`: {said}", "Give a command with --test.")
    return BaseResults(last.command, {name: times[name] for name in passing}, max(one.seconds for one in reports))


def prepare(workspace: Workspace) -> None:
    """Prevent Python from keeping bytecode: two changes within a second could share it."""
    workspace.run("export PYTHONDONTWRITEBYTECODE=1", session=SESSION)


class Validator:
    """Validates candidates, one at a time, in a workspace that holds the tree of the source between two calls."""

    def __init__(self, workspace: Workspace, trees: Trees, tree: str, base: BaseResults) -> None:
        self._workspace, self._trees, self._tree, self._base = workspace, trees, tree, base

    def validate(self, candidate: Candidate, nearest: frozenset[str] | None) -> Validation:
        """Run the tests with the change. The tests that run the changed lines, `nearest`, go first if they are known.

        Raises WorkspaceError if the workspace cannot be used any more, and Cancelled.
        """
        if nearest is not None and not nearest:
            return Validation("not run")
        planted = self._plant(candidate)
        try:
            found = self._validate(sorted(nearest or ()))
        except WorkspaceError:
            return Validation("breaks the workspace")
        finally:
            self._workspace.restore(self._tree)  # raises if the workspace cannot be used any more
        if not found.reason and not candidate.must_fail <= set(found.fail_to_pass):
            return Validation("hides a failure")
        if found.reason or candidate.write_text is not None:
            return found
        return replace(found, examples=tuple(self._observe_examples(found.failures, planted)))

    def _observe_examples(
        self, failures: Sequence[TestResult], planted: str
    ) -> Iterator[tuple[TestResult, FailingExample]]:
        """Yield the clearest examples; those in Python are run without and with the change."""
        examples = find_examples(self._trees, self._tree, failures)
        if not examples or examples[0][1].language != "python":
            yield from examples
            return
        examples = examples[:MOST_RUN]
        codes = [example.code for _, example in examples]
        before = run_examples(self._workspace, self._base.command, codes)
        self._workspace.restore(planted)
        try:
            after = run_examples(self._workspace, self._base.command, codes)
        finally:
            self._workspace.restore(self._tree)
        for (failure, example), *outcomes in zip(examples, before, after, strict=True):
            if seen := observe(failure, example, *outcomes):
                yield seen

    def is_repaired(self, candidate: Candidate, validation: Validation, text: str, cancel: Event) -> bool:
        """Return whether repair by templates solves the task with this issue text. Raises as `validate` does."""
        planted = self._plant(candidate)
        failing, passing = validation.fail_to_pass, validation.pass_to_pass
        task = repair_search().RepairTask(
            self._workspace, self._trees, planted, failing, passing, self._base.command, text
        )
        try:
            return is_repaired_by_templates(task, lambda: not self.find_missing(), cancel)
        finally:
            self._workspace.restore(self._tree)

    def find_missing(self) -> list[str]:
        """Run all tests in the workspace as it is, and return those that passed on the base but do not pass there."""
        passed = set(self._run().passed)
        return [name for name in self._base.passing if name not in passed]

    def _plant(self, candidate: Candidate) -> str:
        planted = self._trees.write(candidate.files, self._tree)
        self._workspace.restore(planted)
        return planted

    def _validate(self, nearest: Sequence[str]) -> Validation:
        if 0 < len(nearest) <= MOST_NEAREST:
            first = self._run(nearest)
            if reason := self._refusal(first, set(nearest)):
                return Validation(reason)
        reports = []
        for _ in range(2):
            reports.append(self._run())
            if reason := self._refusal(reports[-1], set(self._base.passing)):
                return Validation(reason)
        failing = [tuple(name for name in self._base.passing if name in set(one.failed)) for one in reports]
        if failing[0] != failing[1]:
            return Validation("flaky")
        passing = tuple(name for name in self._base.passing if name not in set(failing[0]))
        found = (reports[-1].find(name) for name in failing[0])
        folder = f"{self._workspace.root}/"
        failures = [replace(one, message=one.message.replace(folder, "")) for one in found if one]
        return Validation("", failing[0], passing, tuple(failures))

    def _run(self, nodes: Sequence[str] = ()) -> SuiteReport:
        base = self._base
        return run_tests(self._workspace, base.command, nodes, base.limit, base.limit_per_test)

    def _refusal(self, report: SuiteReport, expected: set[str]) -> str:
        """Return why the candidate is refused after this run, or "" if it is not."""
        known = expected & set(self._base.passing)
        outcomes = {result.id: result for result in report.results}
        if report.timed_out or any(result.too_long for result in report.results):
            return "hangs"
        if not report.complete or not known <= outcomes.keys():
            return "breaks the suite"
        failing = [name for name in known if outcomes[name].bad]
        if any(not outcomes[name].bad and not outcomes[name].ok for name in known):
            return "skips tests"
        if not failing:
            return "passed"
        return "breaks too many tests" if len(failing) > MOST_FAILING * len(self._base.passing) else ""
