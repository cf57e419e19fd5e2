"""Gradle: narrowed by `--tests`, all projects to their end; its reports are read as all in JUnit's form."""

from __future__ import annotations

import re
import shlex

from aci.junit import class_of
from aci.runner import Asked, Hook

CALL = re.compile(r"(?<![\w./-])((?:[\w.-]*/)*gradlew?)(?=\s)([^;&|\n]*)")


def hook(asked: Asked, command: str) -> Hook | None:
    match = CALL.search(command)
    if not match:
        return None
    added = ["--continue", "--offline"]
    for test in filter(None, map(_test, asked.nodes)):
        added += ["--tests", test]
    # A task that is up to date writes no report: it is to run in any case.
    words = f"{match[1]}{match[2].rstrip()} {shlex.join(added)} --rerun-tasks "
    return Hook(command[: match.start()] + words + command[match.end() :], reports=("TEST-*.xml",))


def _test(node: str) -> str:
    """`pkg.Class.method` for a test's id, `pkg.Class` for a class or a source file; "" for what is neither."""
    return ".".join(filter(None, class_of(node)))
