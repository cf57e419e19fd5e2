"""The `submit` tool: ends the work, with the changes against the base as the patch."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from aci.proof.missing_reproduction import explain_missing_test, find_base_failures
from tools._tree_diff import stat, unrecorded
from tools.base import Context, TextSource, Toolbox, not_needed, tool
from trajectories.errors import UsageError
from trajectories.records import Action, Observation

CHANGING = ("edit", "undo")
"""Tools whose only effect is to change files."""

UNCHANGED = "No file differs from the base, so there is no patch."
UNTESTED = "untested"
"""The key of the reason why a submission was sent back for a missing test."""
NONE_PASSED = "no test passed in this reply. Run them again after a change or, if they cannot run, submit later."
CHANGE = "Change files before you submit. If no change is needed, submit again and explain why in `summary`."


@tool(writes=False, text=TextSource("harness"), consent=not_needed, when_limited="refuse")
def submit(ctx: Context, summary: str = "", title: str = "") -> Observation:
    """Submit the repository's changes as the patch. Ignored if your new tests fail in the same reply.

    Args:
        summary: What was wrong, what changes, and what you assumed.
        title: As for a commit.
    """
    snapshot = ctx.workspace.snapshot()
    tree, left_out = snapshot.tree, unrecorded(snapshot)
    if doubt := _doubt(ctx.before, {c.path for c in ctx.trees.changed(ctx.base.tree, tree) if c.status == "A"}, tree):
        return Observation(f"Not submitted: {doubt}", ok=False)
    if tree == ctx.base.tree and left_out:
        raise UsageError("\n".join([UNCHANGED, *left_out]), "Remove them or have git ignore them, then submit again.")
    if tree == ctx.base.tree:
        return Observation(f"{UNCHANGED}\n{CHANGE}", ok=False, data={"unchanged": summary})
    if ctx.needs_test and (why := _missing_test(ctx, tree)):
        return Observation(f"Not submitted: {why}", ok=False, data={UNTESTED: why})
    rows = [*stat(ctx.trees, ctx.base.tree, tree), *left_out]
    data = {"submitted": True, "summary": summary, "title": title, "tree": tree}
    return Observation("\n".join(["Submitted:", *rows]), data=data)


def _missing_test(ctx: Context, tree: str) -> str:
    """Return why no test can verify the patch; "" if one may, or if an earlier submission was refused for that."""
    why = explain_missing_test(ctx.trees, ctx.base.tree, tree, ctx.test_command, ctx.subtree)
    if not why or any(UNTESTED in seen.data for step in ctx.steps for seen in step.observations):
        return ""
    seen = [(str(seen.data.get("tree", step.tree)), seen) for step in ctx.steps for seen in step.observations]
    seen += [(seen.data["tree"], seen) for _, seen in ctx.before if "tree" in seen.data]
    return "" if find_base_failures(ctx.trees, ctx.base.tree, tree, seen) else why


def _doubt(before: Sequence[tuple[Action, Observation]], new: set[str], tree: str) -> str:
    """Return the reason to reject the submission if an action of the same reply revealed a problem; "" otherwise.

    A failed edit always counts as a problem, because the model wrote the reply before it knew the edit's result. Test
    results count only if the files have not changed since the tests ran. Tests that exist in the base may have failed
    before, so they are left to the proof. A test run that ran no tests is ignored if another one did.
    """
    tools = Toolbox()
    runs: list[Observation] = []
    for action, seen in before:
        made = tools.get(action.tool)
        if made is None or action.error:
            return f"a call of {action.tool[:40]} in this reply was not valid."
        if made.name in CHANGING and not seen.ok:
            return f"the {made.name} of {_path(action)} in this reply failed."
        if made.name == "run_tests" and seen.data.get("tree", tree) == tree:
            runs.append(seen)
    failing = [failure["id"] for seen in runs for failure in seen.data.get("failures", ()) if failure["path"] in new]
    if failing:
        return f"{failing[0]} failed, and nothing was changed after that."
    judged = [seen for seen in runs if seen.data.get("counts")] or runs
    return "" if not judged or _passed(judged[-1]) else NONE_PASSED


def _passed(seen: Observation) -> bool:
    return seen.ok or bool(seen.data.get("passed")) or seen.data.get("granularity") == "command"


def _path(action: Action) -> str:
    return posixpath.normpath(str(action.arguments.get("path") or "files"))
