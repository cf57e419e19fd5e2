"""Watchers of what code does while it runs: opcodes, state, calls to other code, threads and processes it starts.

Supports Python 3.7 and later.
"""

import gc
import itertools
import os
import sys
import threading
import types

from .outcome_text import ATOMS, digest, plain_digest

MOST_OBJECTS = 300000
STARTS = {"_thread.start_new_thread", "_thread.start_joinable_thread", "posix.fork", "posix.forkpty"}
STARTS |= {"posix.posix_spawn", "posix.posix_spawnp", "posix.system", "_posixsubprocess.fork_exec"}
EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec", "os.spawn"}
EVENTS |= {"socket.connect", "socket.bind", "ctypes.dlopen", "sqlite3.connect", "mmap.__new__", "os.putenv"}
EVENTS |= {"_thread.start_new_thread", "os.mkdir", "os.rename", "os.remove", "os.listdir", "sys.settrace"}
EVENTS |= {"sys.setprofile", "gc.get_objects", "gc.get_referrers", "gc.get_referents", "dbm.open", "os.symlink"}


class OpcodeLimitExceeded(BaseException):
    """The maximum number of opcodes was exceeded."""


class OpcodeCounter:
    """Counter of the opcodes run in the repository's own code, also in threads started while it is active."""

    def __init__(self, root, most):
        self.root, self.most, self.count = root + os.sep, most, 0

    def __enter__(self):
        self.count = 0
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)
        return self

    def __exit__(self, *_):
        sys.settrace(None)
        threading.settrace(None)

    def _on_call(self, frame, event, arg):
        name = frame.f_code.co_filename
        if not (name.startswith(self.root) or (name.startswith("<") and not name.startswith("<frozen"))):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._on_opcode

    def _on_opcode(self, frame, event, arg):
        if event == "opcode":
            self.count += 1
            if self.count > self.most:
                raise OpcodeLimitExceeded()
        return self._on_opcode


class CallWatcher:
    """Watcher of calls from the repository's code to functions outside it, and of thread and process starts."""

    def __init__(self, root):
        self.root, self.names = root + os.sep, {}

    def __enter__(self):
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)
        threading.setprofile(None)

    def _profile(self, frame, event, arg):
        if event == "c_call":
            owner = getattr(arg, "__module__", None) or type(getattr(arg, "__self__", None)).__name__
            name = "%s.%s" % (owner, getattr(arg, "__qualname__", "?"))
            if name in STARTS or self._own(frame):
                self._note(name, frame)
        elif event == "call" and frame.f_back is not None and self._own(frame.f_back) and not self._own(frame):
            file = os.path.basename(frame.f_code.co_filename)
            self._note("%s.%s" % (file[: -len(".py")] if file.endswith(".py") else file, frame.f_code.co_name), frame)

    def _own(self, frame):
        return frame.f_code.co_filename.startswith(self.root)

    def _note(self, name, frame):
        while frame is not None and not self._own(frame):
            frame = frame.f_back
        self.names.setdefault(name, frame.f_lineno if frame is not None else 0)


class AuditWatcher:
    """Audit events (Python 3.8 and later) caused by the repository's code: files, processes, and so on."""

    def __init__(self, root):
        self.root, self.events, self._busy = root + os.sep, {}, False
        if hasattr(sys, "addaudithook"):
            sys.addaudithook(self._on_event)

    def _on_event(self, event, arguments):
        if self._busy or not (event in EVENTS or event == "open"):
            return
        self._busy = True
        try:
            line = self._line(sys._getframe(1))
            if line:
                self.events.setdefault(self._text(event, arguments), line)
        finally:
            self._busy = False

    def _line(self, frame):
        """Return the line number in the repository that caused the event, or 0 if none or an import caused it."""
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith("<frozen importlib"):
                return 0
            if name.startswith(self.root):
                return frame.f_lineno
            frame = frame.f_back
        return 0

    def _text(self, event, arguments):
        """Return the event, with the path of an opened file; one in the repository is relative to it, since each
        workspace has a folder of its own."""
        if event != "open":
            return event
        path, flags = arguments[0], arguments[-1]
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        text = os.fsdecode(path) if isinstance(path, (str, bytes)) else str(path)
        if text.startswith(self.root):
            text = "./" + text[len(self.root) :]
        return ("write " if writes else "read ") + text


