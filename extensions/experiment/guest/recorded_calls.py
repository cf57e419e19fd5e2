"""Calls recorded while tests run, to functions that candidates edit and to functions through which tests reach them.

Standard library only, for the target's own Python (3.6 and later).
"""

import copy
import gc
import os
import sys
import time
import types

from .call_frames import call_arguments
from .value_text import Shower

GENERATOR, COROUTINES = 0x20, 0x80 | 0x100 | 0x200
MOST, TRIED, PARTS = 40, 200, 500000
"""Limits: distinct calls kept per function, calls examined per function, and parts of values copied in total."""
SECONDS = 20.0
"""Maximum number of CPU seconds spent on copying in total."""


class Call:
    """A recorded call. `values` are [positional, named]; `entry`: made by test code; `failing`: made in a failing test.

    `made`: not recorded but derived from recorded calls. `name` is for the use of callers.
    """

    def __init__(self, function, values, entry, failing, made=False):
        self.function = function
        self.values = values
        self.entry = entry
        self.failing = failing
        self.made = made
        self.name = None


class Recorder:
    """Recorder that copies the arguments of outermost calls before they are used.

    `edited` are the code objects of the functions that candidates edit. Calls of other functions are kept if a test
    makes them and they reach one of `edited`, since such functions are the ones that users of the repository call.
    """

    def __init__(self, root, edited):
        self.root = os.path.join(os.path.realpath(root), "")
        self.edited = edited
        self.seen = {}
        self.failing = True
        self._files = {}
        self._tried = {}
        self._parts, self._spent = 0, 0.0
        self._begin()

    def _begin(self):
        self._depths = dict.fromkeys(self.edited, 0)
        self._entry = None
        self._reached = False
        self._suspended = []

    def start(self, failing):
        self.failing = failing
        self._begin()
        sys.setprofile(self._on_event)

    def stop(self):
        sys.setprofile(None)
        self._begin()

    def calls(self):
        """Return the calls in order of first occurrence, without those of functions that cannot be called again."""
        functions = {}
        for one in gc.get_objects():
            if issubclass(type(one), types.FunctionType) and one.__code__ in self.seen:
                functions.setdefault(one.__code__, []).append(one)
        found = []
        for code, calls in self.seen.items():
            holders = functions.get(code, [])
            if holders and (len(holders) == 1 or not code.co_freevars):
                found += [Call(holders[0], *call) for call in list(calls.values())[:MOST]]
        return found

    def _on_event(self, frame, event, argument):
        code = frame.f_code
        if event not in ("call", "return") or (event == "call" and self._is_resumed(frame)):
            return
        if code in self.edited:
            self._reached = True
            if event == "call":
                if not self._depths[code]:
                    entry = self._entry is None and not self._is_from_source(frame)
                    self._keep(code, self._copy(frame, code, entry))
                self._depths[code] += 1
            else:
                self._depths[code] = max(0, self._depths[code] - 1)
        elif event == "call":
            if self._entry is None and self._is_source(code) and not self._is_from_source(frame):
                self._entry = frame, self._copy(frame, code, True)
                self._reached = False
        elif self._entry is not None and self._entry[0] is frame:
            if self._reached or code.co_flags & GENERATOR:
                self._keep(code, self._entry[1])
            self._entry = None

    def _is_resumed(self, frame):
        """Return whether the frame only resumes a generator."""
        if not frame.f_code.co_flags & GENERATOR or not (self._is_source(frame.f_code) or frame.f_code in self.edited):
            return False
        known = any(one is frame for one in self._suspended)
        if not known:
            self._suspended.append(frame)
        return known

    def _keep(self, code, call):
        if call is not None:
            text, values, entry = call
            self.seen.setdefault(code, {}).setdefault(text, (values, entry, self.failing))

    def _copy(self, frame, code, entry):
        """Return (text, values, entry) of the call that starts in a frame, or None if the call is not to be kept."""
        self._tried[code] = self._tried.get(code, 0) + 1
        known = len(self.seen.get(code, ()))
        if self._tried[code] > TRIED or known >= MOST or code.co_flags & COROUTINES:
            return None
        if self._parts > PARTS or self._spent > SECONDS:
            return None
        started, shower = time.process_time(), Shower(True)
        try:
            values = copy.deepcopy(call_arguments(frame))
            return shower.text(values), values, entry
        except Exception:  # noqa: BLE001 - any object may refuse to be copied or shown
            return None
        finally:
            self._parts += shower.parts
            self._spent += time.process_time() - started

    def _is_from_source(self, frame):
        """Return whether the call was made by the repository's own code."""
        return frame.f_back is not None and self._is_source(frame.f_back.f_code)

    def _is_source(self, code):
        """Return whether a code object comes from one of the repository's files that is not a test."""
        name = code.co_filename
        if name not in self._files:
            path = os.path.realpath(name)
            parts = path[len(self.root) :].split(os.sep)
            self._files[name] = name[:1] != "<" and path.startswith(self.root) and not is_test(parts)
        return self._files[name] and code.co_name[:1] != "<"


def is_test(parts):
    """Return whether a path, given as its parts, belongs to tests."""
    name = parts[-1]
    test_folders = {"tests", "test", "testing", "site-packages", ".venv", ".tox"}.intersection(parts[:-1])
    return bool(test_folders) or name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
