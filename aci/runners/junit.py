"""Hook for any other command: reads the JUnit XML reports that it writes into the repository."""

from __future__ import annotations

from collections.abc import Iterator

from aci.testing.junit_reports import junit_lines
from aci.testing.runner_hooks import Hook, RunnerRequest
from aci.testing.suite_results import Line


def hook(request: RunnerRequest, command: str) -> Hook:
    return Hook(command, reports=("TEST-*.xml", "junit*.xml", "*-junit.xml", "test-results.xml"))


def read(request: RunnerRequest, path: str, data: bytes) -> Iterator[Line]:
    yield from junit_lines(request, path, data)
