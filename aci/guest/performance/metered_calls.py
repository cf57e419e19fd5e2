"""Makes calls of the function under work while a meter counts: what `counted` starts, under valgrind where that counts.

Each call has a process of its own: a fork of one that has imported the module and called nothing, so the first call
in it is the first of a fresh process, at the cost of a fork. It imports little, as all that is slow under valgrind.
"""

import functools
import gc
import json
import os
import signal
import sys
import threading
import time

TURNS = ("cold", "", "", "warm")
"""Labels of the calls of one process; the cold one is the first of three that warm up."""

PATIENCE = 5.0
"""Seconds for threads and child processes that a call left running."""


def calls(job):
    """Under the meter: every call of the job, each in its own process."""
    kind, region, ours = siblings(job["meter"])
    sys.path[:0] = [each for each in (job["root"],) if each not in sys.path]
    function, _ = ours.subject(job["root"], job["path"], job["name"])
    out = job["out"]
    meter, read = kind(out), ours.read
    for _ in range(4):
        meter.run(len, ((),), {}, "-")
    alone(job, "empty", lambda: meter.run(len, ((),), {}, "empty"))
    for n, file in enumerate(job["calls"]):
        alone(job, n, functools.partial(one, (meter, region), out, function, (read, file), n))


def siblings(kind):
    """The meter, `meters.region` and the module `subject`: no longer under names that the repository may have, too."""
    import meters
    import subject

    found = meters.meter(kind), meters.region, subject
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if os.path.abspath(each) != folder]
    for name in ("meters", "meters_told", "subject"):
        sys.modules.pop(name, None)
    return found


def alone(job, n, work):
    """Do it in a fork; how that died, if it did, is told in a file."""
    child = os.fork()
    if not child:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(int(job["seconds"]) + 1)
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the parent tells
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    if status:
        with open(os.path.join(job["out"], "died.%s" % n), "w") as stream:
            stream.write(str(status))


def one(ways, out, function, call, n):
    (meter, region), (read, file) = ways, call
    for turn in TURNS:
        args, kwargs = read(file)
        threads = set(threading.enumerate())
        if not turn:
            region(int, int, function, args, kwargs)
            settle(threads)
            continue
        label = "%04d %s" % (n, turn)
        gc.collect()
        gc.disable()
        result = meter.run(function, args, kwargs, label)
        if settle(threads):
            meter.more(label)
        with open(os.path.join(out, "settled." + label), "w"):
            pass  # its time tells which processes ended until now; a list of their names would move what comes after
        gc.enable()
        del result, args, kwargs


def settle(threads):
    """Wait for threads and child processes that a call left; whether there were any threads."""
    until = time.monotonic() + PATIENCE
    left = [thread for thread in threading.enumerate() if thread not in threads]
    for thread in left:
        thread.join(max(until - time.monotonic(), 0))
    try:
        while os.waitpid(-1, os.WNOHANG)[0] or time.monotonic() < until:
            time.sleep(0.01)
    except ChildProcessError:
        pass
    return bool(left)


if __name__ == "__main__":
    with open(sys.argv[1]) as opened:
        calls(json.load(opened))
