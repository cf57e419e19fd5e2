"""`shell`: a command in the repository's persistent shell."""

from __future__ import annotations

from functools import partial

from aci.kinds import kind_of
from tools._ran import run
from tools.base import Context, tool
from trajectories.records import Observation


@tool(kind="view")
def shell(ctx: Context, command: str, timeout: int = 120) -> Observation:
    """Run a command in one persistent shell; directory and exported variables last. No terminal, empty input.

    Prefer the other tools for what they do.

    Args:
        command: A command line or a script.
        timeout: Seconds.
    """
    return run(ctx, command, timeout, partial(kind_of, command))
