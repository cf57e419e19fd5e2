"""The processor's instruction counter: exact to a few thousand instructions, without slowing the command down.

Few virtual machines pass it through, and the kernel may forbid it (`kernel.perf_event_paranoid` above 2).
"""

from __future__ import annotations

import shlex

from aci.runtime.guest_programs import PACKAGE
from extensions.optimize.counters import CounterUnusable, CountHost, Tool

ORDER = 0
SECONDS = 60.0
_PROBE = f"import sys; from {PACKAGE}.optimize import counter_meters; counter_meters.Hardware(sys.argv[1])"


def ready(host: CountHost) -> Tool:
    """Return the tool. Raises CounterUnusable with the machine's error if the counter cannot be opened."""
    python = '"$(command -v python3 || command -v python)"'
    home = shlex.quote(host.folder)
    code, output = host.run(f"PYTHONPATH={home} {python} -B -c {shlex.quote(_PROBE)} {home}", SECONDS)
    if code:
        raise CounterUnusable(
            f"the machine has no usable hardware counter: {output.strip().rpartition(chr(10))[2][:200]}"
        )
    return Tool(conditions={"tool": "perf_event_open, user mode", "child processes": "counted"})