def own_modules(root):
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(root + os.sep):
            found[name] = module
    return found


def module_state(root):
    """Return {place: [size, digest]} for the state of the repository's modules and the names in other modules."""
    modules = own_modules(root)
    seen = {id(vars(module)) for module in list(sys.modules.values()) if hasattr(module, "__dict__")}
    found = {}
    for name in sorted(modules):
        for place, value in sorted(vars(modules[name]).items()):
            if not (place.startswith("__") and place.endswith("__")) or place == "__dict__":
                found[name + "." + place] = _held(value, seen, set(modules))
    found["os.environ"] = [len(os.environ), digest(repr(sorted(os.environ.items())))]
    for name, module in list(sys.modules.items()):
        if name not in modules and hasattr(module, "__dict__") and name != "__main__":
            values = {k for k, v in list(vars(module).items()) if not isinstance(v, types.ModuleType)}
            values.discard("__warningregistry__")
            found["names in " + name] = [len(values), digest(repr(sorted(map(str, values))))]
    return found


def _held(value, seen, modules):
    """Return [size, digest] of the objects reachable from a value, ignoring those with ids in `seen`."""
    size, total, left = 0, 0, [value]
    while left and size < MOST_OBJECTS:
        one = left.pop()
        if isinstance(one, ATOMS):
            size += len(one) if isinstance(one, bytes) else 1 + len(one) // 16 if isinstance(one, str) else 1
            total = (total + int(digest(repr(one)), 16)) % (1 << 64)
            continue
        if id(one) in seen or isinstance(one, (types.ModuleType, types.FrameType, types.CodeType)):
            continue
        seen.add(id(one))
        size += len(one) if isinstance(one, bytearray) or hasattr(one, "typecode") else 1
        left += _within(one, modules)
    return [size, "%x" % total]


def _within(one, modules):
    if isinstance(one, types.FunctionType):
        cells = [cell.cell_contents for cell in one.__closure__ or () if _is_filled(cell)]
        return [one.__dict__, one.__defaults__, one.__kwdefaults__, *cells]
    if isinstance(one, type):
        skipped = ("__dict__", "__weakref__", "__module__", "__doc__")
        ours = one.__module__ in modules
        return [value for name, value in list(vars(one).items()) if name not in skipped] if ours else []
    if isinstance(one, types.GeneratorType):
        return list(one.gi_frame.f_locals.values()) if one.gi_frame is not None else []
    inside = gc.get_referents(one)
    try:
        inside += list(one) if hasattr(one, "count") and hasattr(one, "typecode") else []
    except Exception:  # noqa: BLE001 - an object may refuse anything
        return inside
    return [each for each in inside if each is not type(one)] + ([repr(one)] if _is_counter(one) else [])


def _is_counter(one):
    """Return whether the state of an object is visible only in its `repr`."""
    return isinstance(one, (itertools.count, bytearray))


def _is_filled(cell):
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def plain_contents(root):
    """Return {place: digests of the plain values} for containers in globals, class attributes and defaults."""
    found, left = {}, MOST_OBJECTS
    for name, module in own_modules(root).items():
        for place, value in list(_places(vars(module), name)):
            if type(value) in (list, tuple, dict, set, frozenset):
                parts = list(value.values()) if isinstance(value, dict) else list(value)
                left -= len(parts)
                if left > 0:
                    found[place] = {plain_digest(part) for part in parts}
    return found


def _places(names, prefix):
    for name, value in names.items():
        place = prefix + "." + name
        if isinstance(value, types.FunctionType):
            for default in (value.__defaults__ or ()) + tuple((value.__kwdefaults__ or {}).values()):
                yield place, default
        elif isinstance(value, type) and value.__module__ == prefix:
            for part, one in _places(vars(value), place):
                yield part, one
        elif not name.startswith("__"):
            yield place, value
