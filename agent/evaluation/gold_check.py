"""The instances' own patches, graded first: what does not tell a right patch from none, or fails it, tells nothing.

Their verdicts lie under the run id `gold`, as models `gold` and `base`, and are not come to twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from agent.batch.instances import Gold
from agent.batch.place import Instance
from agent.evaluation.graded import Graded
from agent.evaluation.repeats import Names, changing, judged, steadily, tried
from agent.evaluation.shelf import Shelf, key
from trajectories.errors import WorkspaceError

RUN = "gold"
SHOWN = 3
WAYS = "setup", "install_config", "environment_setup_commit"
"""What else of a row says how its tests are run."""

Grade = Callable[[Gold, Instance, str], Graded]
"""Applies a patch in a clean workspace and runs the instance's tests. "" is the base with the tests alone."""


@dataclass(frozen=True, slots=True)
class Case:
    """An instance with what judges it."""

    gold: Gold
    instance: Instance
    commit: str = ""
    """What the base names now, where that is no commit's id: a branch, or none, is another one tomorrow."""

    def key(self, setup: str, *more: object) -> str:
        """What a verdict on it depends on, beside the patch."""
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


class Unchecked(WorkspaceError):
    """The machine failed, which says nothing about the instance."""


class GoldCheck:
    """Grades gold patches and bases. `setup` names what else a verdict depends on; `repeats` as in `tried`.

    Safe to share between threads: several predictions of an instance wait for one verdict.
    """

    def __init__(self, grade: Grade, directory: Path, setup: str, repeats: int) -> None:
        self._grade = grade
        self._shelf = Shelf(directory, RUN)
        self._setup = setup
        self._repeats = repeats
        self._lock = Lock()
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    def reason(self, case: Case) -> str:
        """Why the instance says nothing about a patch; "" where it does. Raises Unchecked."""
        patch = case.gold.patch
        if not patch.strip():
            return "it has no patch of its own"

        def own() -> Graded:
            tries = tried(lambda: self._grade(case.gold, case.instance, patch), self._repeats)
            return judged(tries, changing(tries))

        if why := _failing(self._kept(case, "gold", patch, own)):
            return why
        base = self._kept(case, "base", "", lambda: self._grade(case.gold, case.instance, ""))
        if base.error:
            return f"its tests could not be run without a patch: {base.error}"
        solved = base.resolved or (base.f2p_ok and not base.f2p_failed)
        return "its tests pass without any patch" if solved else ""

    def own(self, case: Case, patch: str) -> Graded | None:
        """The verdict on the instance's own patch, with its log, where `patch` is that one and is graded already."""
        if patch != case.gold.patch:
            return None
        return self._shelf.whole("gold", case.gold.id, self._key(case, patch))

    def flips(self, case: Case) -> Names:
        """The tests that pass and fail with the instance's own patch, in as many tries as are made."""
        patch = case.gold.patch
        if not patch.strip():
            return frozenset()

        def again() -> Graded:
            tries = steadily(lambda: self._grade(case.gold, case.instance, patch), self._repeats)
            return judged(tries, changing(tries))

        return frozenset(self._kept(case, "gold-again", patch, again).flaky)

    def _kept(self, case: Case, model: str, patch: str, grade: Callable[[], Graded]) -> Graded:
        name = self._key(case, patch)
        with self._lock:
            lock = self._locks[case.gold.id]
        with lock:
            graded = self._shelf.find(model, case.gold.id, name) or self._shelf.put(model, grade(), name, patch)
        if graded.infrastructure:
            raise Unchecked(graded.error)
        return graded

    def _key(self, case: Case, patch: str) -> str:
        return case.key(self._setup, patch, self._repeats)


def _failing(own: Graded) -> str:
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
