"""Recorder of what functions get and give while a test runs, for arguments that cannot be copied.

The code of a watched function is replaced by code that passes the call on. Unlike a tracer, this sees exceptions.
Standard library only, for the target's own Python (3.6 and later).
"""

import gc
import os
import types

from .answer_collection import raised_digest, text_digest
from .code_swap import has_type
from .forked_sandbox import TimeUp
from .recorded_calls import COROUTINES, GENERATOR, Recorder
from .value_text import full_text

MOST = 40
"""Maximum number of recorded calls of each function."""
PASSED_ON = """
def outer({names}):
    def inner(*positional, **named):
        if 0:
            ({names})
        return {hook}(positional, named)
"""
"""Source of the code that replaces a function's code; it has the same free variables, as an assignment needs."""


class ReachRecorder(Recorder):
    """Recorder of the functions alone, for calls whose arguments cannot be copied."""

    def names(self):
        """Return the (path, qualified name) of the functions that were called."""
        found = {call.function for call in self.calls()}
        return sorted((function_path(self.root, one.__code__), one.__qualname__) for one in found)

    def _copy(self, frame, code, entry):
        return None if code.co_flags & (GENERATOR | COROUTINES) else ("", None, entry)


def function_path(root, code):
    """Return the path of a function's file below the root, which ends with a slash; "" if it is elsewhere."""
    path = os.path.realpath(code.co_filename)
    return path[len(root) :].replace(os.sep, "/") if path.startswith(root) else ""


class FunctionWatch:
    """Recorder of the outermost calls of functions.

    `names` are (path, qualified name) pairs, and `wanted` the numbers of the calls to record, or None for the first
    ones of each function: (place in `names`, number of the call). `calls` maps these numbers to [digest of what the
    function got, answer], in the order in which the calls ended. An answer is `type:digest` of what the function
    returned and left in its arguments, `!Error` or `!Error:digest` for an exception, or `!late` (see
    `answer_collection.py`).
    """

    def __init__(self, root, names, wanted=None):
        self.calls = {}
        self._root = os.path.join(os.path.realpath(root), "")
        self._places = {name: place for place, name in enumerate(names)}
        self._wanted = wanted
        self._counts = [0] * len(names)
        self._running = [False] * len(names)
        self._is_showing = False

    def install(self):
        """Replace the code of the functions, which are found by their names, since both versions have these."""
        found, paths = [], {}
        for one in gc.get_objects():
            if has_type(one, types.FunctionType):
                file = one.__code__.co_filename
                if file not in paths:
                    paths[file] = function_path(self._root, one.__code__)
                place = self._places.get((paths[file], one.__qualname__))
                if place is not None:
                    found.append((place, one))
        for number, (place, function) in enumerate(found):
            self._replace(function, place, "_swe_agent_watched_%d" % number)

    def _replace(self, function, place, hook):
        old = function.__code__
        original = types.FunctionType(
            old, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        original.__kwdefaults__ = function.__kwdefaults__
        names = "".join("%s, " % name for name in old.co_freevars)
        code = compile(PASSED_ON.format(names=names, hook=hook), "<watched>", "exec", 0, True)
        for _ in range(2):
            code = next(one for one in code.co_consts if isinstance(one, types.CodeType))
        if code.co_freevars != old.co_freevars:
            return
        function.__globals__[hook] = lambda positional, named: self._call(place, original, positional, named)
        function.__code__ = code

    def _call(self, place, original, positional, named):
        if self._running[place] or self._is_showing:
            return original(*positional, **named)
        number = place, self._counts[place]
        self._counts[place] += 1
        if number[1] >= MOST if self._wanted is None else number not in self._wanted:
            return original(*positional, **named)
        arguments = [*positional, *(named[name] for name in sorted(named))]
        before = self._texts(arguments)
        given = text_digest([*before, *sorted(named)])
        self._running[place] = True
        try:
            value = original(*positional, **named)
        except TimeUp:
            self.calls[number] = [given, "!late"]
            raise
        except BaseException as error:
            self.calls[number] = [given, raised_digest(error, {}, self._root)]
            raise
        finally:
            self._running[place] = False
        after = self._texts(arguments)
        left = [text for text, old in zip(after, before) if text != old]
        self.calls[number] = [given, "%s:%s" % (type(value).__name__, text_digest(self._texts([value]) + left))]
        return value

    def _texts(self, values):
        self._is_showing = True
        try:
            return [_text(value) for value in values]
        finally:
            self._is_showing = False


def _text(value):
    """Return a value's text, with the attributes of its class if a test may have made that."""
    kind = value if has_type(value, type) else type(value)
    try:
        text = full_text(value)
        if "<locals>" in kind.__qualname__:
            text += full_text({name: one for name, one in vars(kind).items() if name[:2] != "__"})
        return text
    except Exception:  # noqa: BLE001 - any object may refuse to be shown
        return kind.__name__
