"""The `delegate` tool: a helper with a context of its own works on a part of the job and reports the result.

Based on OpenCode's `task` tool with its general agent, and on the subagents of Claude Code.
"""

from __future__ import annotations

from tools.base import Context, TextSource, not_needed, tool
from trajectories.errors import UsageError
from trajectories.records import Observation

LONGEST_TASK = 4_000


@tool(needs="helpers", text=TextSource("unknown", "The report of a helper"), consent=not_needed)
def delegate(ctx: Context, task: str, changes: bool = False, agent: str = "") -> Observation:
    """Have a helper do a task that takes many steps but whose result is short, and get its report. It knows only `task`
    and the files as they were before this reply.

    Args:
        task: What to do and what to report.
        changes: Let it change files; the changes are merged into yours.
        agent: The helper to choose.
    """
    if ctx.delegate is None:
        raise UsageError("No helper is available here.", "Do the task yourself.")
    if not task.strip() or len(task) > LONGEST_TASK:
        raise UsageError(f"A task needs 1 to {LONGEST_TASK} characters.", "Describe it in that length.")
    done = ctx.delegate(task.strip(), changes, agent.strip())
    lines = [done.report, *done.notes]
    return Observation("\n\n".join(filter(None, lines)), ok=done.ok)
