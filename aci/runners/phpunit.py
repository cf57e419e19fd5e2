"""PHPUnit: it writes JUnit's form into a file of ours."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from aci.junit import junit_lines
from aci.report import Line
from aci.runner import Asked, Hook

CALL = re.compile(r"(?<![\w.-])((?:[\w.-]*/)*phpunit(?:\.phar)?)(?=\s|$)")


def hook(asked: Asked, command: str) -> Hook | None:
    if not CALL.search(command):
        return None
    added = ["--log-junit", f"{asked.out}/phpunit-report.xml"]
    names = [re.escape(name) for node in asked.nodes if (name := node.partition("::")[2])]
    if names and len(names) == len(asked.nodes):
        added += ["--filter", f"/::({'|'.join(names)})( with data set .*)?$/"]
    return Hook(CALL.sub(lambda call: f"{call[1]} {shlex.join(added)}", command))


def read(asked: Asked, path: str, data: bytes) -> Iterator[Line]:
    yield from junit_lines(asked, path, data)
