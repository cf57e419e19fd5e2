"""Runs a piece of work in a forked child that may loop, recurse, eat memory, print without end or die.

Standard library only, for the target's own Python (3.6 and later).
"""

import contextlib
import json
import os
import resource
import select
import signal
import sys
import threading
import time

MEMORY_BYTES = 2 << 30
FILE_BYTES = 64 << 20


class TimeUp(BaseException):
    """The CPU time of a test is used up."""


@contextlib.contextmanager
def cpu_limit(seconds):
    """Raise TimeUp after `seconds` of CPU time, and again every 50 ms where the code under test catches it, and in
    the end where all of that was caught."""
    late = []

    def time_up(signum, frame):
        late.append(signum)
        raise TimeUp()

    signal.signal(signal.SIGVTALRM, time_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if late:
            raise TimeUp()


def forked(work, receive, patience):
    """Call `work(emit)` in a child; each `emit(value)` there is a `receive(value)` here.

    A child silent for `patience` seconds is killed with its descendants. Answers `done`, `killed` or `died`.
    """
    out, into = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _live(work, out, into)
    os.close(into)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    try:
        return _listen(out, receive, patience)
    finally:
        os.close(out)
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _live(work, out, into):
    status = 1
    try:
        os.setpgid(0, 0)
        os.close(out)
        _confine()

        def emit(value):
            data = (json.dumps(value) + "\n").encode()
            while data:
                data = data[os.write(into, data) :]

        work(emit)
        emit(None)
        status = 0
    finally:
        os._exit(status)


def _confine():
    """Limits of a child: memory, size of files, no output, no tracer of the target's own, default signals."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.settrace(None)
    threading.settrace(None)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for limit, value in ((resource.RLIMIT_AS, _address_space() + MEMORY_BYTES), (resource.RLIMIT_FSIZE, FILE_BYTES)):
        hard = resource.getrlimit(limit)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _address_space():
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 4 << 30


def _listen(out, receive, patience):
    """How the child ended: it said that it was `done`, fell silent, or died."""
    buffer = b""
    last = time.monotonic()
    while True:
        ready = select.select([out], [], [], max(0.0, patience - (time.monotonic() - last)))[0]
        if not ready:
            return "killed"
        data = os.read(out, 1 << 16)
        if not data:
            return "died"
        last = time.monotonic()
        buffer += data
        lines = buffer.split(b"\n")
        buffer = lines.pop()
        for line in lines:
            value = json.loads(line.decode())
            if value is None:
                return "done"
            receive(value)
