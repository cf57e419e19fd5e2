"""`python`: a block of code in an interpreter that stays, beside the shell.

That code is an agent's action is CodeAct's (arXiv 2402.01030) idea.
"""

from __future__ import annotations

import secrets
import shlex
from importlib.resources import files

from aci.target import PYTHON
from tools._ran import told
from tools.base import Context, tool
from trajectories.records import Observation

LONGEST = 3600


@tool(asked_for=True)
def python(ctx: Context, code: str, timeout: int = 120) -> Observation:
    """Run code in one persistent Python interpreter; names last, and the value of a last expression is shown.

    Args:
        code: One or more statements.
        timeout: Seconds.
    """
    timeout = min(max(timeout, 1), LONGEST)
    workspace = ctx.workspace
    folder = f"{workspace.harness}/python"
    program, block = f"{folder}/interpreter.py", f"{folder}/{secrets.token_hex(6)}.txt"
    workspace.write(program, files("aci.inside").joinpath("interpreter.py").read_bytes())
    workspace.write(block, code.encode("utf-8", "replace"))
    words = shlex.join([program, f"{folder}/live", block])
    ran = workspace.run(f"(cd {shlex.quote(workspace.root)} && exec {PYTHON} {words})", timeout=timeout)
    return told(ctx, ran, timeout)
