"""The `session` tool: programs in a terminal, in addition to the shell."""

from __future__ import annotations

from aci.runtime.workspace import TerminalOutput, is_session_name
from tools.base import ConsentQuestion, Context, ToolCall, tool
from trajectories.records import Observation

LONGEST = 600
TERMINAL_REASON = "input to a terminal goes to whatever program runs there"


def ask_about_input(call: ToolCall) -> ConsentQuestion | None:
    name = call.arguments["name"]
    if not is_session_name(name):
        return None
    return ConsentQuestion(f"Type this into the terminal {name}?", call.arguments["input"], why=TERMINAL_REASON)


# A terminal shows files, output of programs and what the model typed, so the owner of its text is unknown.
@tool(needs="conversation", runs="input", consent=ask_about_input)
def session(ctx: Context, name: str, input: str = "", wait: int = 10) -> Observation:
    """Type into a named terminal session (pdb, REPLs, editors) and see its output. A new session starts with a shell.

    Args:
        name: A new name starts a session.
        input: Newline is Enter; <ctrl-c>, <esc>, <up> are keys.
        wait: Maximum number of seconds to wait for output.
    """
    wait = min(max(wait, 1), LONGEST)
    seen = ctx.workspace.type(name, input, wait)
    shown, out = ctx.show(seen.text)
    text = "\n".join(filter(None, (shown, _remarks(seen, input)))) or "(no new output)"
    return Observation(text, out=out, data={"code": seen.code})


def _remarks(seen: TerminalOutput, typed: str) -> str:
    """Return bracketed notes about the session that are not part of its text."""
    parts = []
    if seen.cut:
        parts.append(f"{seen.cut} bytes before this were dropped")
    if seen.code is not None:
        parts.append(f"the session has ended with exit code {seen.code}")
    elif typed and not typed.endswith(("\n", ">")) and not seen.painted:
        parts.append("typed without Enter; to press it, end `input` with a newline")
    return f"[{'; '.join(parts)}]" if parts else ""
