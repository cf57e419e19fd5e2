"""Any other command: reports in JUnit's form that it writes into the repository."""

from __future__ import annotations

from collections.abc import Iterator

from aci.junit import junit_lines
from aci.report import Line
from aci.runner import Asked, Hook


def hook(asked: Asked, command: str) -> Hook:
    return Hook(command, reports=("TEST-*.xml", "junit*.xml", "*-junit.xml", "test-results.xml"))


def read(asked: Asked, path: str, data: bytes) -> Iterator[Line]:
    yield from junit_lines(asked, path, data)
