"""Tracer of the code under a root while a test runs: steps from line to line, functions, types, and their order.

Standard library only, for the target's own Python (3.6 and later).
"""

import collections
import os
import sys
import threading

FOREIGN = (os.sep + "site-packages" + os.sep, os.sep + ".venv" + os.sep, os.sep + ".tox" + os.sep)
FUNCTION = 0x1
"""The code flag of functions; module and class bodies, which run when a test imports a module, are not traced."""
GENERATOR = 0x20 | 0x80 | 0x200
INNER = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
SAMPLES, LOOKS, ATTRIBUTES = 3, 30, 40


class Tracer:
    """Tracer that is active between `start` and `stop`. It collects:

    `steps`  root-relative path -> set of (line, next line in the same frame); before the first step of a function is
             minus its first line, after the last step is 0
    `functions`  set of (path, first line) of the code that ran
    `types`  (path, first line) -> name in scope -> set of names of types, in the first calls of each function
    `flow`   the last steps in order: (number of the frame, path, line)
    `calls`  number of a frame -> number of the frame that called it

    `only` restricts it to some `functions`; `flow` is the number of steps kept (0: none).
    """

    def __init__(self, root, only=None, flow=0):
        self.root = os.path.join(os.path.realpath(root), "")
        self.only = only
        self.steps = {}
        self.functions = set()
        self.types = {}
        self.flow = collections.deque(maxlen=flow) if flow else None
        self.calls = {}
        self._paths = {}
        self._codes = {}
        self._samples = {}
        self._frames = {}

    def start(self):
        threading.settrace(self._call)
        sys.settrace(self._call)

    def stop(self):
        sys.settrace(None)
        threading.settrace(None)

    @property
    def lines(self):
        """The lines that ran, as a set for each path."""
        return {path: {line for _, line in steps if line} for path, steps in self.steps.items() if steps}

    def path(self, filename):
        """Return a file's path below the root, or None if it is not the repository's."""
        try:
            return self._paths[filename]
        except KeyError:
            full = os.path.realpath(filename)
            is_own = filename[:1] != "<" and full.startswith(self.root) and not any(part in full for part in FOREIGN)
            self._paths[filename] = found = full[len(self.root) :].replace(os.sep, "/") if is_own else None
            return found

    def _target(self, code):
        """Return the path and the set of steps for a code object, or None if it is not traced."""
        try:
            return self._codes[code]
        except KeyError:
            path = self.path(code.co_filename)
            wanted = path is not None and code.co_flags & FUNCTION
            wanted = wanted and (self.only is None or (path, code.co_firstlineno) in self.only)
            self._codes[code] = found = (path, self.steps.setdefault(path, set())) if wanted else None
            if wanted:
                self.functions.add((path, code.co_firstlineno))
            return found

    def _call(self, frame, event, argument):
        code = frame.f_code
        found = self._target(code)
        if found is None:
            return None
        path, steps = found
        last = -code.co_firstlineno
        looks = LOOKS if self._sampled(code) else 0
        flow = self.flow
        number = self._number(frame) if flow is not None else 0

        def line(frame, event, argument):
            nonlocal last, looks
            if looks and event in ("line", "return"):
                looks -= 1
                self._record_types(path, code, frame)
            if event == "line":
                now = frame.f_lineno
                steps.add((last, now))
                last = now
                if flow is not None:
                    flow.append((number, path, now))
            elif event == "return":
                steps.add((last, 0))
            return line

        return line

    def _number(self, frame):
        """Return a number for the frame's call: a generator keeps its number, a comprehension has its function's."""
        code = frame.f_code
        if code.co_flags & GENERATOR and self._numbered(frame):
            return self._numbered(frame)
        caller = frame.f_back
        while caller is not None and not self._numbered(caller):
            caller = caller.f_back
        above = 0 if caller is None else self._numbered(caller)
        if code.co_name in INNER and above:
            number = above
        else:
            number = len(self.calls) + 1
            self.calls[number] = above
        self._frames[id(frame)] = code, number
        return number

    def _numbered(self, frame):
        """Return the frame's number, or 0 if it has none; the code is also compared, as ids are reused."""
        code, number = self._frames.get(id(frame), (None, 0))
        return number if code is frame.f_code else 0

    def _sampled(self, code):
        count = self._samples.get(code, 0)
        self._samples[code] = count + 1
        return count < SAMPLES and code.co_name[:1] != "<"

    def _record_types(self, path, code, frame):
        """Record the types of the variables in scope."""
        names = self.types.setdefault((path, code.co_firstlineno), {})
        for name, value in list(frame.f_locals.items()):
            names.setdefault(name, set()).add(type(value).__name__)
        for name, value in _attributes(frame.f_locals.get("self")):
            names.setdefault("self." + name, set()).add(type(value).__name__)


def _attributes(value):
    """Return the attributes of an object without running its properties or `__getattr__`."""
    try:
        return list(object.__getattribute__(value, "__dict__").items())[:ATTRIBUTES]
    except Exception:  # noqa: BLE001 - slots, C types, or other objects without a `__dict__`
        return []
