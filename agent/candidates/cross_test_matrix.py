"""The cross-test matrix: each candidate's new tests run against each candidate's source.

After CodeT (arXiv 2207.10397), in which samples of code and of tests judge each other, and Agentless (arXiv
2407.01489), which filters patches by reproduction tests. A test counts only if it passes with a patch, and fails
without one or with another: that a patch loses what another keeps counts too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aci.patch import in_tests, is_test
from aci.testing import run_tests
from aci.view import mask
from aci.workspace import OURS
from agent.consent import may_test
from agent.moves.pruning import normal
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.report import Report
    from aci.workspace import Workspace
    from agent.moves.attempting import Candidate
    from agent.task import Task


LONGEST_WHY = 160
"""Characters of why a test fails."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """`writer` of each test that counts; `passed`, all tests that pass with each candidate's source; those in `green`
    do without a patch. `authors` whose tests were run; `why` a test that counts fails with a candidate, in a line."""

    writer: Mapping[str, str]
    passed: Mapping[str, frozenset[str]]
    authors: frozenset[str] = frozenset()
    green: frozenset[str] = frozenset()
    why: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def share(self, name: str) -> float | None:
        """How much of the tests a candidate passes, those of each writer counted as one; None where there are none."""
        of_writer: dict[str, list[bool]] = {}
        for test, writer in self.writer.items():
            of_writer.setdefault(writer, []).append(test in self.passed.get(name, ()))
        shares = [sum(passed) / len(passed) for passed in of_writer.values()]
        return sum(shares) / len(shares) if shares else None

    def failed(self, name: str) -> list[str]:
        """The tests that a candidate does not pass, and another does."""
        return [test for test in self.writer if test not in self.passed.get(name, ())]

    @property
    def telling(self) -> list[str]:
        """The tests that some candidates pass, and others do not."""
        return [test for test in self.writer if len({test in passed for passed in self.passed.values()}) > 1]


def crossed(
    task: Task,
    candidates: Sequence[Candidate],
    name: str = "cross tests",
    authors: Sequence[Candidate] = (),
    before: Matrix | None = None,
) -> Matrix:
    """Run the new test files of all `authors`, by default the candidates, without a patch, and with each candidate's,
    but for what was run `before`. Of authors with the same tests the first counts. Recorded under a name."""
    authors = authors or candidates
    found = task.once(name, lambda: _crossed(task, candidates, authors, before or Matrix({}, {})))
    passed = {name: frozenset(tests) for name, tests in found["passed"].items()}
    return Matrix(
        found["writer"], passed, frozenset(found["authors"]), frozenset(found.get("green", ())), found.get("why", {})
    )


def _crossed(
    task: Task, candidates: Sequence[Candidate], authors: Sequence[Candidate], before: Matrix
) -> dict[str, Any]:
    passed = {one.name: {*before.passed.get(one.name, ())} for one in candidates}
    why = {one.name: {**before.why.get(one.name, {})} for one in candidates}
    green = {*before.green}
    ran_of = [one.name for one in authors] if len(candidates) > 1 else []
    if ran_of:
        with closing(task.engine.fork(task.base.tree, task.cancel)) as workspace:
            workspace.expect(OURS)
            sources = {one.name: with_source(task, one.tree) for one in candidates}
            for author, files in _different(task, authors):
                known = before.passed.keys() if author.name in before.authors else ()
                missing = {name: source for name, source in sources.items() if name not in known}
                if not missing:
                    continue
                if not known:
                    tree = task.trees.overlay(task.base.tree, author.tree, files)
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
        "authors": ran_of,
        "green": sorted(green),
        "why": {name: {test: line for test, line in lines.items() if test in counted} for name, lines in why.items()},
    }


def _different(task: Task, authors: Sequence[Candidate]) -> list[tuple[Candidate, list[str]]]:
    """The authors of new tests, each with its files; not those whose tests are another's."""
    found: dict[object, tuple[Candidate, list[str]]] = {}
    for author in authors:
        if files := new_tests(task, author.tree):
            forms = sorted(normal(path, task.trees.read(author.tree, path)) for path in files)
            found.setdefault(tuple(forms), (author, files))
    return list(found.values())


def new_tests(task: Task, tree: str) -> list[str]:
    """The test files that a tree adds to the base."""
    changed = task.trees.changed(task.base.tree, tree)
    return [change.path for change in changed if change.status == "A" and is_test(change.path)]


def with_source(task: Task, tree: str) -> str:
    """The base with what a tree changes of it, tests excepted."""
    changed = [change.path for change in task.trees.changed(task.base.tree, tree) if not in_tests(change.path)]
    return task.trees.overlay(task.base.tree, tree, changed)


def _outcomes(
    task: Task, workspace: Workspace, tree: str, files: Sequence[str], author: str
) -> tuple[set[str], dict[str, str]]:
    """The tests of these files that pass, and why others do not, where the runner tells of each."""
    report = ran(task, workspace, tree, files)
    failed = [one for one in report.results if not one.ok] if report else []
    said = {one.id: mask(" ".join((one.message or one.error).split()), task.engine.secrets) for one in failed}
    why = {f"{author}: {test}": text[:LONGEST_WHY] for test, text in said.items()}
    return {f"{author}: {test}" for test in report.passed} if report else set(), why


def ran(task: Task, workspace: Workspace, tree: str, nodes: Sequence[str]) -> Report | None:
    """What these tests do on a tree; None where they may not be run, cannot be, or nobody tells of each."""
    task.cancel.check()
    if not may_test(task):
        return None
    workspace.restore(tree)
    try:
        report = run_tests(workspace, task.settings.test, nodes, task.settings.test_timeout)
    except UsageError:
        return None
    return report if report.granularity == "test" else None
