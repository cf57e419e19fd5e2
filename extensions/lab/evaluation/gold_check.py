"""The check of instances with their gold patches before predictions are graded.

An instance whose tests fail with its gold patch, or pass without any patch, is unsuitable for grading and is
quarantined. The verdicts are stored under the run id `gold`, with the model names `gold` and `base`, and reused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from extensions.lab.evaluation.flakiness import (
    Names,
    flaky_tests,
    grade_all_repeats,
    grade_with_repeats,
    verdict_without_flaky,
)
from extensions.lab.evaluation.grading_store import GradingStore, key
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance
from trajectories.errors import WorkspaceError

RUN = "gold"
SHOWN = 3
WAYS = "setup", "install_config", "environment_setup_commit"
"""Additional columns of a row that determine how its tests are run."""

Grade = Callable[[Gold, Instance, str], GradingResult]
"""Applies a patch in a clean workspace and runs the instance's tests. An empty patch tests the base."""


@dataclass(frozen=True, slots=True)
class Case:
    """An instance with its gold patch and tests."""

    gold: Gold
    instance: Instance
    commit: str = ""
    """The commit that the base currently refers to, if the base is a branch or empty instead of a commit id."""

    def key(self, setup: str, *more: object) -> str:
        """Return a key for everything that a verdict depends on; `more` holds further values, such as the patch."""
        gold, each = self.gold, self.instance
        tests = gold.test_patch, gold.fail_to_pass, gold.pass_to_pass
        ways = (
            each.repo,
            self.commit or each.base,
            each.version,
            each.image,
            each.test,
            *(gold.row.get(name) for name in WAYS),
        )
        return key(setup, ways, tests, *more)


class GoldCheckFailed(WorkspaceError):
    """The machine failed, so the instance could not be checked."""


class GoldCheck:
    """Grades gold patches and bases.

    `setup` describes what else a verdict depends on; `repeats` is passed to `grade_with_repeats`. Thread-safe:
    predictions for the same instance wait for a single check of it.
    """

    def __init__(self, grade: Grade, directory: Path, setup: str, repeats: int) -> None:
        self._grade = grade
        self._store = GradingStore(directory, RUN)
        self._setup = setup
        self._repeats = repeats
        self._lock = Lock()
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    def reason(self, case: Case) -> str:
        """Return why the instance is unsuitable for grading patches; "" if it is suitable. Raises GoldCheckFailed."""
        patch = case.gold.patch
        if not patch.strip():
            return "it has no patch of its own"

        def own() -> GradingResult:
            tries = grade_with_repeats(lambda: self._grade(case.gold, case.instance, patch), self._repeats)
            return verdict_without_flaky(tries, flaky_tests(tries))

        if why := _failure(self._verdict(case, "gold", patch, own)):
            return why
        base = self._verdict(case, "base", "", lambda: self._grade(case.gold, case.instance, ""))
        if base.error:
            return f"its tests could not be run without a patch: {base.error}"
        solved = base.resolved or (base.f2p_ok and not base.f2p_failed)
        return "its tests pass without any patch" if solved else ""

    def own(self, case: Case, patch: str) -> GradingResult | None:
        """Return the stored verdict, with its log, if `patch` is the instance's gold patch and has been graded; else
        None."""
        if patch != case.gold.patch:
            return None
        return self._store.whole("gold", case.gold.id, self._key(case, patch))

    def flips(self, case: Case) -> Names:
        """Return the tests that pass in some tries and fail in others with the instance's gold patch."""
        patch = case.gold.patch
        if not patch.strip():
            return frozenset()

        def again() -> GradingResult:
            tries = grade_all_repeats(lambda: self._grade(case.gold, case.instance, patch), self._repeats)
            return verdict_without_flaky(tries, flaky_tests(tries))

        return frozenset(self._verdict(case, "gold-again", patch, again).flaky)

    def _verdict(self, case: Case, model: str, patch: str, grade: Callable[[], GradingResult]) -> GradingResult:
        name = self._key(case, patch)
        with self._lock:
            lock = self._locks[case.gold.id]
        with lock:
            graded = self._store.find(model, case.gold.id, name) or self._store.put(model, grade(), name, patch)
        if graded.infrastructure:
            raise GoldCheckFailed(graded.error)
        return graded

    def _key(self, case: Case, patch: str) -> str:
        return case.key(self._setup, patch, self._repeats)


def _failure(own: GradingResult) -> str:
    if own.error:
        return f"its own patch could not be judged: {own.error}"
    if not own.applied:
        return "its own patch does not apply"
    if own.resolved:
        return ""
    failed = own.f2p_failed + own.p2p_failed
    more = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    named = ", ".join(failed[:SHOWN])
    return f"its own patch fails {named}{more}" if failed else "its own patch fails its tests"
