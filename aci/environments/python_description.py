"""The Python of a workspace: its version, its folder and its packages, so that a proof can name them."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from dataclasses import dataclass, field

from aci.runtime.workspace import HARNESS_SESSION, Workspace
from trajectories.errors import WorkspaceError

SECONDS = 30.0
MOST_PACKAGES = 300
_MARK = "swe-agent-python:"
_PROBE = f"""
import json, os, sys
from importlib import metadata
known = {{one.metadata["Name"] + "==" + one.version for one in metadata.distributions() if one.metadata["Name"]}}
packages = sorted(known, key=str.lower)[:{MOST_PACKAGES}]
print("{_MARK}" + json.dumps([sys.version.split()[0], os.path.dirname(sys.executable), packages]))
"""


@dataclass(frozen=True, slots=True)
class PythonDescription:
    """A Python; all of it may be written by the workspace's programs."""

    facts: dict[str, str | list[str]] = field(default_factory=dict)
    """`python` is the version, `packages` the installed ones as `name==version`; empty if there is no Python."""
    folder: str = ""
    """The folder of the interpreter, as the workspace names it."""


def describe_python(workspace: Workspace) -> PythonDescription:
    """Return the Python that the command `python3` starts in the workspace."""
    with suppress(WorkspaceError, ValueError, TypeError, IndexError):
        ran = workspace.run(f"python3 -c {shlex.quote(_PROBE)}", SECONDS, HARNESS_SESSION)
        version, folder, packages = json.loads(ran.text.rpartition(_MARK)[2].splitlines()[0])
        if isinstance(version, str) and isinstance(folder, str) and isinstance(packages, list):
            return PythonDescription({"python": version, "packages": [str(one) for one in packages]}, folder)
    return PythonDescription()
