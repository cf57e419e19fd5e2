"""`undo`: back to an earlier state of the files."""

from __future__ import annotations

from tools._stat import stat, unrecorded
from tools.base import Context, tool
from trajectories.errors import UsageError
from trajectories.records import Observation


@tool
def undo(ctx: Context, steps: int = 1) -> Observation:
    """Take back what the last replies changed in files, but for those that git ignores. Cannot be undone.

    Args:
        steps: How many replies' changes.
    """
    snapshot = ctx.workspace.snapshot()
    now, left_out = snapshot.tree, unrecorded(snapshot)
    states = _states(ctx, now)
    if steps < 1:
        raise UsageError("`steps` must be at least 1.")
    if steps >= len(states):
        raise UsageError(
            f"Only {len(states) - 1} changes can be undone." if states[1:] else "There is nothing to undo.",
            "\n".join(left_out),
        )
    tree = states[-1 - steps]
    ctx.workspace.restore(tree)
    head = "Taken back, but for ignored files:"
    return Observation("\n".join([head, *stat(ctx.trees, tree, now), *left_out]))


def _states(ctx: Context, now: str) -> list[str]:
    """The trees of this branch, each change one state; going back to an earlier one takes off what came after."""
    states = [ctx.start or ctx.base.tree]
    for tree in [*(step.tree for step in ctx.steps), now]:
        if tree in states:
            del states[states.index(tree) + 1 :]
        else:
            states.append(tree)
    return states
