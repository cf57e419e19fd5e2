"""The `python` tool: runs code in a persistent interpreter, in addition to the shell.

Code as an agent's action follows CodeAct (arXiv 2402.01030).
"""

from __future__ import annotations

import shlex

from aci.performance.target_function import PYTHON
from aci.runtime.guest_programs import program_source
from tools._command_result import run
from tools.base import Context, tool
from trajectories.records import Observation


@tool(asked_for=True)
def python(ctx: Context, code: str, timeout: int = 120) -> Observation:
    """Run code in a persistent Python interpreter. Names persist; the value of a last expression is shown.

    Args:
        code: One or more statements.
        timeout: Seconds.
    """
    workspace = ctx.workspace
    folder = f"{workspace.harness}/python"
    workspace.write(f"{folder}/interpreter.py", program_source("interpreter.py"))
    block = f"{folder}/block.txt"
    workspace.write(block, code.encode("utf-8", "replace"))
    words = shlex.join([f"{folder}/interpreter.py", f"{folder}/live", block])
    return run(ctx, f"(cd {shlex.quote(workspace.root)} && exec {PYTHON} {words})", timeout)
