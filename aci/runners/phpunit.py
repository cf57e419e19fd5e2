"""Hook for PHPUnit, which writes a JUnit XML report into the output folder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from aci.testing.junit_reports import junit_lines
from aci.testing.runner_hooks import Hook, RunnerRequest
from aci.testing.suite_results import Line

CALL = re.compile(r"(?<![\w.-])((?:[\w.-]*/)*phpunit(?:\.phar)?)(?=\s|$)")


def hook(request: RunnerRequest, command: str) -> Hook | None:
    if not CALL.search(command):
        return None
    added = ["--log-junit", f"{request.out}/phpunit-report.xml"]
    names = [re.escape(name) for node in request.nodes if (name := node.partition("::")[2])]
    if names and len(names) == len(request.nodes):
        added += ["--filter", f"/::({'|'.join(names)})( with data set .*)?$/"]
    return Hook(CALL.sub(lambda call: f"{call[1]} {shlex.join(added)}", command))


def read(request: RunnerRequest, path: str, data: bytes) -> Iterator[Line]:
    yield from junit_lines(request, path, data)
