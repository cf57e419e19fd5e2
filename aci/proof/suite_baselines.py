"""Cache of the suite's results without and with a patch, shared by the proofs of a run, some of which run at the same
time."""

from __future__ import annotations

from collections import UserDict
from threading import Lock

from aci.testing.suite_run import SuiteReport

MOST_PATCHED = 8
"""Maximum number of reports of suites with a patch; the report of a large suite takes megabytes."""


class Baselines(UserDict[object, SuiteReport | None]):
    """Suite reports without a patch, by the key of their run. Hold the lock from `lock_for` while adding a missing
    report, so that other threads wait and then find it.

    Reports with a patch are kept apart: see `keep_patched`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._patched: dict[object, SuiteReport] = {}
        self._locks: dict[object, Lock] = {}
        self._guard = Lock()

    def lock_for(self, key: object) -> Lock:
        """Return the lock to hold while creating the report with this key."""
        with self._guard:
            return self._locks.setdefault(key, Lock())

    def find_patched(self, key: object) -> SuiteReport | None:
        """Return the suite's report with a patch, if a proof has kept it."""
        with self._guard:
            return self._patched.get(key)

    def keep_patched(self, key: object, report: SuiteReport | None) -> None:
        """Keep the suite's report with a patch for later proofs of the same source; None discards it.

        The report of a suite that timed out or crashed is not kept: the next proof runs the suite again.
        """
        with self._guard:
            self._patched.pop(key, None)
            if report and report.complete and report.ended_well and not report.timed_out:
                self._patched[key] = report
            for oldest in list(self._patched)[:-MOST_PATCHED]:
                del self._patched[oldest]
