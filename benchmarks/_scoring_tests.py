"""Scores a file of tests, in the Python that runs it: coverage of a module, and which mutants of it fail a test.

Run as a program: `python _scoring_tests.py JOB.json`, with pytest and coverage. Each run is a forked child of this
process, in which nothing of the module is imported yet. It answers on its last line, as JSON.
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

LONGEST = 12
"""Seconds that the tests may take on one mutant."""


class Outcomes:
    """Which tests passed."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.when == "call":
            self.passed.add(report.nodeid)


def forked(work: Callable[[], Any]) -> Any:
    """What `work()` gives in a child, or None where it takes too long or dies."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setsid()
            signal.alarm(LONGEST)
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
    """(passed, failed) tests."""
    outcomes = Outcomes()
    words = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "-W", "ignore", *tests]
    pytest.main([*words, *(f"--deselect={one}" for one in without), *(["-x"] if first else [])], plugins=[outcomes])
    return sorted(outcomes.passed - outcomes.failed), sorted(outcomes.failed)


def covered(tests: Sequence[str], without: Sequence[str], path: str) -> list[int]:
    """Lines and branches of the file: (reached, all) of each."""
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
    target, tests = Path(job["root"]) / job["path"], job["tests"]
    whole = target.read_bytes()
    once: list[list[str]]
    again: list[list[str]]
    once, again = [forked(lambda: run(tests)) or [[], []] for _ in range(2)]
    good = set(once[0]) & set(again[0])
    bad = sorted({*once[0], *once[1], *again[0], *again[1]} - good)
    found: dict[str, Any] = {
        "tests": len(good),
        "unsteady": len(bad),
        "coverage": None,
        "killed": 0,
        "mutants": len(job["mutants"]),
    }
    if good:
        found["coverage"] = forked(lambda: covered(tests, bad, str(target)))
        try:
            for text in job["mutants"]:
                target.write_text(text)
                ended = forked(lambda: run(tests, bad, first=True))
                found["killed"] += ended is None or bool(ended[1]) or not ended[0]
        finally:
            target.write_bytes(whole)
    sys.stdout.write("\n" + json.dumps(found) + "\n")


main(sys.argv[1])
