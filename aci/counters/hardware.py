"""The processor's own counter of instructions: exact to a few thousand, and no slower than the work itself.

Few virtual machines pass it through, and a kernel may forbid it (`kernel.perf_event_paranoid` above 2).
"""

from __future__ import annotations

import shlex

from aci.counters import Desk, Tool, Unusable

ORDER = 0
SECONDS = 60.0
_PROBE = "import meters_told, sys; meters_told.Hardware(sys.argv[1])"


def ready(desk: Desk) -> Tool:
    """Raises Unusable with what the machine says when it is asked for one."""
    python = '"$(command -v python3 || command -v python)"'
    home = shlex.quote(desk.folder)
    code, said = desk.run(f"PYTHONPATH={home} {python} -B -c {shlex.quote(_PROBE)} {home}", SECONDS)
    if code:
        raise Unusable(f"the machine gives no hardware counter: {said.strip().rpartition(chr(10))[2][:200]}")
    return Tool(conditions={"tool": "perf_event_open, user mode", "child processes": "counted"})
