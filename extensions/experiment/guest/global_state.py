"""State outside the repository's own data that a candidate may change, restored before the next one is tried.

Standard library only, for the target's own Python (3.6 and later).
"""

import builtins
import contextlib
import operator
import os
import random
import sys
import types

from .call_frames import nested_codes
from .code_swap import has_type

ALWAYS = builtins, os, os.path, sys
WRITTEN = ("last_type", "last_value", "last_traceback", "last_exc", "_")
"""Names in a module's namespace that the interpreter itself writes."""


class Surroundings:
    """A snapshot of the state outside the repository's own data.

    It holds the external modules that the repository's code refers to, the environment, the working directory, the
    import path, the recursion limit, and the state of `random`. `own` are the repository's modules; `names` are the
    names used in its code, some of which may be module names. Modules are compared shallowly and by identity, so that
    none of their code runs.
    """

    def __init__(self, own, names):
        self._own = {id(module) for module in own}
        self._names = names
        self._saved = {}
        self._loaded = 0
        self._watch(list(ALWAYS) + [value for module in own for value in list(vars(module).values())])
        self._environment = os.environ
        self._variables = dict(os.environ)
        self._raw = dict(_raw(os.environ))
        self._folder = os.getcwd()
        self._path = sys.path, list(sys.path)
        self._depth = sys.getrecursionlimit()
        self._seed = random.setstate, random.getstate()

    def restore(self):
        """Restore the state."""
        for module, saved in self._saved.values():
            now = vars(module)
            if len(now) != len(saved) or not all(map(operator.is_, now.values(), saved.values())):
                _restore_names(now, saved)
        if len(sys.modules) != self._loaded:
            self._watch([])
        if _raw(self._environment) != self._raw:
            self._environment.clear()
            self._environment.update(self._variables)
        with contextlib.suppress(OSError):
            if _folder() != self._folder:
                os.chdir(self._folder)
        path, entries = self._path
        if path != entries:
            path[:] = entries
        if sys.getrecursionlimit() != self._depth:
            sys.setrecursionlimit(self._depth)
        put, state = self._seed
        put(state)

    def _watch(self, values):
        """Save the contents of the modules among these values, and of loaded modules whose names occur in the code."""
        self._loaded = len(sys.modules)
        for value in values + [sys.modules[name] for name in self._names if name in sys.modules]:
            if has_type(value, types.ModuleType) and id(value) not in self._own and id(value) not in self._saved:
                self._saved[id(value)] = value, dict(vars(value))


def names_in(codes):
    """Return the names that code objects and those nested in them use."""
    return sorted({name for code in codes for one in nested_codes(code) for name in one.co_names})


def _restore_names(now, saved):
    """Restore a module's names except those that the interpreter sets; keep submodules loaded since the snapshot.

    Such submodules are attributes of their package.
    """
    for name, value in list(now.items()):
        if name not in saved or name in WRITTEN:
            if name in WRITTEN or has_type(value, types.ModuleType):
                saved[name] = value
            else:
                del now[name]
    now.update(saved)
    if list(now) != list(saved):  # adopt the current order so that the next comparison is fast
        order = dict(now)
        saved.clear()
        saved.update(order)


def _raw(environment):
    """Return the encoded variables inside `os.environ`, which are faster to compare."""
    return getattr(environment, "_data", environment)


def _folder():
    try:
        return os.getcwd()
    except OSError:  # the folder no longer exists
        return None
