"""Running a shell command for a tool and reporting its result."""

from __future__ import annotations

from collections.abc import Callable

from aci.view import Kind
from aci.workspace import Ran
from tools.base import Context
from trajectories.records import Observation

LONGEST = 3600


def other(output: bytes) -> Kind:
    return "other"


def run(ctx: Context, command: str, timeout: int, kind: Callable[[bytes], Kind] = other) -> Observation:
    """What a command in the shell came to, within so many seconds, 1 to an hour; `kind` says what its output is."""
    timeout = min(max(timeout, 1), LONGEST)
    ran = ctx.workspace.run(command, timeout=timeout)
    shown, out = ctx.show(ran.output, kind(ran.output))
    said = _said(ran, timeout, ctx.workspace.root)
    text = "\n".join(filter(None, (shown, said))) or "(no output)"
    return Observation(text, ok=ran.code == 0, out=out, data={"code": ran.code, "seconds": round(ran.seconds, 3)})


def _said(ran: Ran, timeout: int, root: str) -> str:
    """What happened beside the output, in brackets."""
    parts = []
    if ran.timed_out:
        parts.append(f"ended after {timeout} s; run what takes long with a larger timeout or in the background")
    elif ran.code:
        parts.append(f"exit code {ran.code}")
    if ran.restarted:
        parts.append("the shell ended and was started anew with its last exported variables")
    if ran.cwd != root:
        parts.append(f"in {ran.cwd.removeprefix(root.rstrip('/') + '/')}")
    if ran.cut:
        parts.append(f"{ran.cut} bytes in the middle of the output were dropped")
    return f"[{'; '.join(parts)}]" if parts else ""
