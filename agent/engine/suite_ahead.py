"""Runs of the test suite while the model works, without and with the patch, which the proof then need not wait for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from aci.proof.proof_run import fork_for_tests
from aci.proof.suite_baselines import Baselines
from aci.proof.suite_selection import may_take_long
from aci.runtime.workspace import BackgroundTask, Workspace
from aci.testing.suite_run import run_tests
from agent.limits.cancellation import CancellationToken
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from trajectories.git_store.trees import Trees
    from trajectories.records import Step


class SuiteAhead:
    """Runs of the suite in workspaces of their own: without the patch, then with the files of the latest step in which
    tests passed.

    `fork` opens a workspace at a tree, and `known` gets the results.
    """

    def __init__(self, trees: Trees, known: Baselines, fork: Callable[[str, CancellationToken], Workspace]) -> None:
        self._trees, self._known, self._fork = trees, known, fork
        self._base: tuple[str, Settings, CancellationToken] | None = None
        self._without: BackgroundTask[None] | None = None
        self._patched: BackgroundTask[None] | None = None
        self._cancel_patched = CancellationToken()
        self._tree = ""

    def start(self, base: str, settings: Settings, parent: CancellationToken) -> None:
        """Start the run without the patch if there are many tests. Runs end when `parent` is set."""
        if self._base is None and may_take_long(self._trees, base):
            cancel = CancellationToken(parent)
            self._base = base, settings, cancel
            self._without = BackgroundTask(lambda: self._run(base, settings, cancel), "suite")

    def follow(self, step: Step) -> None:
        """Start the run with the files of a step in which tests passed; a step with other files ends it."""
        if self._base is None or step.tree == self._tree:
            return
        base, settings, parent = self._base
        self._cancel_patched.set()
        self._tree = ""
        passed = any(seen.data.get("passed") and not seen.data.get("failed") for seen in step.observations)
        if passed and step.tree != base:
            before, self._tree = self._patched, step.tree
            self._cancel_patched = cancel = CancellationToken(parent)
            self._patched = BackgroundTask(
                lambda: self._run_patched(base, step.tree, settings, before, cancel), "suite with the patch"
            )

    def stop(self) -> None:
        """End the runs that are in progress."""
        if self._base:
            self._base[2].set()
        for task in filter(None, (self._patched, self._without)):
            task.wait()
        self._base = self._without = self._patched = None
        self._tree = ""

    def _run(self, base: str, settings: Settings, cancel: CancellationToken) -> None:
        key = (base, settings.test)
        with self._known.lock_for(key), suppress(SweAgentError):  # the proof runs the suite, and says why it cannot
            if key in self._known:
                return
            self._known.take_stored(key, [*key, settings.test_timeout, settings.suite_time])
            if key not in self._known:
                with closing(fork_for_tests(lambda tree: self._fork(tree, cancel), base)) as workspace:
                    report = run_tests(workspace, settings.test, (), min(settings.suite_time, settings.test_timeout))
                if report.results or report.granularity == "command":
                    self._known[key] = report
                    self._known.own.add(key)

    def _run_patched(
        self, base: str, tree: str, settings: Settings, before: BackgroundTask[None] | None, cancel: CancellationToken
    ) -> None:
        from aci.proof.proof import run_suites

        for task in filter(None, (self._without, before)):
            task.wait()
        if cancel.is_set():
            return
        with suppress(SweAgentError):
            run_suites(
                lambda tree: self._fork(tree, cancel),
                self._trees,
                base,
                tree,
                command=settings.test,
                timeout=settings.test_timeout,
                spare=settings.suite_time,
                known=self._known,
            )
