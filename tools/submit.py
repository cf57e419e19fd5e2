"""`submit`: the work is done; the changes against the base are the patch."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from tools._stat import stat, unrecorded
from tools.base import Context, Toolbox, tool
from trajectories.errors import UsageError
from trajectories.records import Action, Observation

CHANGING = ("edit", "undo")
"""Tools that do nothing but change files."""

UNCHANGED = "Nothing is changed against the base, so there is no patch."
CHANGE = "Change files before you submit. If no fix is to be made, submit again and say why in `summary`."


@tool(writes=False)
def submit(ctx: Context, summary: str = "", title: str = "") -> Observation:
    """Hand in the repository's changes as the patch. Does not count where new tests fail in the same reply.

    Args:
        summary: What was wrong, then what the change does: a sentence each.
        title: The change, as a commit's title.
    """
    snapshot = ctx.workspace.snapshot()
    tree, left_out = snapshot.tree, unrecorded(snapshot)
    if doubt := _doubt(ctx.before, {c.path for c in ctx.trees.changed(ctx.base.tree, tree) if c.status == "A"}, tree):
        return Observation(f"Not submitted: {doubt}", ok=False)
    if tree == ctx.base.tree and left_out:
        raise UsageError("\n".join([UNCHANGED, *left_out]), "Remove or ignore these, then submit again.")
    if tree == ctx.base.tree:
        return Observation(f"{UNCHANGED}\n{CHANGE}", ok=False, data={"unchanged": summary})
    rows = [*stat(ctx.trees, ctx.base.tree, tree), *left_out]
    data = {"submitted": True, "summary": summary, "title": title, "tree": tree}
    return Observation("\n".join(["Submitted:", *rows]), data=data)


def _doubt(before: Sequence[tuple[Action, Observation]], new: set[str], tree: str) -> str:
    """Why work is not handed in that the same reply has just found wanting.

    What was to be changed and was not is missing, whatever was changed besides: who wrote the reply did not know. What
    tests said holds as long as the files are those they ran on. Those of the base may have failed there already: the
    proof will tell. A run that found no test is forgotten beside one that did.
    """
    tools = Toolbox()
    runs: list[Observation] = []
    for action, seen in before:
        made = tools.get(action.tool)
        if made is None or action.error:
            return f"a call of {action.tool[:40]} in this reply could not be read."
        if made.name in CHANGING and not seen.ok:
            return f"the {made.name} of {_path(action)} in this reply was not made."
        if made.name == "run_tests" and seen.data.get("tree", tree) == tree:
            runs.append(seen)
    failing = [failure["id"] for seen in runs for failure in seen.data.get("failures", ()) if failure["path"] in new]
    if failing:
        return f"{failing[0]} failed, and nothing was changed after that."
    judged = [seen for seen in runs if seen.data.get("counts")] or runs
    return "" if not judged or _passed(judged[-1]) else "no test passed in this reply."


def _passed(seen: Observation) -> bool:
    return seen.ok or bool(seen.data.get("passed")) or seen.data.get("granularity") == "command"


def _path(action: Action) -> str:
    return posixpath.normpath(str(action.arguments.get("path") or "files"))
