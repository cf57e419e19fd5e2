"""`python`: a block of code in an interpreter that stays, beside the shell.

That code is an agent's action is CodeAct's (arXiv 2402.01030) idea.
"""

from __future__ import annotations

import shlex

from aci.target import PYTHON, place
from tools._ran import run
from tools.base import Context, tool
from trajectories.records import Observation


@tool(asked_for=True)
def python(ctx: Context, code: str, timeout: int = 120) -> Observation:
    """Run code in one persistent Python interpreter; names last, and the value of a last expression is shown.

    Args:
        code: One or more statements.
        timeout: Seconds.
    """
    workspace = ctx.workspace
    folder = place(workspace, "interpreter", inside="python")
    block = f"{folder}/block.txt"
    workspace.write(block, code.encode("utf-8", "replace"))
    words = shlex.join([f"{folder}/interpreter.py", f"{folder}/live", block])
    return run(ctx, f"(cd {shlex.quote(workspace.root)} && exec {PYTHON} {words})", timeout)
