"""A proof under way: the trees that it compares, its two workspaces, and how tests are run in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from aci.commands import is_run_by
from aci.patch import is_test, is_test_config
from aci.testing import Report, TestResult, run_tests
from aci.workspace import Workspace
from trajectories.errors import UsageError
from trajectories.records import Issue
from trajectories.trees import Trees


@dataclass(frozen=True, slots=True)
class Parts:
    """A patch's paths: `source` (of which `added`), new `tests`, and `kept_out`: existing tests, test configuration,
    and what the test command itself runs."""

    source: tuple[str, ...]
    added: tuple[str, ...]
    tests: tuple[str, ...]
    kept_out: tuple[str, ...]
    diff: str


def separate(trees: Trees, base_tree: str, tree: str, command: str = "") -> Parts:
    """Sort the paths of a patch; `diff` is that of its source. What the test `command` itself runs is kept out."""
    source, added, tests, kept_out = [], [], [], []
    for change in trees.changed(base_tree, tree):
        if is_test_config(change.path) or (is_test(change.path) and change.status != "A"):
            kept_out.append(change.path)
        elif is_test(change.path):
            tests.append(change.path)
        elif is_run_by(command, change.path):
            kept_out.append(change.path)
        else:
            source.append(change.path)
            added += [change.path] if change.status == "A" else []
    diff = trees.diff(base_tree, tree, source) if source else ""
    return Parts(tuple(source), tuple(added), tuple(tests), tuple(kept_out), diff)


SLACK = 3
"""How many times the time of the first run of a large suite each later one has."""


@dataclass(slots=True)
class Trial:
    """`base` as it was, `shipped` with the source hunks, `without` them but with the new tests, `proved` with both.

    The suite runs at `shipped`: a new file among the tests could stand in for a module that the patch breaks.
    `before` is a workspace in which the patched code never runs, `after` one in which it does. In a large suite that
    nobody named the test files `related` to the patch run first, then all have `spare` seconds; a suite without such a
    limit has None.
    """

    trees: Trees
    issue: Issue
    parts: Parts
    base: str
    shipped: str
    without: str
    proved: str
    command: str
    timeout: float
    say: Callable[[str], None]
    related: tuple[str, ...] | None = None
    spare: float = 0.0
    node_command: str = ""
    by_code: bool = False
    notes: list[str] = field(default_factory=list)
    failures: dict[str, TestResult] = field(default_factory=dict)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def failed(self, report: Report | None, ids: Iterable[str]) -> None:
        """Keep how these tests failed with the patch, for whoever is to mend it."""
        for id in ids:
            if (result := report.find(id) if report else None) and result.bad:
                self.failures.setdefault(id, result)

    def suite(self, workspace: Workspace, nodes: Sequence[str] = (), slack: int = 1) -> Report | None:
        """The suite as the command says, or these tests of it; None where there are no tests.

        `slack` is how many times its seconds a large suite has: a repetition must not end for lack of time.
        """
        try:
            if nodes or self.related is None:
                report = run_tests(workspace, self.command, nodes, self.timeout)
            else:
                report = self._related_first(workspace, self.related, slack * self.spare)
        except UsageError as error:
            self.note(error.message)
            return None
        self.take(report)
        nothing_found = not report.results and report.complete and not self.by_code
        return None if nothing_found else report

    def _related_first(self, workspace: Workspace, related: Sequence[str], seconds: float) -> Report:
        """These test files, so that they are judged in any case, then all in company."""
        rest = min(self.timeout, seconds)
        if not related:
            return run_tests(workspace, self.command, (), rest)
        first = run_tests(workspace, self.command, related, min(self.timeout, 2 * seconds))
        return first.joined(run_tests(workspace, first.command, (), rest))

    def take(self, report: Report) -> None:
        """Go on with the command that a report of the suite came from."""
        self.command = report.command
        self.by_code = report.granularity == "command"

    def only(self, workspace: Workspace, nodes: Sequence[str], tree: str, each: float | None = None) -> Report | None:
        """Single tests at `tree`, by the suite's command or as the repository suggests; None if neither can. A test may
        take `each` seconds."""
        workspace.restore(tree)
        suited = [] if self.by_code else [self.command]
        for command in [self.node_command] if self.node_command else dict.fromkeys([*suited, ""]):
            try:
                report = run_tests(workspace, command, nodes, self.timeout, each)
            except UsageError:
                continue
            if report.results:
                self.node_command = report.command
                return report
        return None

    def code(self, workspace: Workspace, tree: str) -> int:
        """The exit code of the suite's command at `tree`."""
        workspace.restore(tree)
        return run_tests(workspace, self.command, timeout=self.timeout).code


def passes(report: Report | None, id: str) -> bool:
    result = report.find(id) if report else None
    return bool(result and result.ok)


def fails(report: Report | None, id: str) -> bool:
    result = report.find(id) if report else None
    return bool(result and result.bad and not result.cut)


def is_unreached(report: Report | None, id: str) -> bool:
    """Whether a run's time was up before the test had its result."""
    result = report.find(id) if report else None
    return bool(report and report.timed_out and (result is None or result.cut))


def some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
