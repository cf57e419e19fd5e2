"""`session`: a program at a terminal, beside the shell."""

from __future__ import annotations

from aci.workspace import Seen
from tools.base import Context, tool
from trajectories.records import Observation

LONGEST = 600


@tool
def session(ctx: Context, name: str, input: str = "", wait: int = 10) -> Observation:
    """Type into a named side session with a terminal (pdb, REPLs, editors) and see what appears; a shell to begin with.

    Args:
        name: Any; a new one starts a session.
        input: Newline is Enter; <ctrl-c>, <esc>, <up> are keys.
        wait: Seconds at most.
    """
    wait = min(max(wait, 1), LONGEST)
    seen = ctx.workspace.type(name, input, wait)
    shown, out = ctx.show(seen.text)
    text = "\n".join(filter(None, (shown, _said(seen, input)))) or "(nothing appeared)"
    return Observation(text, out=out, data={"code": seen.code})


def _said(seen: Seen, typed: str) -> str:
    """What is to be known beside the text, in brackets."""
    parts = []
    if seen.cut:
        parts.append(f"{seen.cut} bytes before this were dropped")
    if seen.code is not None:
        parts.append(f"the session has ended with exit code {seen.code}")
    elif typed and not typed.endswith(("\n", ">")) and not seen.painted:
        parts.append("typed without Enter, which is a newline at the end of `input`")
    return f"[{'; '.join(parts)}]" if parts else ""
