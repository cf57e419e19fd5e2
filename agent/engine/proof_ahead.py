"""Work of the proof that is done while the model works: the suite without the patch, and the proof of the files in
which tests pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from aci.proof.proof_run import fork_for_tests
from aci.proof.suite_baselines import Baselines, suite_key
from aci.proof.suite_selection import may_take_long
from aci.runtime.workspace import BackgroundTask, Workspace
from aci.testing.suite_run import SuiteReport, run_tests
from agent.limits.cancellation import CancellationToken
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.config.settings import Settings
    from trajectories.git_store.trees import Trees
    from trajectories.records import Step
    from trajectories.verdict import Verdict

Say: TypeAlias = Callable[[str], None]
Fork: TypeAlias = Callable[[str], Workspace]
Proved: TypeAlias = "tuple[Verdict, Sequence[SuiteReport | None]]"
"""The verdict of a proof, and the reports of the suite without and with the patch."""
Prove: TypeAlias = Callable[[str, Fork, Say], Proved]
"""Proves a tree in workspaces of `Fork`, and says what it runs."""


class ProofAhead:
    """Runs in workspaces of their own: the suite without the patch, then the proof of the latest step in which tests
    passed. The next step with other files ends that proof.

    `fork` opens a workspace at a tree, and `known` gets the results of suites.
    """

    def __init__(self, trees: Trees, known: Baselines, fork: Callable[[str, CancellationToken], Workspace]) -> None:
        self._trees, self._known, self._fork = trees, known, fork
        self._base, self._parent = "", CancellationToken()
        self._suite: BackgroundTask[None] | None = None
        self._expected: tuple[str, Prove] | None = None
        self._proof: BackgroundTask[Proved | None] | None = None
        self._cancel_proof = CancellationToken()
        self._proved = "", ""
        self._say: Say = _say_nothing

    def start(self, base: str, settings: Settings, parent: CancellationToken, spare: float) -> None:
        """Allow runs until `parent` is set, and start the suite without the patch if there are many tests. It has
        `spare` seconds, as in the proof."""
        if self._base:
            return
        self._base, self._parent = base, CancellationToken(parent)
        if may_take_long(self._trees, base):
            self._suite = BackgroundTask(lambda: self._run_suite(base, settings, spare), "suite")

    def expect(self, parameters: str, prove: Prove) -> None:
        """State which proof a strategy will ask for: `parameters` identify it, apart from the tree."""
        self._expected = parameters, prove

    def follow(self, step: Step) -> None:
        """Start the expected proof with the files of a step in which tests passed; a step with other files ends it."""
        if not self._base or self._expected is None or step.tree == self._proved[0]:
            return
        parameters, prove = self._expected
        self._cancel_proof.set()
        self._proved = "", ""
        passed = any(seen.data.get("passed") and not seen.data.get("failed") for seen in step.observations)
        if passed and step.tree != self._base:
            earlier, self._proved = self._proof, (step.tree, parameters)
            self._cancel_proof = cancel = CancellationToken(self._parent)
            self._say = _say_nothing
            self._proof = BackgroundTask(lambda: self._prove(step.tree, prove, earlier, cancel), "proof")

    def take(self, tree: str, parameters: str, say: Say) -> Proved | None:
        """Wait for the proof of a tree, and return what it found; None if no such proof runs, or it could not be done.
        `say` gets what it still runs. A proof with other files or parameters is ended."""
        proof = self._proof
        if proof is None or self._proved != (tree, parameters):
            self._cancel_proof.set()
            self._proved = "", ""
            return None
        self._say = say
        return proof.answer(self._parent)

    def stop(self) -> None:
        """End the runs that are in progress."""
        self._parent.set()
        _wait_for(self._proof, self._suite)
        self._base, self._suite, self._expected, self._proof = "", None, None, None
        self._proved = "", ""

    def _run_suite(self, base: str, settings: Settings, spare: float) -> None:
        key = suite_key(base, settings.test, settings.test_timeout, spare)
        with self._known.lock_for(key), suppress(SweAgentError):  # the proof runs the suite, and says why it cannot
            if key in self._known:
                return
            self._known.take_kept(key)
            if key not in self._known:
                with closing(fork_for_tests(lambda tree: self._fork(tree, self._parent), base)) as workspace:
                    report = run_tests(workspace, settings.test, (), min(spare, settings.test_timeout))
                if report.results or report.granularity == "command":
                    self._known[key] = report
                    self._known.own.add(key)

    def _prove(
        self, tree: str, prove: Prove, earlier: BackgroundTask[Proved | None] | None, cancel: CancellationToken
    ) -> Proved | None:
        _wait_for(self._suite, earlier)
        with suppress(SweAgentError):  # the proof runs again, and says why it cannot
            cancel.check()
            found = prove(tree, lambda at: self._fork(at, cancel), lambda line: self._say(line))
            return None if cancel.is_set() else found
        return None


def _wait_for(*tasks: BackgroundTask[Any] | None) -> None:
    for task in filter(None, tasks):
        task.wait()


def _say_nothing(line: str) -> None:
    """Show nothing: the model still works."""
