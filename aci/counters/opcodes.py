"""Opcode events of the interpreter: always there, and blind to what C does; a sort of any length is one event."""

from __future__ import annotations

from aci.counters import Desk, Tool

ORDER = 2


def ready(desk: Desk) -> Tool:
    return Tool(conditions={"tool": "opcode events of the interpreter", "child processes": "not counted"})
