"""The `shell` tool: runs a command in the repository's persistent shell."""

from __future__ import annotations

from functools import partial

from aci.observation.output_kinds import kind_of
from tools._command_result import run
from tools.base import ConsentQuestion, Context, TextSource, ToolCall, tool
from trajectories.records import Observation


def ask_about_command(call: ToolCall) -> ConsentQuestion:
    command = call.arguments["command"]
    folder = call.workspace.folder() if command else ""
    return ConsentQuestion("Run this command on this machine?", command, folder=folder)


@tool(
    kind="view",
    runs="command",
    result="command",
    text=TextSource("program", "The output of `{}`", "command"),
    consent=ask_about_command,
)
def shell(ctx: Context, command: str, timeout: int = 120) -> Observation:
    """Run a command in a persistent shell. Working directory and exported variables persist. No TTY; stdin is empty.

    Prefer the other tools where they apply.

    Args:
        command: A command line or a script.
        timeout: Seconds.
    """
    return run(ctx, command, timeout, partial(kind_of, command))
