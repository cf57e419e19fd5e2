"""Runner of an issue's code snippets, one after the other, that reports which functions under a root were called.

Called with the path of a JSON job {"root", "snippets", "seconds", "out"}. Writes one JSON object to `out`:
{"functions": [[path, line of the def, name, calls], ..], "raised": [[path, line, name], ..], "error": text}. Calls
during imports are not counted, as they are the same for every snippet. Functions without parameters whose name begins
with `test` are also called if the snippet defines them; an imported one may be the runner of a whole suite. The results
so far are written before each snippet and when the time is up, so that an endless snippet does not discard the results
of earlier snippets. Standard library only, for the target's own Python (3.6 and later).
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
    """Counter of calls by code object, in all threads, without the calls made during imports."""

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
    """Return the path relative to the root, or None if it is not below the root."""
    path = os.path.realpath(filename)
    is_own = filename[:1] != "<" and path.startswith(root) and not any(part in path for part in FOREIGN)
    return path[len(root) :].replace(os.sep, "/") if is_own else None


def raised(root, error):
    found = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = inside(root, frame.f_code.co_filename)
        if path is not None:
            found.append([path, line, frame.f_code.co_name])
    return found[-50:]


def execute(snippet, name, names):
    exec(compile(snippet, name, "exec"), names)


def answer_writer(path):
    """Return a function that replaces the contents of a file with an answer, even if snippets change builtins."""
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
    """The time limit for all snippets together."""

    def __init__(self, seconds, write_answer):
        self.seconds, self.is_up, self.write_answer = max(int(seconds), 1), False, write_answer

    def up(self, signum, frame):
        self.is_up = True
        self.write_answer()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the next alarm kills the process if the error is ignored
        signal.alarm(GRACE)
        raise TimeoutError("The example took longer than %s seconds." % self.seconds)


def run(job, keep):
    root = os.path.join(os.path.realpath(job["root"]), "")
    calls, answer = Calls(), {"functions": [], "raised": [], "error": ""}
    names = {"__name__": "__main__"}

    def write_answer():
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
        except BaseException as error:  # noqa: BLE001 - untrusted code may raise anything or exit
            sys.setprofile(None)
            answer["error"] = "".join(traceback.format_exception_only(type(error), error)).strip()[-500:]
            answer["raised"] = raised(root, error)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    time = Time(job["seconds"], write_answer)
    signal.signal(signal.SIGALRM, time.up)
    signal.alarm(time.seconds)
    for n, snippet in enumerate(job["snippets"]):
        if time.is_up:
            break
        write_answer()
        before, filename = set(names), "<issue %d>" % n
        attempt(execute, snippet, filename, names)
        for name in sorted(set(names) - before):
            code = getattr(names[name], "__code__", None)
            is_own = getattr(code, "co_filename", "") == filename
            if name.startswith("test") and is_own and code.co_argcount == 0 and not time.is_up:
                attempt(names[name])
    signal.alarm(0)
    write_answer()


def main(path):
    with open(path) as opened:
        job = json.load(opened)
    run(job, answer_writer(job["out"]))
    os._exit(0)  # do not wait for threads that a snippet left running


if __name__ == "__main__":
    main(sys.argv[1])
