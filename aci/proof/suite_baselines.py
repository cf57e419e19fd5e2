"""What suites did without a patch: run once, also where the proofs of several attempts want it at the same time."""

from __future__ import annotations

from collections import UserDict
from threading import Lock

from aci.testing import Report


class Baselines(UserDict[object, Report | None]):
    """Reports by what was run. Who finds one missing makes it `alone`: others wait, and find it."""

    def __init__(self) -> None:
        super().__init__()
        self._locks: dict[object, Lock] = {}
        self._making = Lock()

    def alone(self, key: object) -> Lock:
        """Held by the one who makes the report."""
        with self._making:
            return self._locks.setdefault(key, Lock())
