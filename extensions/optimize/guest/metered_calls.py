"""Metered calls of the target function; `count_runner` starts this program, under valgrind if that is the meter.

Each call runs in its own process, forked from one that has imported the module but called nothing, so that a cold first
call costs only a fork. The program imports little, as imports are slow under valgrind.
"""

import functools
import gc
import json
import os
import signal
import sys
import threading
import time

from extensions.experiment.guest.subject_function import hide_own_modules, load_call, load_subject

from .meters import meter_class as new_meter
from .region_runner import run_region

WARM_UP = 3
"""Number of calls in a process before the one that counts as warm."""

PATIENCE = 5.0
"""Seconds to wait for threads and child processes that a call left running."""


def calls(job):
    """Run every call of the job under the meter, each in its own process."""
    sys.path[:0] = [each for each in (job["root"],) if each not in sys.path]
    out = job["out"]
    meter = new_meter(job["meter"])(out)
    hide_own_modules()
    function, _ = load_subject(job["root"], job["path"], job["name"])
    meter.start()
    for _ in range(4):
        meter.run(len, ((),), {}, "-")
    run_in_fork(job, "empty", lambda: meter.run(len, ((),), {}, "empty"))
    count = functools.partial(count_runs, meter, out, function)
    for n, file in enumerate(job["calls"]):
        run_in_fork(
            job, n, functools.partial(count, n, [(file, "cold"), *[(file, "")] * (WARM_UP - 1), (file, "warm")])
        )
    for n, file in enumerate(job["large"], len(job["calls"])):
        run_in_fork(job, n, functools.partial(count, n, [*[(job["warm_up"], "")] * WARM_UP, (file, "warm")]))


def run_in_fork(job, n, work):
    """Call `work` in a forked child; if it fails, write the child's wait status to a file."""
    child = os.fork()
    if not child:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(int(job["seconds"]) + 1)
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the parent reports the exit status
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    if status:
        with open(os.path.join(job["out"], "died.%s" % n), "w") as stream:
            stream.write(str(status))


def count_runs(meter, out, function, n, runs):
    """Run the (file, label) calls of one process; those without a label only warm it up."""
    for file, kind in runs:
        args, kwargs = load_call(file)
        threads = set(threading.enumerate())
        if not kind:
            run_region(int, int, function, args, kwargs)
            settle(threads)
            continue
        label = "%04d %s" % (n, kind)
        gc.collect()
        gc.disable()
        result = meter.run(function, args, kwargs, label)
        if settle(threads):
            meter.more(label)
        with open(os.path.join(out, "settled." + label), "w"):
            pass  # its mtime tells which processes ended before; listing them here would affect later counts
        gc.enable()
        del result, args, kwargs


def settle(threads):
    """Wait for threads and child processes that a call left running; return whether there were any threads."""
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


def main(file, path):
    sys.path[:] = json.loads(path)
    with open(file) as opened:
        calls(json.load(opened))
