"""Guards for new, unreviewed tests in a workspace: each test in a file runs under an audit hook."""

from __future__ import annotations

from aci.runtime.guest_programs import PREFIX, install_programs
from aci.runtime.workspace import Workspace

GUARD_PACKAGE = f"{PREFIX}guard"
FOOTER = """

import sys

sys.path.insert(0, {folder!r})
import {package}.testgen.audit_guard

sys.path.pop(0)
{package}.testgen.audit_guard.guard(globals(), {root!r})
"""


def write_guarded_tests(room: Workspace, place: str, text: bytes) -> None:
    """Write the file to its path in the repository, and append code that guards its tests."""
    folder = f"{room.harness}/guard"
    install_programs(room.write, folder, "testgen.audit_guard", package=GUARD_PACKAGE)
    footer = FOOTER.format(folder=folder, package=GUARD_PACKAGE, root=room.root)
    room.write(f"{room.root}/{place}", text + footer.encode())
