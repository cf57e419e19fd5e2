"""Recorder of the calls of a function in this process and its children, started by sitecustomize.

Once the function's module is loaded, its code object is replaced by a stub, so that references taken earlier are
covered too. During a call the function has its own code again: only outermost calls are recorded, and recursion costs
nothing. (Calls in another thread during such a call are missed.) Arguments are pickled before the call. Errors here
must not make the command fail.
"""

import atexit
import contextlib
import hashlib
import inspect
import json
import os
import struct
import sys
import threading
import time
import types
import warnings

from extensions.experiment.guest.call_frames import call_arguments
from extensions.experiment.guest.subject_function import module_name

from .call_pickles import dumps, repository_folders

LARGEST, BYTES, A_SIZE, CALLS, SECONDS = 4 << 20, 24 << 20, 24, 100000, 30.0
"""Limits: bytes of one call, bytes of all calls, recorded calls per size class (powers of two), all calls, and seconds
spent on recording."""
ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
LAZY = inspect.CO_GENERATOR | ASYNC
STUB = """\
def make({free}):
    def stub(*args, **kwargs):
        if 0:
            ({free})
        return __import__("sys").modules[{module!r}].called(args, kwargs)
    return stub
"""
recorder = None
_write, _clock = os.write, time.perf_counter


class Recorder:
    """The calls recorded in this process, and the files to which they are written."""

    def __init__(self, job):
        self.job, self.root = job, os.path.realpath(job["root"])
        self.file = os.path.join(self.root, *job["path"].split("/"))
        self.function = self.original = self.own_code = self.stub = None
        self.bare = job["name"].endswith(".__init__")
        self.local = threading.local()
        self.checks_stack = False  # whether nested calls can be detected only from the stack
        self.reset()

    def reset(self):
        """Reset the state, initially and in each child process, which has its own files."""
        self.process, self.descriptor = os.getpid(), None
        self.times, self.sizes, self.lost = {}, {}, {}
        self.bytes, self.count, self.seconds, self.refused = 0, 0, 0.0, ""

    def install(self, names):
        """Replace the code of the function, which is looked up in `names`; if that is not possible, record the
        reason."""
        if self.function is not None:
            return None  # the file was loaded as a module under two names
        *owners, last = self.job["name"].split(".")
        holder = names
        for owner in owners:
            holder = vars(holder[owner])
        found = holder[last]
        found = getattr(found, "__func__", found)
        while not isinstance(found, types.FunctionType):
            if isinstance(found, property) or not hasattr(found, "__wrapped__"):
                self.refused = "it is a %s, not a function" % type(found).__name__
                return self.write_state()
            found = found.__wrapped__
        if found.__code__.co_flags & ASYNC:
            self.refused = "it is async, so what a call does depends on its caller"
            return self.write_state()
        self.function, self.own_code = found, found.__code__
        self.checks_stack = self.checks_stack or self.own_code.co_flags & LAZY
        self.original = types.FunctionType(
            found.__code__, found.__globals__, found.__name__, found.__defaults__, found.__closure__
        )
        self.original.__kwdefaults__, self.original.__qualname__ = found.__kwdefaults__, found.__qualname__
        free = "".join(name + ", " for name in self.own_code.co_freevars)
        made = {}
        exec(STUB.format(free=free, module=__name__), made)
        self.stub = made["make"](*self.own_code.co_freevars).__code__
        with contextlib.suppress(TypeError, ValueError):
            found.__signature__ = inspect.signature(found)
        found.__code__ = self.stub
        return self.write_state()

    def called(self, args, kwargs):
        if getattr(self.local, "depth", 0) or (self.checks_stack and self.is_nested()):
            return self.original(*args, **kwargs)
        self.local.depth = 1
        self.record(args, kwargs)
        self.function.__code__ = self.own_code
        try:
            return self.original(*args, **kwargs)
        finally:
            self.local.depth = 0
            if self.count < CALLS and self.seconds < SECONDS:
                self.function.__code__ = self.stub

    def is_nested(self):
        """Return whether the call comes from the function's own generator."""
        frame = sys._getframe(2)
        for _ in range(1000):
            if frame is None or frame.f_code is self.own_code:
                return frame is not None
            frame = frame.f_back
        return True

    def record(self, args, kwargs):
        began = _clock()
        try:
            if os.getpid() != self.process:
                self.reset()
            self.count += 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.store(dumps(args, kwargs, repository_folders(self.root), self.main(), self.bare))
        except Exception as error:  # noqa: BLE001 - any object may refuse to be pickled, in any way
            reason = "%s: %s" % (type(error).__name__, str(error)[:100])
            if len(self.lost) < 50 or reason in self.lost:
                self.lost[reason] = self.lost.get(reason, 0) + 1
        self.seconds += _clock() - began
        if not self.count & (self.count - 1):
            self.write_state()

    def main(self):
        """Return the name under which the running script can be imported, or "" if it does not belong to the
        repository."""
        file = os.path.realpath(getattr(sys.modules.get("__main__"), "__file__", None) or os.devnull)
        if not file.startswith(self.root + os.sep) or not file.endswith(".py"):
            return ""
        path = list(sys.path)
        try:
            return module_name(self.root, os.path.relpath(file, self.root))
        finally:
            sys.path[:] = path

    def store(self, data):
        key = hashlib.sha256(data).hexdigest()[:24]
        if key in self.times:
            self.times[key] += 1
            return
        size = len(data).bit_length()
        if len(data) > LARGEST or self.bytes + len(data) > BYTES:
            raise OverflowError("too large to be recorded")
        if self.sizes.get(size, 0) >= A_SIZE:
            raise OverflowError("enough calls of that size were recorded")
        self.sizes[size] = self.sizes.get(size, 0) + 1
        self.times[key] = 1
        self.bytes += len(data)
        if self.descriptor is None:
            name = "%d-%d.calls" % (self.process, time.time() * 1000)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self.descriptor = os.open(os.path.join(self.job["out"], name), flags, 0o600)
        _write(self.descriptor, struct.pack(">I", len(data)) + data)

    def write_state(self):
        if os.getpid() != self.process:
            self.reset()
        state = {
            "seen": self.count,
            "times": self.times,
            "lost": self.lost,
            "refused": self.refused,
            "python": sys.version.split()[0],
        }
        try:
            name = os.path.join(self.job["out"], "%d.json" % self.process)
            with open(name, "w", encoding="utf-8") as stream:
                json.dump(state, stream)
        except OSError:
            pass


