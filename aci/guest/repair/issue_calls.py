"""Runs the snippets of an issue one after the other and tells which functions under a root were called.

Called with the path of a JSON job {"root", "snippets", "seconds", "out"}. Writes one JSON object to `out`:
{"functions": [[path, line of the def, name, calls], ..], "raised": [[path, line, name], ..], "error": text}. What runs
while a module is being imported does not count: it would be the same for any example. Functions `test_*` without
parameters are called too. What is known is written before each snippet and when the time is up, so that one which
never ends loses nothing of the others. Standard library only, for the target's own Python (3.6 and later).
"""

import json
import os
import signal
import sys
import threading
import traceback

FOREIGN = (os.sep + "site-packages" + os.sep, os.sep + ".venv" + os.sep, os.sep + ".tox" + os.sep)
IMPORTING = "_find_and_load"
LIMIT = 20000
GRACE = 2


class Calls:
    """Counts calls by code object, per thread outside of imports."""

    def __init__(self):
        self.counts = {}
        self._local = threading.local()

    def __call__(self, frame, event, argument):
        code = frame.f_code
        if code.co_name == IMPORTING and code.co_filename.startswith("<frozen importlib"):
            depth = getattr(self._local, "depth", 0)
            self._local.depth = depth + (event == "call") - (event == "return")
        elif event == "call" and not getattr(self._local, "depth", 0):
            self.counts[code] = self.counts.get(code, 0) + 1


def inside(root, filename):
    """The path relative to the root, or None."""
    path = os.path.realpath(filename)
    ours = filename[:1] != "<" and path.startswith(root) and not any(part in path for part in FOREIGN)
    return path[len(root) :].replace(os.sep, "/") if ours else None


def raised(root, error):
    found = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = inside(root, frame.f_code.co_filename)
        if path is not None:
            found.append([path, line, frame.f_code.co_name])
    return found[-50:]


def execute(snippet, name, names):
    exec(compile(snippet, name, "exec"), names)


def keeper(path):
    """A function that puts an answer into a file in place of the one before, whatever snippets do to builtins."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    dumps, seek, write, cut = json.dumps, os.lseek, os.write, os.ftruncate

    def keep(answer):
        data = dumps(answer).encode()
        cut(number, 0)
        seek(number, 0, 0)
        while data:
            data = data[write(number, data) :]

    return keep


class Time:
    """The time that all snippets have together."""

    def __init__(self, seconds, tell):
        self.seconds, self.is_up, self.tell = max(int(seconds), 1), False, tell

    def up(self, signum, frame):
        self.is_up = True
        self.tell()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends what does not heed the error
        signal.alarm(GRACE)
        raise TimeoutError("The example took longer than %s seconds." % self.seconds)


def run(job, keep):
    root = os.path.join(os.path.realpath(job["root"]), "")
    calls, answer = Calls(), {"functions": [], "raised": [], "error": ""}
    names = {"__name__": "__main__"}

    def tell():
        functions = []
        for code, count in list(calls.counts.items()):
            path = inside(root, code.co_filename)
            if path is not None and code.co_name != "<module>":
                functions.append([path, code.co_firstlineno, code.co_name, count])
        answer["functions"] = sorted(functions)[:LIMIT]
        keep(answer)

    def attempt(work, *arguments):
        threading.setprofile(calls)
        sys.setprofile(calls)
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - a stranger's code may raise, or leave, in any way
            sys.setprofile(None)
            answer["error"] = "".join(traceback.format_exception_only(type(error), error)).strip()[-500:]
            answer["raised"] = raised(root, error)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    time = Time(job["seconds"], tell)
    signal.signal(signal.SIGALRM, time.up)
    signal.alarm(time.seconds)
    for n, snippet in enumerate(job["snippets"]):
        if time.is_up:
            break
        tell()
        before = set(names)
        attempt(execute, snippet, "<issue %d>" % n, names)
        for name in sorted(set(names) - before):
            code = getattr(names[name], "__code__", None)
            if name.startswith("test") and code is not None and code.co_argcount == 0 and not time.is_up:
                attempt(names[name])
    signal.alarm(0)
    tell()


def main(path):
    with open(path) as opened:
        job = json.load(opened)
    run(job, keeper(job["out"]))
    os._exit(0)  # threads that a snippet left do not matter


if __name__ == "__main__":
    main(sys.argv[1])
