"""Child processes that run jobs one after the other; if a child hangs or dies, only the current result is lost.

The child answers through a pipe that was opened before it imported anything from the repository. A line counts only if
it starts with the token given by the host; code that runs in the child could still find that token in memory.
"""

import functools
import os
import select
import signal
import time
from time import monotonic, process_time  # bound here, as the code under test may replace them in `time`

from extensions.experiment.guest.forked_sandbox import PRIVATE_DESCRIPTORS, Child, TimeUp

MOST_OPEN = 4096
GRACE, START, WAITING = 2.0, 120.0, 4.0
"""Seconds after its alarm at which an unresponsive child is killed, seconds that a child has to start, and wall time
that a call may take per second of processor time."""


class Alarm:
    """A context manager that raises TimeUp after some seconds of processor time, and again every second.

    Processor time does not depend on the machine's load. What waits instead is stopped after WAITING times the seconds.
    """

    def __init__(self, seconds):
        self.seconds = seconds
        self.armed = False

    def __enter__(self):
        self.armed = True
        self.used, self.began = process_time(), monotonic()
        signal.signal(signal.SIGALRM, self.ring)
        # Not ITIMER_PROF: while it is set, the clock of processor time may be coarse.
        signal.setitimer(signal.ITIMER_REAL, self.seconds, min(self.seconds, 1.0))

    def ring(self, signum, frame):
        is_over = process_time() - self.used >= self.seconds
        waits = monotonic() - self.began >= WAITING * self.seconds
        if self.armed and (is_over or waits):
            raise TimeUp()

    def __exit__(self, *error):
        self.armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)


def run_in_children(start, count, seconds, token):
    """Yield the result of `start()(number)`, a JSON-serializable dict, for each number; the calls run in child
    processes.

    The result is {"kind": "late"} or {"kind": "died", "text"} if the child returned no result, and {"kind": "broken",
    "text"} if `start` raised.
    """
    number, broken = 0, ""
    while number < count and not broken:
        work = functools.partial(_work, start, range(number, count), seconds)
        child = Child(work, token.encode(), _close_descriptors)
        try:
            for answer in _answers(child, count - number, seconds):
                if answer["kind"] == "broken":
                    broken = answer["text"]
                    break
                yield answer
                number += 1
        finally:
            child.kill()
    for _ in range(number, count):
        yield {"kind": "broken", "text": broken}


def _close_descriptors():
    """Close all descriptors except the pipes to the parent and the standard streams, which the code under test uses."""
    first = 3
    for descriptor in sorted(PRIVATE_DESCRIPTORS):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, MOST_OPEN)


def _work(start, numbers, seconds, send, take):
    try:
        work_on = start()
    except BaseException as error:  # noqa: BLE001 - importing a module may raise anything or exit
        send({"kind": "broken", "text": ("%s: %s" % (type(error).__name__, error))[:1000]})
        return
    send({"kind": "begun"})
    for number in numbers:
        try:
            with Alarm(seconds):
                answer = work_on(number)
        except TimeUp:
            answer = {"kind": "late"}
        except BaseException as error:  # noqa: BLE001 - state that the code under test left may break this code
            answer = {"kind": "died", "text": ("%s: %s" % (type(error).__name__, error))[:1000]}
        send(answer)


def _answers(child, count, seconds):
    """Yield `count` answers of a child, however many it sends; the last one says how the child ended if it answers no
    more."""
    until, has_begun = monotonic() + START, False
    while count:
        # Checked before the pipe is read: if true, the pipe holds all of the child's output.
        exited = child.has_exited()
        ready = select.select([child], [], [], 0 if exited else 0.2)[0]
        for answer in child.receive() if ready else ():
            if has_begun or answer["kind"] != "begun":
                yield answer
                count -= 1
                if not count:
                    return
            has_begun, until = True, monotonic() + WAITING * seconds + GRACE
        if exited and (child.ended or not ready):
            break
        if monotonic() > until:
            break
        if child.ended:
            time.sleep(0.01)  # the pipe is closed but the child is still running
    if count and has_begun and not exited:
        yield {"kind": "late"}
    elif count:
        yield {"kind": "died" if has_begun else "broken", "text": _ending(child)}


def _ending(child):
    """Kill the child if it is still running; return a message that says how it ended."""
    child.kill()
    if os.WIFSIGNALED(child.status):
        return "ended by signal %d" % os.WTERMSIG(child.status)
    return "exited with code %d" % os.WEXITSTATUS(child.status)
