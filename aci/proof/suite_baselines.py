"""Cache of the suite's results without a patch, shared by the proofs of several attempts that run at the same time."""

from __future__ import annotations

from collections import UserDict
from threading import Lock

from aci.testing.suite_run import SuiteReport


class Baselines(UserDict[object, SuiteReport | None]):
    """Reports by key of the run. To add a missing report, hold `lock_for` its key: other threads wait, and then find
    the report."""

    def __init__(self) -> None:
        super().__init__()
        self._locks: dict[object, Lock] = {}
        self._guard = Lock()

    def lock_for(self, key: object) -> Lock:
        """Return the lock to hold while making the report."""
        with self._guard:
            return self._locks.setdefault(key, Lock())
