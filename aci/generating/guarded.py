"""A file of new tests as it runs in a workspace before anybody has read it: each of them under the audit hook."""

from __future__ import annotations

from aci.target import place as place_programs
from aci.workspace import Workspace

PACKAGE = "swe_agent_guard"
FOOTER = """

import sys

sys.path.insert(0, {folder!r})
import {package}.harmless

sys.path.pop(0)
{package}.harmless.guard(globals(), {root!r})
"""


def guard(room: Workspace, place: str, text: bytes) -> None:
    """Write the file to its place in the room's repository, with what watches its tests behind it."""
    folder = f"{room.harness}/guard"
    place_programs(room, "__init__", "harmless", inside=f"guard/{PACKAGE}")
    footer = FOOTER.format(folder=folder, package=PACKAGE, root=room.root)
    room.write(f"{room.root}/{place}", text + footer.encode())
