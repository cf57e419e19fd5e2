"""Runs the snippets of an issue one after the other and tells which functions under a root were called.

Called with the path of a JSON job {"root", "snippets", "seconds", "out"}. Writes one JSON object to `out`:
{"functions": [[path, line of the def, name, calls], ..], "raised": [[path, line, name], ..], "error": text}. What runs
while a module is being imported does not count: it would be the same for any example. Functions `test_*` without
parameters are called too. Standard library only, for the target's own Python (3.6 and later).
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


def run(job):
    root = os.path.join(os.path.realpath(job["root"]), "")
    calls, answer = Calls(), {"functions": [], "raised": [], "error": ""}
    names = {"__name__": "__main__"}

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

    for n, snippet in enumerate(job["snippets"]):
        before = set(names)
        attempt(execute, snippet, "<issue %d>" % n, names)
        for name in sorted(set(names) - before):
            code = getattr(names[name], "__code__", None)
            if name.startswith("test") and code is not None and code.co_argcount == 0:
                attempt(names[name])
    for code, count in calls.counts.items():
        path = inside(root, code.co_filename)
        if path is not None and code.co_name != "<module>":
            answer["functions"].append([path, code.co_firstlineno, code.co_name, count])
    answer["functions"] = sorted(answer["functions"])[:LIMIT]
    return answer


def main(path):
    with open(path) as opened:
        job = json.load(opened)
    out = open(job["out"], "w")  # noqa: SIM115 - opened before a snippet may change what open is

    def time_up(signum, frame):
        raise TimeoutError("The example took longer than %s seconds." % job["seconds"])

    signal.signal(signal.SIGALRM, time_up)
    signal.alarm(max(int(job["seconds"]), 1))
    answer = run(job)
    signal.alarm(0)
    out.write(json.dumps(answer))
    out.flush()
    os._exit(0)  # threads that a snippet left do not matter


if __name__ == "__main__":
    main(sys.argv[1])
