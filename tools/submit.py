"""`submit`: the work is done; the changes against the base are the patch."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from tools._stat import stat, unrecorded
from tools.base import Context, Toolbox, tool
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
    """Why work is not handed in that the same reply has just found wanting.

    What tests said holds until something is done that may write. Those of the base may have failed there already: the
    proof will tell. A run that found no test is forgotten beside one that did.
    """
    tools = Toolbox()
    unmade: dict[str, None] = {}
    failing: list[str] = []
    ran, passed = False, True
    for action, seen in before:
        made = tools.get(action.tool)
        name = made.name if made else ""
        if name == "run_tests":
            failing += [failure["id"] for failure in seen.data.get("failures", ()) if failure["path"] in new]
            found = bool(seen.data.get("counts"))
            if found or not ran:
                passed = seen.ok or bool(seen.data.get("passed")) or seen.data.get("granularity") == "command"
            ran = ran or found
        elif name == "edit" and not seen.ok:
            unmade[_path(action)] = None
        elif tools.writes(action):
            unmade.pop(_path(action), None)
            failing, ran, passed = [], False, True
    if unmade:
        return f"the edit of {next(iter(unmade))} in this reply was not made."
    if failing:
        return f"{failing[0]} failed, and nothing was changed after that."
    return "" if passed else "no test passed in this reply."


def _path(action: Action) -> str:
    return posixpath.normpath(str(action.arguments.get("path", "")))
