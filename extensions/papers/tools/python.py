"""The `python` tool: runs code in a persistent interpreter, in addition to the shell.

Code as an agent's action follows CodeAct (arXiv 2402.01030).
"""

from __future__ import annotations

import shlex

from aci.runtime.guest_programs import program_source
from aci.runtime.target_function import PYTHON
from tools._command_result import run
from tools.base import ConsentQuestion, Context, TextSource, ToolCall, tool
from trajectories.records import Observation

PROGRAM_REASON = "a program can do whatever a command can"


def ask_about_code(call: ToolCall) -> ConsentQuestion:
    return ConsentQuestion("Run this Python on this machine?", call.arguments["code"], why=PROGRAM_REASON)


@tool(asked_for=True, runs="code", text=TextSource("program", "The output of Python"), consent=ask_about_code)
def python(ctx: Context, code: str, timeout: int = 120) -> Observation:
    """Run code in a persistent Python interpreter. Names persist; the value of a last expression is shown.

    Args:
        code: One or more statements.
        timeout: Seconds.
    """
    workspace = ctx.workspace
    folder = f"{workspace.harness}/python"
    workspace.write(f"{folder}/interpreter.py", program_source("papers/interpreter.py"))
    block = f"{folder}/block.txt"
    workspace.write(block, code.encode("utf-8", "replace"))
    words = shlex.join([f"{folder}/interpreter.py", f"{folder}/live", block])
    return run(ctx, f"(cd {shlex.quote(workspace.root)} && exec {PYTHON} {words})", timeout)
