"""`submit`: the work is done; the changes against the base are the patch."""

from __future__ import annotations

from collections.abc import Sequence

from tools._stat import stat, unrecorded
from tools.base import Context, tool
from trajectories.errors import UsageError
from trajectories.records import Action, Observation


@tool(writes=False)
def submit(ctx: Context, summary: str = "") -> Observation:
    """Hand in the repository's changes as the patch. Does not count where new tests fail in the same reply.

    Args:
        summary: What was wrong, and the change, in a sentence or two.
    """
    snapshot = ctx.workspace.snapshot()
    tree, left_out = snapshot.tree, unrecorded(snapshot)
    if doubt := _doubt(ctx.before, {c.path for c in ctx.trees.changed(ctx.base.tree, tree) if c.status == "A"}):
        return Observation(f"Not submitted: {doubt}", ok=False)
    if tree == ctx.base.tree:
        raise UsageError(
            "\n".join(["Nothing is changed against the base, so there is no patch.", *left_out]),
            "Change files before you submit." if not left_out else "Remove or ignore these, then submit again.",
        )
    rows = [*stat(ctx.trees, ctx.base.tree, tree), *left_out]
    return Observation("\n".join(["Submitted:", *rows]), data={"submitted": True, "summary": summary, "tree": tree})


def _doubt(before: Sequence[tuple[Action, Observation]], new: set[str]) -> str:
    """Why work is not handed in that the same reply has just found wanting. Tests run before an edit say nothing, and
    those of the base may have failed there already: the proof will tell."""
    doubt = ""
    for action, seen in before:
        if action.tool == "edit":
            doubt = "" if seen.ok else "an edit in this reply was not made."
            if doubt:
                break
        elif action.tool == "run_tests":
            failing = [failure["id"] for failure in seen.data.get("failures", ()) if failure["path"] in new]
            nothing = not seen.ok and not seen.data.get("passed")
            doubt = f"{failing[0]} fails." if failing else "no test passed in this reply." if nothing else ""
    return doubt
