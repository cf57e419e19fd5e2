"""Sandbox that runs work in a forked child, which may loop, recurse, exhaust memory, print endlessly or die.

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

CPU_LIMIT_SIGNAL = signal.SIGVTALRM
"""The signal with which `cpu_limit` ends a process."""
MEMORY_BYTES, LEAST_MEMORY = 1 << 30, 128 << 20
FILE_BYTES = 64 << 20
BLOCK = 1 << 16
LONGEST = 32000000
"""Maximum number of bytes of a line; the parent stops reading from a child that writes a longer one."""
MOST_WORKERS = 16
MEMORY_FILES = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
ENDED_FIRST = 500
"""The children's `oom_score_adj`: if memory runs out, the kernel kills a child before its parent."""
PRIVATE_DESCRIPTORS = set()
"""Descriptors of the sandbox, which every child closes."""


class TimeUp(BaseException):
    """Raised when the CPU time of a test is used up."""


class _Alarm:
    """State of the signal handler: the number of signals, and the file of the frame that the first signal
    interrupted."""

    count = 0
    file = ""


@contextlib.contextmanager
def cpu_limit(seconds):
    """Raise TimeUp after `seconds` of CPU time (user and kernel).

    It is raised again every 50 ms in case the code under test catches it, and once more at the end of the context. Code
    that does not return to Python (such as a loop in C) is killed with its process by `CPU_LIMIT_SIGNAL`, after `2 *
    seconds + 0.2` of user CPU time.
    """
    _Alarm.count, _Alarm.file = 0, ""
    signal.signal(signal.SIGPROF, _time_up)
    signal.signal(CPU_LIMIT_SIGNAL, signal.SIG_DFL)
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


def alarm_state():
    """Return how often the last `cpu_limit` raised TimeUp, and the file of the code that it first interrupted."""
    return _Alarm.count, _Alarm.file


def run_forked(work, receive, patience, quiet=0.0):
    """Call `work(emit)` in a child; each `emit(value)` there calls `receive(value)` here.

    A child that is silent for `patience` seconds is killed with its descendants. Return `done`, `timeout` (it was
    silent, or `cpu_limit` ended it) or `died`. With `quiet`, a silent child is checked at intervals of so many seconds;
    return `waits` if it sleeps at two consecutive checks without using the CPU in between.
    """
    child = Child(lambda emit, take: work(emit))
    last, slept = time.monotonic(), None
    try:
        while not child.ended:
            left = max(0.0, patience - (time.monotonic() - last))
            if select.select([child], [], [], quiet or left)[0]:
                last, slept = time.monotonic(), None
                for value in child.receive():
                    receive(value)
                continue
            before, slept = slept, sleeping_time(child.pid) if quiet else None
            if slept is not None and slept == before:
                return "waits"
            if time.monotonic() - last >= patience:
                return "timeout"
    finally:
        child.kill()
    if child.done:
        return "done"
    return "timeout" if child.signal == CPU_LIMIT_SIGNAL else "died"


