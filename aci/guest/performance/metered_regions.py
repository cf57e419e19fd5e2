"""Counts what all calls of one function cost while a program runs: the outermost call is a region, also on a thread.

Imported by the program under work as `swe_agent_regions`, with the meters in `parts` beside it, by a decorator that is
put above the function, below its own. Standard library only, for the target's own Python (3.7 and later).
"""

import functools
import inspect
import io
import mmap
import os
import struct
import sys
import threading

TIMES = 100
PARTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "parts")
OUT, KIND = os.environ["SWE_AGENT_COUNTED"], os.environ["SWE_AGENT_METER"]


class Depth(threading.local):
    of = at = 0


LEAST = 0
"""What a region costs in which nothing happens, where a meter counts itself."""


class Entries:
    """How often a region was entered, what that cost where the meter knows it, and calls within: a file a process."""

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


def new_meter():
    """The program may have modules of its own of these names."""
    names = ("meters", "meters_told")
    theirs = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, PARTS)
    try:
        import meters

        return meters.meter(KIND)(OUT)
    finally:
        sys.path.remove(PARTS)
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(theirs)


depth, entries, meter = Depth(), Entries(), new_meter()


def enter():
    depth.at = meter.now() if meter.knows else 0
    meter.on()


def leave():
    meter.off()
    entries.add(max(meter.now() - depth.at - LEAST, 0) if meter.knows else 0)


def counted(function):
    """The function, each outermost call of which is a region; of a generator or coroutine, each of its steps."""
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
            if depth.of:
                entries.nested += 1
                return function(*args, **kwargs)
            depth.of = 1
            enter()
            try:
                return function(*args, **kwargs)
            finally:
                leave()
                depth.of = 0

    return functools.wraps(function)(wrapper)


class Awaited:
    def __init__(self, inner):
        self._inner = inner

    def __await__(self):
        return steps(self._inner)


def steps(inner):
    """What `yield from inner` does, a region each time the inner one runs."""
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
        except BaseException as error:  # noqa: BLE001 - the inner one decides
            step, value = inner.throw, error


def stepped(step, value):
    if depth.of:
        return step(value)
    depth.of = 1
    enter()
    try:
        return step(value)
    finally:
        leave()
        depth.of = 0


def whole():
    """From here on to the end of the program."""
    import atexit

    atexit.register(leave)
    enter()


def calibrate():
    """Have the meter say what TIMES regions cost in which the least there is happens, and as many calls within one."""
    least = counted(len)
    for _ in range(20):
        least(())
    meter.more("-")
    for _ in range(TIMES):
        least(())
    meter.more("marking")
    plain = lambda nothing: nothing
    depth.of = 1
    for label, call in (("nested", counted(plain)), ("direct", plain)):
        for _ in range(20):
            call(())
        meter.more("-")
        meter.on()
        for _ in range(TIMES):
            call(())
        meter.off()
        meter.more(label)
    depth.of = 0
    entries.open()


def least():
    """What the meter sees of itself in a region."""
    found = []
    for _ in range(TIMES):
        enter()
        meter.off()
        found.append(meter.now() - depth.at)
    return min(found)


sys.setrecursionlimit(2 * sys.getrecursionlimit())  # each call of a marked function takes two frames
if meter.knows:
    meter.ignore({counted(len).__code__, enter.__code__, leave.__code__, Entries.add.__code__})
    LEAST = least()
else:
    calibrate()
