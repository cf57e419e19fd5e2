"""Cache of the suite's results without a patch, shared by the proofs of several attempts that run at the same time."""

from __future__ import annotations

from collections import UserDict
from threading import Lock

from aci.testing.suite_run import SuiteReport


class Baselines(UserDict[object, SuiteReport | None]):
    """Suite reports, by the key of their run. Hold the lock from `lock_for` while adding a missing report, so that
    other threads wait and then find it."""

    def __init__(self) -> None:
        super().__init__()
        self._locks: dict[object, Lock] = {}
        self._guard = Lock()

    def lock_for(self, key: object) -> Lock:
        """Return the lock to hold while creating the report with this key."""
        with self._guard:
            return self._locks.setdefault(key, Lock())
