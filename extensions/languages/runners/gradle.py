"""Hook for Gradle, which writes JUnit XML reports; `--tests` selects tests, and `--continue` runs all projects even if
one fails."""

from __future__ import annotations

import re
import shlex

from aci.testing.junit_reports import jvm_class
from aci.testing.runner_hooks import Hook, RunnerRequest

CALL = re.compile(r"(?<![\w./-])((?:[\w.-]*/)*gradlew?)(?=\s)([^;&|\n]*)")

ALL_TESTS, JVM_TESTS = " allTests", "jvmTest"
"""Kotlin's task for all platforms, which selects no tests, and that for one platform, which does. Each task has its own
`--tests`."""


def hook(request: RunnerRequest, command: str) -> Hook | None:
    match = CALL.search(command)
    if not match:
        return None
    tests = [word for test in filter(None, map(_test, request.nodes)) for word in ("--tests", test)]
    tasks, flags = match[2].rstrip(), ["--continue", "--offline"]
    if tests and ALL_TESTS in tasks:
        tasks = tasks.replace(ALL_TESTS, f" {shlex.join(tests)} {JVM_TESTS}")
    # A task that is up to date writes no report, so every task is run again.
    words = f"{match[1]}{tasks} {shlex.join([*flags, *tests])} --rerun-tasks "
    return Hook(command[: match.start()] + words + command[match.end() :], reports=("TEST-*.xml",))


def _test(node: str) -> str:
    """Return `pkg.Class.method` for a test's id, `pkg.Class` for a class or a source file, else ""."""
    return ".".join(filter(None, jvm_class(node)))
