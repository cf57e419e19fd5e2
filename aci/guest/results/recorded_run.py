"""The requested run, its result file, and other code shared by the recorders of pytest and unittest."""

import atexit
import errno
import json
import os
import re
import signal
import sys
import threading

FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLUGIN = __package__ + ".pytest_recorder"
MESSAGE, SHORT_MESSAGE, MANY = 4000, 300, 2000
"""Maximum number of characters of each of the first MANY messages, and of each later one, since the host holds all
results in memory."""
FRAMES = 60
SEPARATORS = re.compile(r"::|[.\[/]")


class Run:
    """The run that the host requested, and the file for its results."""

    def __init__(self, file):
        with open(file, encoding="utf-8") as opened:
            request = json.load(opened)
        self.root = os.path.realpath(request["root"])
        self.cache = request["cache"]
        self.limit = request["limit"]
        self.rooted = request.get("rooted", False)
        self.nodes = [normal(node) for node in request["nodes"]]
        self.description = request.get("process", "")
        self.file = file
        self.out = open(request["out"], "a", encoding="utf-8")  # noqa: SIM115  open until the process ends
        atexit.register(self.out.close)
        self.process = os.getpid()
        self.messages = 0

    def write(self, **line):
        if os.getpid() == self.process and not self.out.closed:
            self.out.write(json.dumps(line) + "\n")
            try:
                self.out.flush()
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    os.replace(self.file, os.path.join(os.path.dirname(self.file), "full"))  # possible on a full disk
                raise

    def result(self, id, outcome, message="", path="", line=0, seconds=0.0, error="", trace=()):
        self.write(
            id=id,
            outcome=outcome,
            message=self.cut(str(message)),
            path=relative_to(self.root, path) if path else "",
            line=line,
            seconds=round(seconds, 6),
            error=error,
            trace=list(trace),
        )

    def describe_process(self, tests):
        """Write down how this process can import the requested tests; `tests` are ids with the fixtures they use."""
        if not self.nodes or not self.description:
            return
        about = {
            "executable": sys.executable,
            "folder": os.getcwd(),
            "path": [os.path.abspath(path) for path in sys.path],
            "environment": dict(os.environ),
            "tests": tests,
        }
        try:
            with open(self.description, "w", encoding="utf-8") as file:
                json.dump(about, file)
        except (OSError, ValueError):
            pass

    def cut(self, message):
        self.messages += bool(message)
        return message[-MESSAGE if self.messages <= MANY else -SHORT_MESSAGE :]


def relative_to(root, path):
    """Return a path relative to the repository if it is inside, else an absolute one, in POSIX form."""
    path = os.path.realpath(os.path.join(root, path))
    inside = path.startswith(root + os.sep)
    return (os.path.relpath(path, root) if inside else path).replace(os.sep, "/")


def frames(root, traceback):
    """Return the repository's own frames, innermost last: [path, line, function]."""
    found = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        path = relative_to(root, code.co_filename)
        if not os.path.isabs(path) and "site-packages" not in path:
            found.append([path, traceback.tb_lineno, code.co_name])
        traceback = traceback.tb_next
    return found[-FRAMES:]


class RanTooLong(BaseException):
    """A test exceeded its time limit. Derives from BaseException so that the code under test does not catch it."""


class Clock:
    """Time limit for tests: fails a test that runs longer than `limit` seconds.

    The limit is halved after each test that exceeds it, but not below `least`. It uses SIGALRM, so it is inactive if
    other code uses that signal. A hang in C code is ended only by the time limit of the whole run.
    """

    def __init__(self, limit):
        self.limit = limit
        self.least = max(limit / 20, min(limit, 1))

    def start(self):
        main = threading.current_thread() is threading.main_thread()
        if self.limit and main and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL:
            signal.signal(signal.SIGALRM, self.ring)
            signal.setitimer(signal.ITIMER_REAL, self.limit, 1)

    def stop(self):
        if signal.getsignal(signal.SIGALRM) == self.ring:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def ring(self, *_):
        limit, self.limit = self.limit, max(self.limit / 2, self.least)
        raise RanTooLong("ran longer than {:g} s".format(limit))


def take_requested_run():
    """Return the run that the environment requests, or None; remove the recorder from the environment."""
    remove_recorder()
    file = os.environ.pop("SWE_AGENT_RUN", "")
    return Run(file) if file else None


def remove_recorder():
    """Remove the recorder from sys.path and the environment, to give tests and their children the user's own values."""
    sys.path[:] = [path for path in sys.path if path != FOLDER]
    _without("PYTHONPATH", os.pathsep, FOLDER)
    _without("PYTEST_PLUGINS", ",", PLUGIN)


def restore_recorder():
    """Add the recorder to the environment again, for processes of this run that have to load it."""
    for name, separator, own_value in (("PYTHONPATH", os.pathsep, FOLDER), ("PYTEST_PLUGINS", ",", PLUGIN)):
        _without(name, separator, own_value)
        os.environ[name] = separator.join([own_value] + ([os.environ[name]] if os.environ.get(name) else []))


def _without(name, separator, own_value):
    if name in os.environ:
        left = [part for part in os.environ[name].split(separator) if part != own_value]
        os.environ[name] = separator.join(left)
        if not left:
            del os.environ[name]


def normal(node):
    path, colons, rest = node.partition("::")
    if "/" in path or path.endswith(".py"):
        path = os.path.normpath(path).replace(os.sep, "/")
    return path + colons + rest


def dotted(path):
    return re.sub(r"\.py$", "", path).replace("/", ".").replace("::", ".")


def is_wanted(names, nodes):
    """Return whether one of a test's names is a node or lies below one (its class, file or folder)."""
    return any(
        name in nodes or any(name[: cut.start()] in nodes for cut in SEPARATORS.finditer(name)) for name in names
    )
