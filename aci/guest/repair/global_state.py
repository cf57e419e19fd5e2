"""What a candidate may change outside of the repository's own data, and putting it back before the next one is tried.

Standard library only, for the target's own Python (3.6 and later).
"""

import builtins
import contextlib
import operator
import os
import random
import sys
import types

from .swap import is_a

ALWAYS = builtins, os, os.path, sys
WRITTEN = ("last_type", "last_value", "last_traceback", "last_exc", "_")
"""What the interpreter itself writes down there."""


class Surroundings:
    """The modules that the repository's code refers to and that are not its own, the environment, the working
    directory, the import path, the recursion limit, and the state of `random`, all as they are now.

    `own` are the repository's modules, `names` those that stand in its code, which may be those of modules. Modules are
    looked at shallowly, by identity: nothing of theirs runs.
    """

    def __init__(self, own, names):
        self._own = {id(module) for module in own}
        self._names = names
        self._kept = {}
        self._loaded = 0
        self._watch(list(ALWAYS) + [value for module in own for value in list(vars(module).values())])
        self._environment = os.environ
        self._variables = dict(os.environ)
        self._raw = dict(_raw(os.environ))
        self._folder = os.getcwd()
        self._path = sys.path, list(sys.path)
        self._depth = sys.getrecursionlimit()
        self._seed = random.setstate, random.getstate()

    def put_back(self):
        """Make it all as it was."""
        for module, kept in self._kept.values():
            now = vars(module)
            if len(now) != len(kept) or not all(map(operator.is_, now.values(), kept.values())):
                _renew(now, kept)
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
        """Keep what the modules among these hold, and those loaded by now whose names stand in the code."""
        self._loaded = len(sys.modules)
        for value in values + [sys.modules[name] for name in self._names if name in sys.modules]:
            if is_a(value, types.ModuleType) and id(value) not in self._own and id(value) not in self._kept:
                self._kept[id(value)] = value, dict(vars(value))


def names_in(codes):
    """The names that code objects and those inside them use."""
    found = set()
    waiting = list(codes)
    while waiting:
        code = waiting.pop()
        found.update(code.co_names)
        waiting.extend(one for one in code.co_consts if is_a(one, types.CodeType))
    return sorted(found)


def _renew(now, kept):
    """Give a module's names their values. What the interpreter wrote, and modules that were loaded since, which are
    names of the package that they are in, stay."""
    for name, value in list(now.items()):
        if name not in kept or name in WRITTEN:
            if name in WRITTEN or is_a(value, types.ModuleType):
                kept[name] = value
            else:
                del now[name]
    now.update(kept)
    if list(now) != list(kept):  # the same order, so that the next look is a quick one
        order = dict(now)
        kept.clear()
        kept.update(order)


def _raw(environment):
    """The variables as they are kept, which is quicker to look at."""
    return getattr(environment, "_data", environment)


def _folder():
    try:
        return os.getcwd()
    except OSError:  # it is not there any more
        return None
