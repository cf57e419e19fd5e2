"""Hook for Gradle, which writes JUnit XML reports; `--tests` selects tests, and `--continue` runs all projects even if
one fails."""

from __future__ import annotations

import re
import shlex

from aci.testing.junit_reports import jvm_class
from aci.testing.runner_hooks import Hook, RunnerRequest

CALL = re.compile(r"(?<![\w./-])((?:[\w.-]*/)*gradlew?)(?=\s)([^;&|\n]*)")


def hook(request: RunnerRequest, command: str) -> Hook | None:
    match = CALL.search(command)
    if not match:
        return None
    added = ["--continue", "--offline"]
    for test in filter(None, map(_test, request.nodes)):
        added += ["--tests", test]
    # A task that is up to date writes no report, so every task is run again.
    words = f"{match[1]}{match[2].rstrip()} {shlex.join(added)} --rerun-tasks "
    return Hook(command[: match.start()] + words + command[match.end() :], reports=("TEST-*.xml",))


def _test(node: str) -> str:
    """Return `pkg.Class.method` for a test's id, `pkg.Class` for a class or a source file, else ""."""
    return ".".join(filter(None, jvm_class(node)))
