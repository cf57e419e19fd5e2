"""The cross-test matrix: each candidate's new tests run against each candidate's source.

It is based on CodeT (arXiv 2207.10397), in which code and test samples are used to check each other, and on Agentless
(arXiv 2407.01489), which filters patches by reproduction tests. A test counts only if it passes with at least one
patch, and fails without a patch or with another patch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aci.observation.secret_masking import mask_secrets
from aci.repository.test_files import belongs_to_tests, is_test
from aci.runtime.workspace import HARNESS_SESSION
from aci.testing.suite_run import run_tests
from agent.candidates.patch_deduplication import normalize_file
from agent.engine.permission_checks import may_test
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from aci.testing.suite_results import SuiteReport
    from agent.candidates.diverse_attempts import Candidate
    from agent.engine.task import Task


LONGEST_WHY = 160
"""Maximum number of characters of the reason why a test fails."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The results of cross tests.

    `writer` maps each test that counts to its author. `passed` maps each candidate to the tests that pass with its
    source, `green` contains the tests that pass without a patch, and `authors` the authors whose tests were run. `why`
    maps each candidate to the counted tests that fail with it, each with the reason in one line.
    """

    writer: Mapping[str, str]
    passed: Mapping[str, frozenset[str]]
    authors: frozenset[str] = frozenset()
    green: frozenset[str] = frozenset()
    why: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def share(self, name: str) -> float | None:
        """Return the share of tests that a candidate passes, with equal weight for each author; None if there are
        none."""
        of_writer: dict[str, list[bool]] = {}
        for test, writer in self.writer.items():
            of_writer.setdefault(writer, []).append(test in self.passed.get(name, ()))
        shares = [sum(passed) / len(passed) for passed in of_writer.values()]
        return sum(shares) / len(shares) if shares else None

    def failed(self, name: str) -> list[str]:
        """Return the tests that this candidate fails but another candidate passes."""
        return [test for test in self.writer if test not in self.passed.get(name, ())]

    @property
    def distinguishing_tests(self) -> list[str]:
        """The tests that some candidates pass and others do not."""
        return [test for test in self.writer if len({test in passed for passed in self.passed.values()}) > 1]


def run_cross_tests(
    task: Task,
    candidates: Sequence[Candidate],
    name: str = "cross tests",
    authors: Sequence[Candidate] = (),
    before: Matrix | None = None,
) -> Matrix:
    """Run each author's new test files without a patch and with each candidate's patch; `authors` defaults to the
    candidates.

    Results in `before` are reused. If several authors wrote the same tests, only those of the first author are run. The
    result is recorded under `name`.
    """
    authors = authors or candidates
    found = task.once(name, lambda: _run_all(task, candidates, authors, before or Matrix({}, {})))
    passed = {name: frozenset(tests) for name, tests in found["passed"].items()}
    return Matrix(
        found["writer"], passed, frozenset(found["authors"]), frozenset(found.get("green", ())), found.get("why", {})
    )


def _run_all(
    task: Task, candidates: Sequence[Candidate], authors: Sequence[Candidate], before: Matrix
) -> dict[str, Any]:
    passed = {one.name: {*before.passed.get(one.name, ())} for one in candidates}
    why = {one.name: {**before.why.get(one.name, {})} for one in candidates}
    green = {*before.green}
    author_names = [one.name for one in authors] if len(candidates) > 1 else []
    if author_names:
        with closing(task.branch.place.fork(task.turn.base.tree)) as workspace:
            workspace.expect(HARNESS_SESSION)
            sources = {one.name: source_only_tree(task, one.tree) for one in candidates}
            for author, files in _distinct_authors(task, authors):
                known = before.passed.keys() if author.name in before.authors else ()
                missing = {name: source for name, source in sources.items() if name not in known}
                if not missing:
                    continue
                if not known:
                    tree = task.trees.overlay(task.turn.base.tree, author.tree, files)
                    green |= _outcomes(task, workspace, tree, files, author.name)[0]
                for name, source in missing.items():
                    tree = task.trees.overlay(source, author.tree, files)
                    ok, reasons = _outcomes(task, workspace, tree, files, author.name)
                    passed[name] |= ok
                    why[name] |= reasons
    every = sorted({test for tests in passed.values() for test in tests})
    counted = [test for test in every if test not in green or any(test not in tests for tests in passed.values())]
    return {
        "writer": {test: test.partition(": ")[0] for test in counted},
        "passed": {name: sorted(tests) for name, tests in passed.items()},
        "authors": author_names,
        "green": sorted(green),
        "why": {name: {test: line for test, line in lines.items() if test in counted} for name, lines in why.items()},
    }


def _distinct_authors(task: Task, authors: Sequence[Candidate]) -> list[tuple[Candidate, list[str]]]:
    """Return each author of new tests with the test files; authors whose tests equal an earlier author's are
    skipped."""
    found: dict[object, tuple[Candidate, list[str]]] = {}
    for author in authors:
        if files := new_tests(task, author.tree):
            forms = sorted(normalize_file(path, task.trees.read(author.tree, path)) for path in files)
            found.setdefault(tuple(forms), (author, files))
    return list(found.values())


def new_tests(task: Task, tree: str) -> list[str]:
    """Return the test files that a tree adds to the base."""
    changed = task.trees.changed(task.turn.base.tree, tree)
    return [change.path for change in changed if change.status == "A" and is_test(change.path)]


def source_only_tree(task: Task, tree: str) -> str:
    """Return the base tree with the changes of `tree`, except those to tests."""
    changed = [
        change.path for change in task.trees.changed(task.turn.base.tree, tree) if not belongs_to_tests(change.path)
    ]
    return task.trees.overlay(task.turn.base.tree, tree, changed)


def _outcomes(
    task: Task, workspace: Workspace, tree: str, files: Sequence[str], author: str
) -> tuple[set[str], dict[str, str]]:
    """Run these test files; return the tests that pass, and why the others fail, if the runner reports individual
    tests."""
    report = run_reported_tests(task, workspace, tree, files)
    failed = [one for one in report.results if not one.ok] if report else []
    said = {
        one.id: mask_secrets(" ".join((one.message or one.error).split()), task.branch.engine.secrets) for one in failed
    }
    why = {f"{author}: {test}": text[:LONGEST_WHY] for test, text in said.items()}
    return {f"{author}: {test}" for test in report.passed} if report else set(), why


def run_reported_tests(task: Task, workspace: Workspace, tree: str, nodes: Sequence[str]) -> SuiteReport | None:
    """Run these tests on a tree and return the report; None if they may not be run, cannot be run, or are not reported
    individually."""
    task.branch.cancel.check()
    if not may_test(task.branch):
        return None
    workspace.restore(tree)
    try:
        report = run_tests(workspace, task.turn.settings.test, nodes, task.turn.settings.test_timeout)
    except UsageError:
        return None
    return report if report.granularity == "test" else None
