"""`shell`: a command in the repository's persistent shell."""

from __future__ import annotations

from aci.kinds import kind_of
from tools._ran import told
from tools.base import Context, tool
from trajectories.records import Observation

LONGEST = 3600


@tool(kind="view")
def shell(ctx: Context, command: str, timeout: int = 120) -> Observation:
    """Run a command in one persistent shell; directory and exported variables last. No terminal, empty input.

    Prefer the other tools for what they do.

    Args:
        command: A command line or a script.
        timeout: Seconds.
    """
    timeout = min(max(timeout, 1), LONGEST)
    ran = ctx.workspace.run(command, timeout=timeout)
    return told(ctx, ran, timeout, kind_of(command, ran.output))
