"""`submit`: the work is done; the changes against the base are the patch."""

from __future__ import annotations

from tools._stat import stat, unrecorded
from tools.base import Context, tool
from trajectories.errors import UsageError
from trajectories.records import Observation


@tool(writes=False)
def submit(ctx: Context, summary: str = "") -> Observation:
    """Submit the work: all changes in the repository are taken as the patch, and the session ends.

    No diff needs to be made or shown before. Remove scratch files from the repository first.

    Args:
        summary: What was wrong and what was changed, in a few sentences.
    """
    snapshot = ctx.workspace.snapshot()
    tree, left_out = snapshot.tree, unrecorded(snapshot)
    if tree == ctx.base.tree:
        raise UsageError(
            "\n".join(["Nothing is changed against the base, so there is no patch.", *left_out]),
            "Change files before you submit." if not left_out else "Remove or ignore these, then submit again.",
        )
    rows = [*stat(ctx.trees, ctx.base.tree, tree), *left_out]
    return Observation("\n".join(["Submitted:", *rows]), data={"submitted": True, "summary": summary, "tree": tree})
