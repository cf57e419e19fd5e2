"""Maven: narrowed by `-Dtest`, all modules to their end; its reports are read as all in JUnit's form."""

from __future__ import annotations

import re
import shlex

from aci.junit import class_of
from aci.runner import Asked, Hook

CALL = re.compile(r"(?<![\w./-])((?:[\w.-]*/)*mvnw?)(?=\s)")


def hook(asked: Asked, command: str) -> Hook | None:
    if not CALL.search(command):
        return None
    added = ["--fail-at-end"]
    tests = [test for node in asked.nodes if (test := _test(node))]
    if tests:
        added += [f"-Dtest={','.join(tests)}", "-DfailIfNoTests=false", "-Dsurefire.failIfNoSpecifiedTests=false"]
    return Hook(CALL.sub(lambda call: f"{call[1]} {shlex.join(added)}", command), reports=("TEST-*.xml",))


def _test(node: str) -> str:
    """`pkg.Class#method*` for a test's id, `pkg.Class` for a class or a source file; "" for what is neither."""
    group, method = class_of(node)
    return f"{group}#{method}*" if method else group
