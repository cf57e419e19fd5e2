"""State of a running proof: the trees that it compares, its notes, and how it runs tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import NamedTuple

from aci.observation.activity_message import ActivityMessage
from aci.proof.compiled_tests import INLINE, InlineTests, split_inline_tests
from aci.repository.added_tests import copy_path, edited_test_files, extended_test_files
from aci.repository.test_files import is_test, is_test_config
from aci.runtime.workspace import HARNESS_SESSION, Workspace
from aci.testing.browser_tests import ServerNotStarted, broken_browser
from aci.testing.command_files import is_run_by, script_files
from aci.testing.suite_run import SuiteReport, TestResult, run_tests
from trajectories.errors import UsageError
from trajectories.facts import Fact
from trajectories.git_store.trees import Trees
from trajectories.records import Issue

DEFINED = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
"""A definition of a function or class in Python."""
MOST_SOURCES, MOST_SOURCE_BYTES = 3000, 1_000_000
"""Maximum number and size of the source files in which definitions are looked up."""
MOST_SUPPORTED = 20
"""Maximum number of test files that run because they may use a changed file beside them."""


@dataclass(frozen=True, slots=True)
class PatchParts:
    """The paths of a patch, by kind.

    `source` are source files, and `added` the new ones among them. `tests` are new test files. `extended` are existing
    test files with the tests that the patch adds to them; with the tests that it changes if these may reproduce the
    issue. `inline` are the files of code whose own tests the patch changes. `kept_out` are files of which the base's
    version is used: existing tests to which the patch does more than add tests, test configuration, and files that the
    test command itself runs. `support` are those among them that the reproduction tests use in the patch's version,
    such as a changed fixture: tests that they affect may reproduce the issue.
    """

    source: tuple[str, ...]
    added: tuple[str, ...]
    tests: tuple[str, ...]
    kept_out: tuple[str, ...]
    diff: str
    extended: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    support: tuple[str, ...] = ()
    inline: Mapping[str, InlineTests] = field(default_factory=dict)

    @property
    def copies(self) -> tuple[str, ...]:
        """The paths at which the `extended` files run; Python's existing files stay as in the base."""
        return tuple(map(copy_path, self.extended))

    @property
    def test_files(self) -> tuple[str, ...]:
        return (*self.tests, *self.copies, *self.support)

    @property
    def new_tests(self) -> tuple[str, ...]:
        """New test files, and the ids of the tests added to existing ones."""
        added = (_copied_id(path, name) for path, names in self.extended.items() for name in names)
        return (*self.tests, *added, *self.inline_roots)

    @property
    def inline_roots(self) -> tuple[str, ...]:
        """The files by which test results name the inline tests that may reproduce the issue: those of the crates, and
        those of examples."""
        paths = [path for path, one in self.inline.items() if one.counts]
        folders = (path.rpartition("src/")[0] for path in paths)
        roots = (f"{folder}src/{name}.rs" for folder in folders for name in ("lib", "main"))
        return tuple(dict.fromkeys((*roots, *paths)))

    def supported_tests(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return those test files that may use the `support` files: the ones nearest to each in the folders above."""
        found: dict[str, None] = {}
        for path in self.support:
            folders = [f"{folder}/" for folder in map(str, PurePosixPath(path).parents) if folder != "."]
            near = ([each for each in paths if each.startswith(folder)] for folder in folders)
            found |= dict.fromkeys(next(filter(None, near), []))
        return tuple(found)[:MOST_SUPPORTED]

    def in_copies(self, node: str) -> tuple[str, ...]:
        """Return the ids in the copies for a test file or a test that the patch adds to an existing file."""
        path, _, name = node.partition("[")[0].partition("::")
        names = [one for one in self.extended.get(path, ()) if not (name and one) or f"{one}::".startswith(f"{name}::")]
        return tuple(_copied_id(path, one) for one in names) or (node,)


def _copied_id(path: str, name: str) -> str:
    return f"{copy_path(path)}::{name}" if name else copy_path(path)


def split_patch(trees: Trees, base_tree: str, tree: str, command: str = "", edited_tests: bool = False) -> PatchParts:
    """Sort the paths of a patch by kind; files that `command` itself runs are kept out. `diff` is the diff of the
    source files. With `edited_tests`, tests that the patch changes may reproduce the issue too, and so may those that
    use changed files beside them."""
    source, added, tests, kept_out = [], [], [], []
    extended = extended_test_files(trees, base_tree, tree)
    scripts = script_files(command, lambda path: read_text(trees, base_tree, path))
    for change in trees.changed(base_tree, tree):
        if change.path in extended:
            continue
        if is_test_config(change.path) or (is_test(change.path) and change.status != "A"):
            kept_out.append(change.path)
        elif is_test(change.path):
            tests.append(change.path)
        elif is_run_by(command, change.path) or change.path in scripts:
            kept_out.append(change.path)
        else:
            source.append(change.path)
            added += [change.path] if change.status == "A" else []
    inline = {path: found for path in source if (found := _inline_tests(trees, base_tree, tree, path))}
    source = [path for path in source if path not in inline or inline[path].changes_code]
    diff = trees.diff(base_tree, tree, source) if source else ""
    if edited_tests:
        extended |= edited_test_files(trees, base_tree, tree)
        inline = {path: replace(one, counts=True) for path, one in inline.items()}
    support: list[str] = []
    if edited_tests:
        existing = trees.files(tree)
        apart = {*extended, *scripts}
        support = [path for path in kept_out if path in existing and path not in apart and is_test(path)]
        support = [path for path in support if not is_test_config(path) and not is_run_by(command, path)]
    parts = tuple(source), tuple(added), tuple(tests), tuple(kept_out)
    return PatchParts(*parts, diff, extended, tuple(support), inline)


def shipped_tree(trees: Trees, base: str, tree: str, parts: PatchParts) -> str:
    """Return the base with the source part of a patch; files with tests of their own keep those of the base."""
    changed_code = {path: one.with_code for path, one in parts.inline.items() if one.changes_code}
    return trees.write(changed_code, trees.overlay(base, tree, parts.source))


def _inline_tests(trees: Trees, base_tree: str, tree: str, path: str) -> InlineTests | None:
    """Return the parts of a change to a file with tests of its own; a new file is no change."""
    if not path.endswith(INLINE) or not (trees.entry(base_tree, path) and trees.entry(tree, path)):
        return None
    with suppress(OSError, UsageError):
        return split_inline_tests(path, trees.read(base_tree, path), trees.read(tree, path))
    return None


def read_text(trees: Trees, tree: str, path: str) -> str:
    """Return the text of a file; "" if there is no such file or it is too large."""
    with suppress(OSError, UsageError):
        return trees.read(tree, path).decode("utf-8", "replace")
    return ""


RUN_ALONE = 5
"""Number of related test files that run one by one if they cannot run together."""
SLACK = 3
"""Factor by which later runs of a large suite may exceed the time limit of the first run."""


class PageEvidence(NamedTuple):
    """What a comparison of the project's pages without and with the patch adds to a verdict.

    A `doubt` if a page changed where the issue does not ask for it, a `fact`, and what was `compared`, such as
    `12 views of 4 pages`; each is "" or None if there is none.
    """

    doubt: str | Fact = ""
    fact: Fact | None = None
    compared: str = ""


@dataclass(slots=True)
class ProofRun:
    """The trees, settings and findings of one proof.

    `base` is the tree before the patch; `shipped` adds the source hunks to it, `without` adds only the new tests, and
    `proved` adds both. The suite runs at `shipped`, since a new test file could replace a module that the patch breaks.
    In the functions of a proof, `before` is a workspace in which the patched code never runs, and `after` is one in
    which it does.

    The whole suite has `spare` seconds without the patch. If it needs more, the test files related to the patch, which
    `find_related` returns, run on their own too, so that they always get a result.

    `unbuilt` are tests that are not built without the patch. `is_unsteady` tells whether a test both passed and failed
    with the same files. `missing_names` are the names that are missing in all reproducing tests without the patch;
    there are none if one fails for another reason.
    """

    trees: Trees
    issue: Issue
    parts: PatchParts
    base: str
    shipped: str
    without: str
    proved: str
    command: str
    timeout: float
    say: Callable[[str], None]
    spare: float = 60.0
    find_related: Callable[[], tuple[str, ...]] = tuple
    _related: tuple[str, ...] | None = None
    node_command: str = ""
    by_code: bool = False
    is_unsteady: bool = False
    unbuilt: set[str] = field(default_factory=set)
    missing_names: frozenset[str] = frozenset()
    defined: frozenset[str] | None = None
    facts: list[Fact] = field(default_factory=list)
    doubts: list[Fact] = field(default_factory=list)
    failures: dict[str, TestResult] = field(default_factory=dict)

    def text(self, tree: str, path: str) -> str:
        """Return the text of a file; "" if it does not exist."""
        return read_text(self.trees, tree, path)

    def add(self, fact: Fact) -> None:
        """Add a fact, unless one with the same words is known."""
        if all(fact.text != known.text for known in self.facts):
            self.facts.append(fact)

    def note(self, text: str) -> None:
        """Add a limit of the proof that no reader tells apart from others."""
        self.add(Fact("limit", text))

    def add_first(self, text: str) -> None:
        """Add a limit that explains what follows, before all other facts."""
        if all(text != known.text for known in self.facts):
            self.facts.insert(0, Fact("limit", text))

    def doubt(self, reason: str | Fact) -> None:
        """Add a reason not to rely on the test results: the verdict is unproven."""
        doubt = Fact("doubt", reason) if isinstance(reason, str) else reason
        self.add(doubt)
        self.doubts.append(doubt)

    def failed(self, report: SuiteReport | None, ids: Iterable[str]) -> None:
        """Record how these tests failed with the patch, for the report."""
        for id in ids:
            if (result := report.find(id) if report else None) and result.bad:
                self.failures.setdefault(id, result)

    def suite_seconds(self, slack: int = 1) -> float:
        """Return the time limit of the whole suite."""
        return min(self.timeout, slack * self.spare)

    @property
    def related(self) -> tuple[str, ...]:
        """The test files related to the patch."""
        if self._related is None:
            self._related = self.find_related()
        return self._related

    def suite(self, workspace: Workspace, nodes: Sequence[str] = (), slack: int = 1) -> SuiteReport | None:
        """Run the suite with the command, or only `nodes` of it; return None if there are no tests.

        `slack` multiplies the time limit of the suite, so that a repeated run does not time out.
        """
        try:
            if nodes:
                report = run_tests(workspace, self.command, nodes, self.timeout)
            else:
                report = run_tests(workspace, self.command, (), self.suite_seconds(slack))
        except UsageError as error:
            self.note(f"{error.message} {error.fix}".strip())
            return None
        self.take(report)
        nothing_found = not report.results and report.complete and not self.by_code
        return None if nothing_found else report

    def completed(self, workspace: Workspace, tree: str, report: SuiteReport) -> SuiteReport:
        """Return the report of the suite at `tree`; if it was cut off, with a run of the related test files.

        If no test of them runs, the first ones run one by one: a runner may refuse all files because of one. If there
        is no result at all, the suite runs again with the whole time limit: some runners build everything first, and an
        exit code alone is known at the end only.
        """
        if not report.timed_out:
            return report
        if self.related:
            side = "without" if tree == self.base else "with"
            self.say(ActivityMessage(f"Running the related tests {side} the patch"))
        for nodes in (self.related, *((path,) for path in self.related[:RUN_ALONE])) if self.related else ():
            workspace.restore(tree)
            found = run_tests(workspace, report.command, nodes, self.timeout)
            if found.results:
                report = found.joined(report) if report.results else replace(found, complete=False, timed_out=True)
            if nodes == self.related and (found.results or found.granularity == "command"):
                break
        if all(result.cut for result in report.results) and report.seconds < self.timeout:
            workspace.restore(tree)
            report = run_tests(workspace, report.command, (), self.timeout)
        self.take(report)
        return report

    def take(self, report: SuiteReport) -> None:
        """Use the command of this suite report for all later runs."""
        self.command = report.command
        self.by_code = report.granularity == "command"

    def only(
        self, workspace: Workspace, nodes: Sequence[str], tree: str, each: float | None = None
    ) -> SuiteReport | None:
        """Run single tests at `tree` with the suite's command or a detected one; return None if neither works.

        Each test may take `each` seconds.
        """
        workspace.restore(tree)
        usable = [] if self.by_code else [self.command]
        for command in [self.node_command] if self.node_command else dict.fromkeys([*usable, ""]):
            try:
                report = run_tests(workspace, command, nodes, self.timeout, each)
            except ServerNotStarted as error:
                self.add_first(f"{error.message} {error.fix}")
                continue
            except UsageError:
                continue
            if why := broken_browser(report):
                self.add_first(f"The tests could not use a browser: {why}")
            if report.results:
                self.node_command = report.command
                return report
        return None

    def code(self, workspace: Workspace, tree: str) -> int:
        """Return the exit code of the suite's command at `tree`."""
        workspace.restore(tree)
        return run_tests(workspace, self.command, timeout=self.timeout).code


def base_sources(trial: ProofRun) -> dict[str, str]:
    """Return the texts of up to MOST_SOURCES Python source files of the base, without tests."""
    files = trial.trees.files(trial.base)
    paths = (path for path in files if path.endswith(".py") and not is_test(path))
    small = (path for path in paths if files[path].size < MOST_SOURCE_BYTES)
    return {path: trial.text(trial.base, path) for path in islice(small, MOST_SOURCES)}


def fork_for_tests(fork: Callable[[str], Workspace], tree: str) -> Workspace:
    """Open a fresh workspace in which tests will run."""
    workspace = fork(tree)
    workspace.expect(HARNESS_SESSION)
    return workspace


def passes(report: SuiteReport | None, id: str) -> bool:
    result = report.find(id) if report else None
    return bool(result and result.ok)


def fails(report: SuiteReport | None, id: str) -> bool:
    result = report.find(id) if report else None
    return bool(result and result.bad and not result.cut)


def was_not_reached(report: SuiteReport | None, id: str) -> bool:
    """Whether a run timed out before the test had a result."""
    result = report.find(id) if report else None
    return bool(report and report.timed_out and (result is None or result.cut))


def format_names(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
