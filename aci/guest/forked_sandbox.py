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
import warnings

SLAIN = signal.SIGVTALRM
"""What `cpu_limit` ends a process with."""
MEMORY_BYTES, LEAST_MEMORY = 1 << 30, 128 << 20
FILE_BYTES = 64 << 20
BLOCK = 1 << 16
LONGEST = 32000000
"""Bytes of a line; who says more without an end of line is not listened to."""
MOST_WORKERS = 16
MEMORY_FILES = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
ENDED_FIRST = 500
"""By how much likelier a child of ours is to be ended than its parent where the machine's memory is used up."""
PRIVATE = set()
"""Descriptors of ours that no child may have."""


class TimeUp(BaseException):
    """The CPU time of a test is used up."""


class _Alarm:
    """What the signal's handler knows: how often it came, and the file of the frame that it first came to."""

    count = 0
    file = ""


@contextlib.contextmanager
def cpu_limit(seconds):
    """Raise TimeUp after `seconds` of CPU time, the kernel's included, and again every 50 ms where the code under test
    catches it, and in the end where all of that was caught. Code that lets no Python run (a C loop) is ended with its
    process by `SLAIN`, after twice that and 0.2 s of its own CPU time."""
    _Alarm.count, _Alarm.file = 0, ""
    signal.signal(signal.SIGPROF, _time_up)
    signal.signal(SLAIN, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * seconds + 0.2)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if _Alarm.count:
            raise TimeUp()


def _time_up(signum, frame):
    _Alarm.count += 1
    if _Alarm.count == 1:
        _Alarm.file = frame.f_code.co_filename if frame else ""
    raise TimeUp()


def cut_in():
    """(how often time was up under the last `cpu_limit`, the file of the code that it first found running)."""
    return _Alarm.count, _Alarm.file


def forked(work, receive, patience):
    """Call `work(emit)` in a child; each `emit(value)` there is a `receive(value)` here.

    A child silent for `patience` seconds is killed with its descendants. Answers `done`, `timeout` where it was silent
    or `cpu_limit` ended it, or `died`.
    """
    child = Child(lambda emit, take: work(emit))
    last = time.monotonic()
    try:
        while not child.ended:
            if not select.select([child], [], [], max(0.0, patience - (time.monotonic() - last)))[0]:
                return "timeout"
            last = time.monotonic()
            for value in child.receive():
                receive(value)
    finally:
        child.kill()
    if child.done:
        return "done"
    return "timeout" if child.signal == SLAIN else "died"


class Child:
    """A forked process that runs `work(emit, take)`: JSON values go both ways.

    In it, `emit(value)` says a value and `take()` waits for one, None at the end. It has limits of its own, and no
    output. `ended`: it says nothing more; `done`: because its work returned. `signal` is what killed it, once it was
    reaped by `kill`.
    """

    def __init__(self, work):
        self.ended = self.done = False
        self.signal = 0
        self.unsent = b""
        self._lines = Lines()
        self._out, into = os.pipe()
        asked, self._in = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        PRIVATE.update((self._out, self._in))
        self.pid = _fork()
        if self.pid == 0:
            _live(work, asked, into)
        os.close(into)
        os.close(asked)
        os.set_blocking(self._in, False)
        with contextlib.suppress(OSError):
            os.setpgid(self.pid, self.pid)

    def fileno(self):
        return self._out

    def inlet(self):
        """The descriptor that takes what is `unsent`."""
        return self._in

    def send(self, value):
        """Say a value. What the child does not take now is `unsent`, and goes with `go_on`."""
        self.unsent += (json.dumps(value) + "\n").encode()
        self.go_on()

    def go_on(self):
        try:
            while self.unsent:
                self.unsent = self.unsent[os.write(self._in, self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:  # it has died, which is found by reading
            self.unsent = b""

    def receive(self):
        """The values that have come; waits where nothing has."""
        data = os.read(self._out, BLOCK)
        lines = self._lines.take(data)
        self.ended = not data or self._lines.length > LONGEST
        values = []
        for line in lines:
            try:
                value = json.loads(line.decode())
            except (ValueError, RecursionError):  # the code under test may have written there
                continue
            if value is None:
                self.ended = self.done = True
                break
            values.append(value)
        return values

    def kill(self):
        """End it and what it started, if it has not ended, and reap it."""
        if not self.pid:
            return
        PRIVATE.difference_update((self._out, self._in))
        os.close(self._out)
        os.close(self._in)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        if os.WIFSIGNALED(status) and self.ended:
            self.signal = os.WTERMSIG(status)


class Lines:
    """Bytes as they come, put together to lines. `length`: bytes of the line that has no end yet."""

    def __init__(self):
        self.length = 0
        self._parts = []

    def take(self, data):
        """The lines that end in `data`."""
        first, *more = data.split(b"\n")
        self._parts.append(first)
        self.length += len(first)
        if not more:
            return []
        lines = [b"".join(self._parts), *more]
        self._parts = [lines.pop()]
        self.length = len(self._parts[0])
        return lines


def number(value, most=1e9):
    """Whether it is a number from 0 to `most`: JSON has also infinite ones, and some without bounds."""
    return type(value) in (int, float) and 0 <= value <= most


def cores():
    """How many processes can run at once here, a container's share of the machine considered."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        if quota != "max":
            count = min(count, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return min(count, MOST_WORKERS)


def memory(files=MEMORY_FILES):
    """Bytes that a child may take beyond what its parent has: when all do so, there is enough for the parent too."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in files:
        with contextlib.suppress(OSError, ValueError), open(name) as file:  # not there, or `max`
            found.append(int(file.read()))
    return max(LEAST_MEMORY, min(MEMORY_BYTES, min(found) // (cores() + 2)))


def _fork():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which a repository may have begun
        return os.fork()


def _write(descriptor, value):
    data = (json.dumps(value) + "\n").encode()
    while data:
        data = data[os.write(descriptor, data) :]


def _live(work, asked, into):
    status = 1
    try:
        os.setpgid(0, 0)
        for descriptor in PRIVATE:
            os.close(descriptor)
        PRIVATE.clear()
        PRIVATE.update((asked, into))  # of children of its own
        _confine()
        reader = os.fdopen(asked, "rb")

        def take():
            line = reader.readline()
            return json.loads(line.decode()) if line else None

        work(lambda value: _write(into, value), take)
        _write(into, None)
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
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(str(ENDED_FIRST))
    for limit, value in ((resource.RLIMIT_AS, _address_space() + memory()), (resource.RLIMIT_FSIZE, FILE_BYTES)):
        hard = resource.getrlimit(limit)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _address_space():
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 4 << 30
