"""Scores of a file of tests: coverage of a module, and the number of its mutants that fail a test.

Usage: `python _scoring_tests.py JOB.json`, with a Python that has pytest and coverage. Each run is a forked child of
this process, which does not import the module. The last line of the output is the result as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import coverage
import pytest

TIMEOUT, LOADED = 12, 10
"""CPU seconds that the tests may take on one mutant, and the factor for wall-clock seconds, since the machine may be
busy."""


class Outcomes:
    """Pytest plugin that records which tests pass and fail."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.when == "call":
            self.passed.add(report.nodeid)


def run_forked(work: Callable[[], Any]) -> Any:
    """Return the result of `work()` in a child process, or None if it takes too long or dies."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setsid()
            signal.setitimer(signal.ITIMER_PROF, TIMEOUT)
            signal.alarm(LOADED * TIMEOUT)
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            os.write(writes, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        data = pipe.read()
    with suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(data) if data else None


def run(tests: Sequence[str], without: Sequence[str] = (), first: bool = False) -> tuple[list[str], list[str]]:
    """Run the tests and return those that passed and those that failed."""
    outcomes = Outcomes()
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "-W", "ignore", *tests]
    pytest.main([*options, *(f"--deselect={one}" for one in without), *(["-x"] if first else [])], plugins=[outcomes])
    return sorted(outcomes.passed - outcomes.failed), sorted(outcomes.failed)


def measure_coverage(tests: Sequence[str], without: Sequence[str], path: str) -> list[int]:
    """Return the covered and all lines, then the covered and all branches of the file."""
    measure = coverage.Coverage(branch=True, include=[path], data_file=None, config_file=False)
    measure.start()
    run(tests, without)
    measure.stop()
    numbers = measure._analyze(path).numbers
    lines = numbers.n_statements - numbers.n_missing, numbers.n_statements
    return [*lines, numbers.n_executed_branches, numbers.n_branches]


def main(file: str) -> None:
    job = json.loads(Path(file).read_text())
    os.chdir(job["root"])
    sys.path[:0] = job["path_entries"]
    sys.dont_write_bytecode = True
    # Each child would import the plugins that are installed, for longer than the tests take.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    target, tests = Path(job["root"]) / job["path"], job["tests"]
    original = target.read_bytes()
    first: list[list[str]]
    second: list[list[str]]
    first, second = [run_forked(lambda: run(tests)) or [[], []] for _ in range(2)]
    stable = set(first[0]) & set(second[0])
    unstable = sorted({*first[0], *first[1], *second[0], *second[1]} - stable)
    result: dict[str, Any] = {
        "tests": len(stable),
        "unsteady": len(unstable),
        "coverage": None,
        "killed": 0,
        "mutants": len(job["mutants"]),
    }
    if stable:
        result["coverage"] = run_forked(lambda: measure_coverage(tests, unstable, str(target)))
        try:
            for text in job["mutants"]:
                target.write_text(text)
                outcome = run_forked(lambda: run(tests, unstable, first=True))
                result["killed"] += outcome is None or bool(outcome[1]) or not outcome[0]
        finally:
            target.write_bytes(original)
    sys.stdout.write("\n" + json.dumps(result) + "\n")


main(sys.argv[1])
