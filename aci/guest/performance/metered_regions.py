"""Cost of all calls of one function while a program runs: each outermost call, in any thread, is a region.

The program imports this module through a decorator that is placed directly above the function, below the function's own
decorators. Standard library only, for the target's own Python (3.7 and later).
"""

import functools
import inspect
import io
import mmap
import os
import struct
import sys
import threading

from . import meters

TIMES = 100
OUT, KIND = os.environ["SWE_AGENT_COUNTED"], os.environ["SWE_AGENT_METER"]


class Depth(threading.local):
    level = start = 0


LEAST = 0
"""The cost of an empty region, for meters that include their own cost."""


class Entries:
    """Counters in one file per process: entered regions, their cost (if the meter is readable) and nested calls."""

    def __init__(self):
        self.nested = 0
        self.open()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.open)

    def open(self):
        with io.open(os.path.join(OUT, "entries.%d" % os.getpid()), "w+b") as stream:
            stream.truncate(24)
            self._file = mmap.mmap(stream.fileno(), 24)
        self.nested = 0

    def add(self, cost):
        count, total, _ = struct.unpack("=QQQ", self._file[:])
        self._file[:] = struct.pack("=QQQ", count + 1, total + cost, self.nested)


depth, entries, meter = Depth(), Entries(), meters.meter_class(KIND)(OUT)


def enter():
    depth.start = meter.now() if meter.is_readable else 0
    meter.on()


def leave():
    meter.off()
    entries.add(max(meter.now() - depth.start - LEAST, 0) if meter.is_readable else 0)


def counted(function):
    """Wrap the function so that each outermost call (for a generator or coroutine, each step) is a region."""
    if inspect.isasyncgenfunction(function):
        return function
    if inspect.isgeneratorfunction(function):

        def wrapper(*args, **kwargs):
            return (yield from steps(function(*args, **kwargs)))

    elif inspect.iscoroutinefunction(function):

        async def wrapper(*args, **kwargs):
            return await Awaited(function(*args, **kwargs))

    else:

        def wrapper(*args, **kwargs):
            if depth.level:
                entries.nested += 1
                return function(*args, **kwargs)
            depth.level = 1
            enter()
            try:
                return function(*args, **kwargs)
            finally:
                leave()
                depth.level = 0

    return functools.wraps(function)(wrapper)


class Awaited:
    def __init__(self, inner):
        self._inner = inner

    def __await__(self):
        return steps(self._inner)


def steps(inner):
    """Do what `yield from inner` does, with a region around each step of `inner`."""
    step, value = inner.send, None
    while True:
        try:
            got = stepped(step, value)
        except StopIteration as end:
            return end.value
        try:
            value = yield got
            step = inner.send
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as error:  # noqa: BLE001 - `inner` handles it
            step, value = inner.throw, error


def stepped(step, value):
    if depth.level:
        return step(value)
    depth.level = 1
    enter()
    try:
        return step(value)
    finally:
        leave()
        depth.level = 0


def whole():
    """Count from here to the end of the program."""
    import atexit

    atexit.register(leave)
    enter()


def calibrate():
    """Make the meter write the cost of TIMES minimal regions, TIMES nested calls and TIMES direct calls."""
    least = counted(len)
    for _ in range(20):
        least(())
    meter.more("-")
    for _ in range(TIMES):
        least(())
    meter.more("marking")
    plain = lambda nothing: nothing
    depth.level = 1
    for label, call in (("nested", counted(plain)), ("direct", plain)):
        for _ in range(20):
            call(())
        meter.more("-")
        meter.on()
        for _ in range(TIMES):
            call(())
        meter.off()
        meter.more(label)
    depth.level = 0
    entries.open()


def least():
    """Return the cost of an empty region, which is the overhead of the meter."""
    found = []
    for _ in range(TIMES):
        enter()
        meter.off()
        found.append(meter.now() - depth.start)
    return min(found)


sys.setrecursionlimit(2 * sys.getrecursionlimit())  # each call of a marked function takes two frames
if meter.is_readable:
    meter.ignore({counted(len).__code__, enter.__code__, leave.__code__, Entries.add.__code__})
    LEAST = least()
else:
    calibrate()
