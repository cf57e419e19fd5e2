"""What tests run: lines of some files, functions of the repository, and whether they start processes.

Standard library only, for the target's own Python (3.6 and later).
"""

import os
import sys
import threading
from functools import partial

from .forked_sandbox import run_forked
from .item_runners import run_watched
from .recorded_calls import is_test
from .replaced_names import replaced_names

SECONDS = 10.0
"""Maximum CPU seconds of a test."""
PATIENCE = 30.0
"""Wall-clock seconds after which a silent child is killed."""
MOST_FUNCTIONS = 5000
MOST_NAMES = 200
SHOWING = {"warnings.py", "traceback.py", "runpy.py", "pprint.py"}
"""Files of the library that read source in order to show or run it."""
LOOKING = {"linecache.py", "inspect.py"}
SPAWNED = ("multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver")
"""Modules that start processes without an audit event."""
STARTS = (
    "subprocess.Popen",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "sys.settrace",
)
"""Audit events of a new process, or of another tracer. Code may run unseen then."""


def run_contact(job):
    """Return `{"lines": {path: [number, ..]}, "functions": [[path, name], ..], "elsewhere": bool, "unseen": bool,
    "replaced": [name, ..], "reads": bool, "inspects": bool}`, or None if the tests did not end.

    The tests run in a child. `lines` are those of `job.spec["files"]` that ran, except on import. `elsewhere` is true
    if more may run elsewhere: a test starts a process, or this Python cannot tell. `unseen` is true if a test is
    skipped or cannot be loaded here, as one that reads the address of the suite's server. `replaced` are names of
    Python's library that were replaced. `reads` is true if the files read a test's source, `inspects` if the tests
    read source.
    """
    found = []
    run_forked(partial(_emit_contact, job), found.append, max(1.0, min(PATIENCE, job.left())))
    return found[0] if found else None


def _emit_contact(job, emit):
    watcher = ContactWatcher(job.editor.root, job.spec["files"])
    unseen = False
    for name in job.spec["tests"]:
        ran = "skipped"
        if name in job.tests:
            watcher.start()
            ran = run_watched(job.tests[name], SECONDS, watcher)
        unseen = unseen or ran == "skipped"
    emit(
        {
            "lines": {path: sorted(lines) for path, lines in watcher.lines.items()},
            "functions": sorted(watcher.functions)[:MOST_FUNCTIONS],
            "elsewhere": watcher.elsewhere,
            "unseen": unseen,
            "replaced": replaced_names()[:MOST_NAMES],
            "reads": watcher.reads,
            "inspects": watcher.inspects,
        }
    )


class ContactWatcher:
    """Tracer of the repository's source, active between `start` and `stop`."""

    def __init__(self, root, paths):
        self.root = os.path.join(os.path.realpath(root), "")
        self.lines = {path: set() for path in paths}
        self.functions = set()
        self.elsewhere = not hasattr(sys, "addaudithook")
        self.reads = self.inspects = False
        self._paths = {}
        self._active = False
        if not self.elsewhere:
            sys.addaudithook(self._on_audit)

    def start(self):
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)
        self._active = True

    def stop(self):
        self._active = False
        sys.settrace(None)
        threading.settrace(None)
        self.elsewhere = self.elsewhere or any(name in sys.modules for name in SPAWNED)

    def _on_audit(self, event, arguments):
        if not self._active:
            return
        if event in STARTS:
            self.elsewhere = True
        elif event == "open" and str(arguments[0]).endswith(".py"):
            self._on_open(os.path.realpath(str(arguments[0])), arguments[1], sys._getframe(1))

    def _on_open(self, path, mode, frame):
        """Note that the innermost frame of the repository reads a file of its source."""
        passed = set()
        while frame is not None and self._parts(frame.f_code.co_filename) is None:
            passed.add(os.path.basename(frame.f_code.co_filename))
            frame = frame.f_back
        if (
            frame is None
            or any(name[:1] == "<" for name in passed)
            or passed & SHOWING
            or not path.startswith(self.root)
            or (mode or "r")[:1] != "r"
        ):
            return
        reader, is_of_test = self._parts(frame.f_code.co_filename), is_test(path[len(self.root) :].split(os.sep))
        if is_test(reader):
            self.inspects = self.inspects or not is_of_test
        elif (
            is_of_test and "test" in os.path.basename(path) and "/".join(reader) in self.lines and not passed & LOOKING
        ):
            self.reads = True

    def _parts(self, name):
        """Return the parts of a path below the root, or None."""
        path = os.path.realpath(name)
        return path[len(self.root) :].split(os.sep) if name[:1] != "<" and path.startswith(self.root) else None

    def _on_call(self, frame, event, argument):
        path = self._path(frame.f_code.co_filename)
        if path is None:
            return None
        self.functions.add((path, frame.f_code.co_name))
        seen = self.lines.get(path)
        if seen is None:
            return None
        seen.add(frame.f_lineno)

        def on_line(frame, event, argument):
            if event == "line":
                seen.add(frame.f_lineno)
            return on_line

        return on_line

    def _path(self, name):
        """Return the path of a source file below the root, None for tests and for files elsewhere."""
        if name not in self._paths:
            full = os.path.realpath(name)
            inside = name[:1] != "<" and full.startswith(self.root)
            path = full[len(self.root) :].replace(os.sep, "/") if inside else ""
            self._paths[name] = path if path in self.lines or (path and not is_test(path.split("/"))) else None
        return self._paths[name]