class Child:
    """A forked process that runs `work(emit, take)` and exchanges JSON values with its parent.

    In the child, `emit(value)` sends a value and `take()` waits for one (None at the end). The child has resource
    limits, and its output is discarded; `confine`, if given, prepares it instead. Lines that do not start with `token`
    are ignored. `ended` is true once the child sends nothing more, `done` if its work returned. `status` is its wait
    status and `signal` the signal that ended it, both known after `kill`.
    """

    def __init__(self, work, token=b"", confine=None):
        self.ended = self.done = False
        self.signal, self.status = 0, None
        self._token = token
        self.unsent = b""
        self._lines = LineBuffer()
        self._out, sink = os.pipe()
        source, self._in = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        PRIVATE_DESCRIPTORS.update((self._out, self._in))
        self.pid = _fork()
        if self.pid == 0:
            _run_child(work, source, line_writer(sink, token), confine or _confine, (source, sink))
        os.close(sink)
        os.close(source)
        os.set_blocking(self._in, False)
        with contextlib.suppress(OSError):
            os.setpgid(self.pid, self.pid)

    def fileno(self):
        return self._out

    def inlet(self):
        """Return the descriptor to which `unsent` data is written."""
        return self._in

    def send(self, value):
        """Send a value. Data that the child does not read immediately stays in `unsent`, for `send_rest`."""
        self.unsent += (json.dumps(value) + "\n").encode()
        self.send_rest()

    def send_rest(self):
        try:
            while self.unsent:
                self.unsent = self.unsent[os.write(self._in, self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:  # the child has died; reading from it will show that
            self.unsent = b""

    def receive(self):
        """Return the values that have arrived; wait if there is none."""
        data = os.read(self._out, BLOCK)
        lines = self._lines.take(data)
        self.ended = not data or self._lines.length > LONGEST
        values = []
        for line in lines:
            if not line.startswith(self._token):
                continue
            try:
                value = json.loads(line[len(self._token) :].decode())
            except (ValueError, RecursionError):  # the code under test may have written to the pipe
                continue
            if value is None:
                self.ended = self.done = True
                break
            values.append(value)
        return values

    def has_exited(self):
        """Return whether the child has exited; a process that it started may still hold the pipe open."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def kill(self):
        """Kill the child and its descendants, if they are still running, and reap it."""
        if not self.pid:
            return
        PRIVATE_DESCRIPTORS.difference_update((self._out, self._in))
        os.close(self._out)
        os.close(self._in)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        if self.status is None:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)  # it may have left its process group
            self.status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        if os.WIFSIGNALED(self.status) and self.ended:
            self.signal = os.WTERMSIG(self.status)


class LineBuffer:
    """A buffer that joins chunks of bytes into lines. `length` is the size of the incomplete line."""

    def __init__(self):
        self.length = 0
        self._parts = []

    def take(self, data):
        """Add data and return the lines that it completes."""
        first, *more = data.split(b"\n")
        self._parts.append(first)
        self.length += len(first)
        if not more:
            return []
        lines = [b"".join(self._parts), *more]
        self._parts = [lines.pop()]
        self.length = len(self._parts[0])
        return lines


def is_bounded_number(value, most=1e9):
    """Return whether a value is a number from 0 to `most`; numbers from JSON may also be infinite or arbitrarily
    large."""
    return type(value) in (int, float) and 0 <= value <= most


def process_fields(pid):
    """Return the fields of a process from /proc, beginning with its state; [] if they are unknown."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stat:
            return stat.read().rpartition(b")")[2].decode().split()
    except OSError:
        return []


def sleeping_time(pid):
    """Return the CPU time that a sleeping process has used so far; None if it is not sleeping or that is unknown."""
    fields = process_fields(pid)
    return fields[11:13] if fields[:1] == ["S"] else None


def core_count():
    """Return the number of processes that can run in parallel within the container's CPU quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        if quota != "max":
            count = min(count, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return min(count, MOST_WORKERS)


def memory_limit(files=MEMORY_FILES):
    """Return the number of bytes that a child may allocate in addition to its parent's; enough is left for the parent
    if all children reach this limit."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in files:
        with contextlib.suppress(OSError, ValueError), open(name) as file:  # the file does not exist, or holds `max`
            found.append(int(file.read()))
    return max(LEAST_MEMORY, min(MEMORY_BYTES, min(found) // (core_count() + 2)))


def _fork():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # `fork` warns about running threads
        return os.fork()


def line_writer(descriptor, token=b""):
    """Return a function that writes values to a descriptor as lines of JSON; other code may replace `json.dumps`."""
    dumps, write = json.dumps, os.write

    def write_line(value):
        data = memoryview(token + (dumps(value) + "\n").encode())
        while data:
            data = data[write(descriptor, data) :]

    return write_line


def _run_child(work, source, emit, confine, descriptors):
    try:
        os.setpgid(0, 0)
        for descriptor in PRIVATE_DESCRIPTORS:
            os.close(descriptor)
        PRIVATE_DESCRIPTORS.clear()
        PRIVATE_DESCRIPTORS.update(descriptors)  # closed by the child's own children
        confine()
        reader = os.fdopen(source, "rb")

        def take():
            line = reader.readline()
            return json.loads(line.decode()) if line else None

        work(emit, take)
        emit(None)
    finally:
        os._exit(0)


def _confine():
    """Confine the child: limit memory and file size, discard output, remove tracers, reset the alarm."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.settrace(None)
    threading.settrace(None)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(str(ENDED_FIRST))
    for limit, value in ((resource.RLIMIT_AS, _address_space() + memory_limit()), (resource.RLIMIT_FSIZE, FILE_BYTES)):
        hard = resource.getrlimit(limit)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _address_space():
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 4 << 30
