"""The `undo` tool: takes files and conversation back to an earlier step of the phase."""

from __future__ import annotations

from tools._tree_diff import stat, unrecorded
from tools.base import Context, TextSource, not_needed, tool
from trajectories.errors import UsageError
from trajectories.records import Observation

FURTHER = "Only the user can go back further; `edit` can change any file."


@tool(needs="conversation", text=TextSource("harness"), consent=not_needed, when_limited="refuse")
def undo(ctx: Context, steps: int = 1) -> Observation:
    """Undo the last replies that changed files, in the files (except those that git ignores) and in this conversation.
    Cannot be undone.

    Args:
        steps: Number of such replies.
    """
    snapshot = ctx.workspace.snapshot()
    now, left_out = snapshot.tree, unrecorded(snapshot)
    states = _states(ctx, now)
    if steps < 1:
        raise UsageError("`steps` must be at least 1.")
    if steps >= len(states):
        raise UsageError(
            f"Only {len(states) - 1} changes can be undone." if states[1:] else "There is nothing to undo.",
            "\n".join([*([FURTHER] if ctx.phase else []), *left_out]),
        )
    tree, number = states[-1 - steps]
    ctx.workspace.restore(tree)
    head = "Reverted, except for ignored files:"
    rows = [head, *stat(ctx.trees, tree, now), *left_out]
    return Observation("\n".join(rows), data={"back_to": number})


def _states(ctx: Context, now: str) -> list[tuple[str, int]]:
    """Return the trees of this phase, each with the last step that produced it; when a tree recurs, the trees after its
    first occurrence are dropped."""
    before = ctx.steps[: ctx.phase]
    states = [(before[-1].tree, before[-1].n) if before else (ctx.start or ctx.base.tree, 0)]
    for tree, number in [*((step.tree, step.n) for step in ctx.steps[ctx.phase :]), (now, 0)]:
        known = [known for known, _ in states]
        if tree in known:
            at = known.index(tree)
            states[at:] = [(tree, number or states[at][1])]
        else:
            states.append((tree, number))
    return states
