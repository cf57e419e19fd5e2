"""Calls of tools outside the workspace (MCP servers), as a run records them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trajectories.records import Step

if TYPE_CHECKING:
    from trajectories.trajectory import Trajectory

SERVER = "server"
"""Key in the data of an observation: the server whose tool was called."""
SEPARATOR = "__"
"""Separates the server's name from that of its tool."""
MCP_NOTE = "mcp"
"""The kind of notes that list the schemas of the servers' tools, in `tools`, from the next request on."""


def calls_of_servers(steps: Iterable[Step]) -> dict[str, int]:
    """Return the number of calls of each server's tools, in the order of their first call."""
    named = (seen.data.get(SERVER) for step in steps for seen in step.observations)
    return dict(Counter(name for name in named if isinstance(name, str) and name))


def describe_calls(steps: Iterable[Step]) -> str:
    """Return a sentence about the tools outside the workspace that a run used; "" if it used none."""
    calls = calls_of_servers(steps)
    if not calls:
        return ""
    shown = ", ".join(f"{name} ({count} {'call' if count == 1 else 'calls'})" for name, count in calls.items())
    return f"The model used tools of MCP servers, outside the workspace: {shown}."


def offered_tools(trajectory: Trajectory) -> list[dict[str, Any]]:
    """Return the schemas of all tools that a run offered: its own, and those of servers as they were first offered."""
    found = list(trajectory.run.tools) if trajectory.run else []
    known = {_name(tool) for tool in found}
    for note in trajectory.notes:
        tools = note.data.get("tools") if note.kind == MCP_NOTE else None
        for tool in tools if isinstance(tools, list) else ():
            if (name := _name(tool)) and name not in known:
                known.add(name)
                found.append(tool)
    return found


def _name(tool: Any) -> str:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""
