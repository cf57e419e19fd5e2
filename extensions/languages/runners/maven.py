"""Hook for Maven, which writes JUnit XML reports; `-Dtest` selects tests, `-Dit.test` those that the phase `verify`
runs, and `--fail-at-end` runs all modules even if one fails."""

from __future__ import annotations

import re
import shlex

from aci.testing.junit_reports import jvm_class
from aci.testing.runner_hooks import Hook, RunnerRequest

CALL = re.compile(r"(?<![\w./-])((?:[\w.-]*/)*mvnw?)(?=\s)")

VERIFY = re.compile(r"\sverify\b")


def hook(request: RunnerRequest, command: str) -> Hook | None:
    if not CALL.search(command):
        return None
    added = ["--fail-at-end"]
    tests = [test for node in request.nodes if (test := _test(node))]
    if tests:
        selected = ",".join(tests)
        added += [f"-Dtest={selected}", "-DfailIfNoTests=false", "-Dsurefire.failIfNoSpecifiedTests=false"]
        if VERIFY.search(command):
            added += [f"-Dit.test={selected}", "-Dfailsafe.failIfNoSpecifiedTests=false"]
    return Hook(CALL.sub(lambda call: f"{call[1]} {shlex.join(added)}", command), reports=("TEST-*.xml",))


def _test(node: str) -> str:
    """Return `pkg.Class#method*` for a test's id, `pkg.Class` for a class or a source file, else ""."""
    group, method = jvm_class(node)
    return f"{group}#{method}*" if method else group
