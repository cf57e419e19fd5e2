"""Child processes that run jobs one after the other; if a child hangs or dies, only the current result is lost.

The child answers through a pipe that was opened before it imported anything from the repository. A line counts only if
it starts with the token given by the host; code that runs in the child could still find that token in memory.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time

MOST_OPEN = 4096
GRACE, START = 2.0, 120.0
"""Seconds after its alarm at which an unresponsive child is killed, and seconds that a child has to start."""


class TimeUp(BaseException):
    """Raised when time is up. It is not an Exception, so that `except Exception` in the code under test does not catch
    it."""


class Alarm:
    """A context manager that raises TimeUp after some seconds, and again every second."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.armed = False

    def __enter__(self):
        self.armed = True
        signal.signal(signal.SIGALRM, self.ring)
        signal.setitimer(signal.ITIMER_REAL, self.seconds, 1.0)

    def ring(self, signum, frame):
        if self.armed:
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
        answers = Child(start, number, count, seconds, token).answers()
        try:
            for answer in answers:
                if answer["kind"] == "broken":
                    broken = answer["text"]
                    break
                yield answer
                number += 1
        finally:
            answers.close()
    for _ in range(number, count):
        yield {"kind": "broken", "text": broken}


class Child:
    """One child, which processes the numbers from `first` on until it finishes, hangs or dies."""

    def __init__(self, start, first, count, seconds, token):
        self.first, self.count, self.seconds, self.token = first, count, seconds, token.encode()
        self.reads, writes = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setpgid(0, 0)
                os.closerange(3, writes)  # the code under test inherits only the pipe and standard streams
                os.closerange(writes + 1, MOST_OPEN)
                self.work(start, writes)
            finally:
                os._exit(0)
        os.close(writes)
        self.data, self.ended = bytearray(), None

    def work(self, start, writes):
        dumps, write, token = json.dumps, os.write, self.token

        def send(answer):
            data = memoryview(token + dumps(answer).encode() + b"\n")
            while data:
                data = data[write(writes, data) :]

        try:
            work_on = start()
        except BaseException as error:  # noqa: BLE001 - importing a module may raise anything or exit
            send({"kind": "broken", "text": ("%s: %s" % (type(error).__name__, error))[:1000]})
            return
        send({"kind": "begun"})
        for number in range(self.first, self.count):
            try:
                with Alarm(self.seconds):
                    answer = work_on(number)
            except TimeUp:
                answer = {"kind": "late"}
            except BaseException as error:  # noqa: BLE001 - state that the code under test left may break this code
                answer = {"kind": "died", "text": ("%s: %s" % (type(error).__name__, error))[:1000]}
            send(answer)

    def answers(self):
        try:
            first = self.line(START)
            if first is None or first["kind"] != "begun":
                yield first or {"kind": "broken", "text": self.end()}
                return
            for _ in range(self.first, self.count):
                answer = self.line(self.seconds + GRACE)
                if answer is None:
                    yield {"kind": "late"} if self.ended is None else {"kind": "died", "text": self.end()}
                    return
                yield answer
        finally:
            self.end()

    def line(self, seconds):
        """Return the next answer, or None if time is up or the child has ended."""
        until = time.monotonic() + seconds
        while True:
            line, found, rest = self.data.partition(b"\n")
            if found:
                self.data = rest
                if line.startswith(self.token):
                    return json.loads(line[len(self.token) :].decode())
                continue
            over = self.over()  # checked before the pipe is read: if true, the pipe holds all of the child's output
            ready = select.select([self.reads], [], [], 0 if over else 0.2)[0]
            more = os.read(self.reads, 1 << 20) if ready else b""
            self.data += more
            if time.monotonic() > until or (over and not more):
                return None
            if ready and not more:
                time.sleep(0.01)  # the pipe is closed but the child is still running

    def over(self):
        """Return whether the child has ended; a process that it started may still hold the pipe open."""
        if self.ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.ended = status
        return self.ended is not None

    def end(self):
        """Kill the child if it is still running; return a message that says how it ended."""
        if self.ended is None:
            self.over()
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                kill(self.pid, signal.SIGKILL)
        if self.ended is None:
            self.ended = os.waitpid(self.pid, 0)[1]
        if self.reads is not None:
            os.close(self.reads)
            self.reads = None
        if os.WIFSIGNALED(self.ended):
            return "ended by signal %d" % os.WTERMSIG(self.ended)
        return "exited with code %d" % os.WEXITSTATUS(self.ended)
