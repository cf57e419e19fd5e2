"""The Python of a workspace: its version and its packages, so that a proof can name them."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress

from aci.runtime.workspace import HARNESS_SESSION, Workspace
from trajectories.errors import WorkspaceError

SECONDS = 30.0
MOST_PACKAGES = 300
_MARK = "swe-agent-python:"
_PROBE = f"""
import json, sys
from importlib import metadata
known = {{one.metadata["Name"] + "==" + one.version for one in metadata.distributions() if one.metadata["Name"]}}
packages = sorted(known, key=str.lower)[:{MOST_PACKAGES}]
print("{_MARK}" + json.dumps([sys.version.split()[0], packages]))
"""


def describe_python(workspace: Workspace) -> dict[str, str | list[str]]:
    """Return the Python that the command `python3` starts in the workspace.

    `python` is the version, `packages` the installed ones as `name==version`. Programs of the workspace may have
    written both. The result is empty if there is no Python.
    """
    with suppress(WorkspaceError, ValueError, TypeError, IndexError):
        ran = workspace.run(f"python3 -c {shlex.quote(_PROBE)}", SECONDS, HARNESS_SESSION)
        version, packages = json.loads(ran.text.rpartition(_MARK)[2].splitlines()[0])
        if isinstance(version, str) and isinstance(packages, list):
            return {"python": version, "packages": [str(one) for one in packages]}
    return {}
