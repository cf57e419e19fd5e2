"""Opcode events of the interpreter: always available, but blind to work done in C (sorting a list is one event)."""

from __future__ import annotations

from extensions.optimize.counters import CountHost, Tool

ORDER = 2


def ready(host: CountHost) -> Tool:
    return Tool(conditions={"tool": "opcode events of the interpreter", "child processes": "not counted"})
