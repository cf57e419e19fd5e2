"""Runs pieces of work in a child process, one after the other; what hangs or dies loses only itself.

The child answers through a pipe that was there before it imported anything of the repository; a line counts if it
begins with the token that the host gave. What runs in the child could still look for that token in its memory.
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
"""Seconds after which a child that does not heed its alarm is killed, and in which it has to be ready."""


class TimeUp(BaseException):
    """Not an Exception: what is at work should not catch it."""


class Alarm:
    """Raises TimeUp in what is inside after some seconds, and each second again."""

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


def each(start, count, seconds, token):
    """Yields, for each number, what `start()(number)` gave in a child: a dict that JSON can hold.

    {"kind": "late"}, {"kind": "died", "text"} where it did not, and {"kind": "broken", "text"} where `start` raised.
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
    """One child, which works from a number on until it is through, hangs or dies."""

    def __init__(self, start, first, count, seconds, token):
        self.first, self.count, self.seconds, self.token = first, count, seconds, token.encode()
        self.reads, writes = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setpgid(0, 0)
                os.closerange(3, writes)  # nothing else of ours is open to what runs here
                os.closerange(writes + 1, MOST_OPEN)
                self.work(start, writes)
            finally:
                os._exit(0)
        os.close(writes)
        self.data, self.ended = bytearray(), None

    def work(self, start, writes):
        dumps, write, token = json.dumps, os.write, self.token

        def tell(answer):
            data = memoryview(token + dumps(answer).encode() + b"\n")
            while data:
                data = data[write(writes, data) :]

        try:
            do = start()
        except BaseException as error:  # noqa: BLE001 - importing a module may raise, or leave, in any way
            tell({"kind": "broken", "text": ("%s: %s" % (type(error).__name__, error))[:1000]})
            return
        tell({"kind": "begun"})
        for number in range(self.first, self.count):
            try:
                with Alarm(self.seconds):
                    answer = do(number)
            except TimeUp:
                answer = {"kind": "late"}
            except BaseException as error:  # noqa: BLE001 - what the code under test left behind may break ours
                answer = {"kind": "died", "text": ("%s: %s" % (type(error).__name__, error))[:1000]}
            tell(answer)

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
        """The next answer, or None where time is up or the child has ended."""
        until = time.monotonic() + seconds
        while True:
            line, found, rest = self.data.partition(b"\n")
            if found:
                self.data = rest
                if line.startswith(self.token):
                    return json.loads(line[len(self.token) :].decode())
                continue
            over = self.over()  # asked before the pipe is looked at: then all that it said is in there
            ready = select.select([self.reads], [], [], 0 if over else 0.2)[0]
            more = os.read(self.reads, 1 << 20) if ready else b""
            self.data += more
            if time.monotonic() > until or (over and not more):
                return None
            if ready and not more:
                time.sleep(0.01)  # closed, and the child is still there

    def over(self):
        """Whether the child has ended; one that it started may still hold the pipe."""
        if self.ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.ended = status
        return self.ended is not None

    def end(self):
        """End it if need be; in words how it ended."""
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
        return "left with exit code %d" % os.WEXITSTATUS(self.ended)
