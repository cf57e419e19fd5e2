"""Cache of the suite's results without and with a patch, shared by the proofs of a run, some of which run at the same
time; results without a patch are kept on disk for later runs."""

from __future__ import annotations

import json
import time
from collections import UserDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

from aci.testing.suite_run import SuiteReport, TestResult
from trajectories.errors import UsageError
from trajectories.file_limits import read_limited
from trajectories.git_store.git_commands import make_folder
from trajectories.journal import write_durably
from trajectories.plugins import extension_packages

MOST_PATCHED = 16
"""Maximum number of reports of suites with a patch; the report of a large suite takes megabytes."""
MOST_SECONDS = 7 * 24 * 3600.0
"""Age from which a report is not used any more."""
MOST_STORED = 50
"""Maximum number of reports that a folder holds."""
MOST_BYTES = 100_000_000
_LEFT_OUT = {"output", "facts", "_by_id"}
"""Fields that only reports of suites with an unusual end need."""


SuiteKey: TypeAlias = tuple[str, str, float, float]


def suite_key(base: str, command: str, timeout: float, spare: float) -> SuiteKey:
    """Return what the results of the suite without a patch depend on, apart from the environment and chance: the tree,
    the command, and the limits of each run and of the suite in seconds."""
    return base, command, timeout, spare


class BaselineStore:
    """Reports of suites without a patch, kept in `folder` for later runs of the user.

    `environment` returns a digest of what results depend on apart from the files of the base and the command; if it is
    empty, nothing is kept. Only proofs store reports: their forks run no action of a model before.
    """

    def __init__(self, folder: Path, environment: Callable[[], str]) -> None:
        self._folder, self._environment = folder, environment

    def load(self, key: object) -> SuiteReport | None:
        """Return the stored report of a key; None if there is none, or it cannot be read."""
        if not (file := self._file(key)):
            return None
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > MOST_SECONDS:
                return None
        with suppress(OSError, UsageError, ValueError, TypeError, LookupError, RecursionError):
            data = json.loads(read_limited(file, MOST_BYTES))
            results = [TestResult(**{**each, "trace": tuple(each["trace"])}) for each in data.pop("results")]
            return SuiteReport(tuple(results), **{**data, "codes": tuple(data["codes"])})
        return None

    def save(self, key: object, report: SuiteReport) -> None:
        """Store a report. A folder that cannot be written is ignored: the next run repeats the tests."""
        if not (file := self._file(key)):
            return
        data: dict[str, Any] = {each.name: getattr(report, each.name) for each in fields(report)}
        data = {name: value for name, value in data.items() if name not in _LEFT_OUT}
        data["results"] = [
            {each.name: getattr(result, each.name) for each in fields(result)} for result in report.results
        ]
        with suppress(OSError):
            make_folder(self._folder, 0o700)
            write_durably(file, json.dumps(data).encode())
            for oldest in sorted(self._folder.glob("*.json"), key=lambda each: -each.stat().st_mtime)[MOST_STORED:]:
                oldest.unlink()

    def discard(self, key: object) -> None:
        """Remove a stored report, if there is one."""
        if file := self._file(key):
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def _file(self, key: object) -> Path | None:
        environment = self._environment()
        digest = sha256(json.dumps([environment, key, _recorders()]).encode()).hexdigest()[:32]
        return self._folder / f"{digest}.json" if environment else None


@cache
def _recorders() -> str:
    """Return a digest of the programs that name and report tests: another version may name them otherwise."""
    made = sha256()
    of_extensions = (".".join(package.split(".")[:2]) for package in extension_packages("aci.runners"))
    for package in ("aci.guest", "aci.runners", "aci.testing", *of_extensions):
        sources = sorted(path for path in Path(str(files(package))).rglob("*") if path.parent.name != "__pycache__")
        for path in sources:
            made.update(path.read_bytes() if path.is_file() else b"")
    return made.hexdigest()


class Baselines(UserDict[object, SuiteReport | None]):
    """Suite reports without a patch, by the key of their run. Hold the lock from `lock_for` while adding a missing
    report, so that other threads wait and then find it.

    Reports with a patch are kept apart: see `keep_patched`. `store` keeps those without for later runs. `stored` are
    the keys of reports that an earlier run stored, and `own` those of reports from fresh workspaces of this run.
    """

    def __init__(self, store: BaselineStore | None = None) -> None:
        super().__init__()
        self.store = store
        self.stored: set[object] = set()
        self.own: set[object] = set()
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

    def take_kept(self, key: object) -> None:
        """Use the report of these files from an earlier proof, in which they were the patched ones, or else from an
        earlier run, if there is one that was not refused before."""
        if patched := self.find_patched(key):
            self[key] = patched
            return
        report = self.store.load(key) if self.store and key not in self.stored else None
        if report:
            self[key] = report
            self.stored.add(key)

    def forget(self, key: object) -> None:
        """Drop a stored report, which the next proof makes anew."""
        self.pop(key, None)

    def keep(self, key: object, report: SuiteReport, patched: SuiteReport | None) -> None:
        """Store a report without a patch for later runs; what was stored is discarded if the results are not stable.

        They are stable if the suite ended, and the tests that fail in it fail `patched` too.
        """
        if self.store is None:
            return
        bad = set(report.failed)
        ended = report.granularity == "test" and report.complete and report.ended_well and not report.timed_out
        if ended and report.results and not report.facts and patched and bad <= set(patched.failed):
            self.store.save(key, report)
        else:
            self.store.discard(key)