def called(args, kwargs):
    return recorder.called(args, kwargs)


class Finder:
    """Import finder, first on sys.meta_path, that installs the stub once the function's module is loaded."""

    def __init__(self, file):
        self.file = file
        parts = file[: -len(".py")].split(os.sep)
        self.stem = parts[-2] if parts[-1] == "__init__" else parts[-1]
        self.local = threading.local()

    def find_spec(self, name, path=None, target=None):
        if name.rpartition(".")[2] != self.stem or getattr(self.local, "busy", False):
            return None
        self.local.busy = True
        try:
            spec = self.find_elsewhere(name, path, target)
        finally:
            self.local.busy = False
        if spec is not None and spec.loader is not None and os.path.realpath(spec.origin or "") == self.file:
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                install_in(vars(module))

            spec.loader.exec_module = exec_module
        return spec

    def find_elsewhere(self, name, path, target):
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find and find(name, path, target)
            if spec is not None:
                return spec
        return None


def install_in(names):
    try:
        recorder.install(names)
    except Exception as error:  # noqa: BLE001 - the module may hold anything under that name, or nothing
        recorder.refused = "it was not found: %s %s" % (type(error).__name__, error)
        recorder.write_state()


def watch(file):
    """Install the stub at the function's first call, if it is defined in the script that is run."""
    names = [None]

    def profile(frame, event, argument):
        code = frame.f_code
        if names[0] is None and code.co_name == "<module>" and os.path.realpath(code.co_filename) == file:
            names[0] = frame.f_globals
        found = names[0]
        for part in recorder.job["name"].split(".") if found is not None else ():
            found = found.get(part) if isinstance(found, dict) else getattr(found, part, None)
            if found is None:
                break
        if found is None:
            return
        sys.setprofile(None)
        is_it = getattr(getattr(found, "__func__", found), "__code__", None) is code
        if event == "call" and is_it and not code.co_flags & ASYNC:
            positional, named = call_arguments(frame)
            recorder.record(tuple(positional), named)
            recorder.checks_stack = True  # because the current call did not go through the stub
        install_in(names[0])

    sys.setprofile(profile)


def start(file):
    """Start recording in a new Python process. `file` holds {"root", "path", "name", "out"}."""
    global recorder
    with open(file, encoding="utf-8") as stream:
        recorder = Recorder(json.load(stream))
    atexit.register(recorder.write_state)
    sys.meta_path.insert(0, Finder(recorder.file))
    try:
        with open("/proc/self/cmdline", "rb") as stream:
            words = stream.read().decode("utf-8", "replace").split("\0")
    except OSError:
        words = getattr(sys, "orig_argv", [])
    module = ".".join(recorder.job["path"][: -len(".py")].split("/"))
    if any(os.path.realpath(word) == recorder.file for word in words[1:3]) or (
        words[1:2] == ["-m"] and (module == words[2] or module.endswith("." + words[2]))
    ):
        watch(recorder.file)
