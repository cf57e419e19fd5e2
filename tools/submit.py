"""`submit`: the work is done; the changes against the base are the patch."""

from __future__ import annotations

from collections.abc import Sequence

from tools._stat import stat, unrecorded
from tools.base import Context, tool
from trajectories.errors import UsageError
from trajectories.records import Action, Observation


@tool(writes=False)
def submit(ctx: Context, summary: str = "") -> Observation:
    """Hand in the repository's changes as the patch. Does not count after failing tests in the same reply.

    Args:
        summary: What was wrong, and the change, in a sentence or two.
    """
    if doubt := _doubt(ctx.before):
        return Observation(f"Not submitted: {doubt}", ok=False)
    snapshot = ctx.workspace.snapshot()
    tree, left_out = snapshot.tree, unrecorded(snapshot)
    if tree == ctx.base.tree:
        raise UsageError(
            "\n".join(["Nothing is changed against the base, so there is no patch.", *left_out]),
            "Change files before you submit." if not left_out else "Remove or ignore these, then submit again.",
        )
    rows = [*stat(ctx.trees, ctx.base.tree, tree), *left_out]
    return Observation("\n".join(["Submitted:", *rows]), data={"submitted": True, "summary": summary, "tree": tree})


def _doubt(before: Sequence[tuple[Action, Observation]]) -> str:
    """Why work is not handed in that the same reply has just found wanting; tests run before an edit say nothing."""
    doubt = ""
    for action, seen in before:
        if action.tool == "edit" and not seen.ok:
            return "an edit in this reply was not made."
        if action.tool in ("edit", "run_tests"):
            doubt = "" if seen.ok else "the tests run last in this reply do not pass."
    return doubt
