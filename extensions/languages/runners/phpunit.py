"""Hook for PHPUnit, which writes a JUnit XML report into the output folder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import count

from aci.testing.junit_reports import junit_lines
from aci.testing.runner_hooks import Hook, RunnerRequest, program_call
from aci.testing.suite_results import Line

CALL = re.compile(program_call(r"(?:simple-)?phpunit(?:\.phar)?"))


def hook(request: RunnerRequest, command: str) -> Hook | None:
    if not CALL.search(command):
        return None
    narrowing: list[str] = []
    names = [re.escape(name) for node in request.nodes if (name := node.partition("::")[2])]
    if names and len(names) == len(request.nodes):
        narrowing = ["--filter", f"/::({'|'.join(names)})( with data set .*)?$/"]
    reports = (["--log-junit", f"{request.out}/phpunit-{number}.xml"] for number in count(1))
    return Hook(CALL.sub(lambda call: f"{call[1]} {shlex.join([*next(reports), *narrowing])}", command))


def read(request: RunnerRequest, path: str, data: bytes) -> Iterator[Line]:
    yield from junit_lines(request, path, data)
