"""Shared code of tools that run a command in the shell and report its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aci.observation.output_text import Kind
from aci.runtime.workspace import CommandResult
from tools.base import Context
from trajectories.records import Observation

LONGEST = 3600
LONGEST_LINE = 300


def other(output: bytes) -> Kind:
    return "other"


def run(ctx: Context, command: str, timeout: int, kind: Callable[[bytes], Kind] = other) -> Observation:
    """Run a command in the shell for at most `timeout` seconds (1 to 3600); `kind` classifies its output."""
    timeout = min(max(timeout, 1), LONGEST)
    ran = ctx.workspace.run(command, timeout=timeout, on_output=ctx.show_output)
    shown, out = ctx.show(ran.output, kind(ran.output))
    remarks = _remarks(ran, timeout, ctx.workspace.root)
    text = "\n".join(filter(None, (shown, remarks))) or "(no output)"
    data: dict[str, Any] = {"code": ran.code, "seconds": round(ran.seconds, 3)}
    if ran.code:
        data |= {"last_line": _last_line(shown), "timed_out": ran.timed_out}
    return Observation(text, ok=ran.code == 0, out=out, data=data)


def _last_line(text: str) -> str:
    """Return the last line that is not blank, which names the error in the output of most programs."""
    return next((line.strip()[:LONGEST_LINE] for line in reversed(text.splitlines()) if line.strip()), "")


def _remarks(ran: CommandResult, timeout: int, root: str) -> str:
    """Return bracketed notes about the result that are not part of the output."""
    parts = []
    if ran.timed_out:
        parts.append(f"timed out after {timeout} s; run long commands with a larger timeout or in the background")
    elif ran.code:
        parts.append(f"exit code {ran.code}")
    if ran.restarted:
        parts.append("the shell exited and was restarted with its last exported variables")
    if ran.cwd != root:
        parts.append(f"in {ran.cwd.removeprefix(root.rstrip('/') + '/')}")
    if ran.cut:
        parts.append(f"{ran.cut} bytes in the middle of the output were dropped")
    return f"[{'; '.join(parts)}]" if parts else ""
