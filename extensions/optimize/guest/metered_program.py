"""Opcodes that a whole program executes, from its start to its exit.

A start-up file of Python calls `count_program`. Standard library only, Python 3.7 and later.
"""

import atexit
import io
import os

from .counter_meters import Opcodes

OUT = os.environ["SWE_AGENT_COUNTED"]


def count_program():
    """Count from here; at the program's exit, write the cost to a file with the number of the process."""
    meter, began = Opcodes(OUT), [0]

    def start():
        began[0] = meter.now()

    def end():
        meter.off()
        cost = meter.now() - began[0]
        with io.open(os.path.join(OUT, "cost.%d" % os.getpid()), "w") as stream:
            stream.write(str(cost))

    atexit.register(end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=start)
    start()
    meter.on()
