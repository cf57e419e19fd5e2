"""Canary that detects whether a candidate changed data that the next one would see.

Standard library only, for the target's own Python (3.6 and later).
"""

import functools
import gc
import itertools
import os
import sys
import types

from .changing_state import StateSnapshot
from .code_swap import has_type

BOOKKEEPING = ("tearDown_exceptions", "_classSetupFailed", "_class_cleanups")
ATOMS = frozenset((str, bytes, int, float, complex, bool, type(None)))
DEPTH, MOST = 5, 50000
CACHE = type(functools.lru_cache()(len))


class Canary:
    """Watcher of the modules' globals and class attributes, the state of their functions, and the dicts in `extra`.

    The state of a function is its defaults, attributes and closure variables. Objects are compared by their ids and
    contents, so that no code of the repository runs. Ids stay unique because the original objects are kept alive.
    """

    def __init__(self, modules, extra):
        self._holders = list(extra)
        self._held = []
        self.snapshot = StateSnapshot()
        self._slots = {}
        self._names = {module.__name__ for module in modules}
        for module in modules:
            self._holders.append(vars(module))
            for value in list(vars(module).values()):
                if has_type(value, type) and value.__module__ == module.__name__:
                    self._holders.append(vars(value))
        for holder in self._holders:
            self.snapshot.add(holder)
        self._look(self._keep)

    def look(self):
        """Restore the data that tests always change; return a list that differs if any of the data has changed."""
        self.snapshot.restore()
        return self._look(None)

    def _keep(self, value):
        self._held.append(value)
        self.snapshot.add(value)
        if type(value).__dictoffset__ and not issubclass(type(value), (types.ModuleType, types.FunctionType, type)):
            self.snapshot.add(_attributes(value))

    def _look(self, keep):
        seen = []
        stack = []
        for holder in self._holders:
            for name, value in list(holder.items()):
                if has_type(value, types.FunctionType) or (name[:2] != "__" and name not in BOOKKEEPING):
                    stack.append((value, 0))
        visited = set()
        while stack and len(seen) < MOST:
            value, depth = stack.pop()
            kind = type(value)
            if kind in ATOMS:
                seen.append(value)
                continue
            if keep:
                keep(value)
            seen.append(id(value))
            if depth < DEPTH and id(value) not in visited:
                visited.add(id(value))
                parts = self._parts(value, kind, seen)
                if ATOMS.issuperset(map(type, parts)):
                    seen.extend(parts)
                else:
                    stack.extend(zip(parts, itertools.repeat(depth + 1)))
        return seen

    def _parts(self, value, kind, seen):
        """Return the parts of a value, and add their number to `seen`."""
        if issubclass(kind, (types.ModuleType, type, CACHE)):
            return ()
        if issubclass(kind, types.FunctionType):
            return _held(value) if value.__module__ in self._names else ()
        if issubclass(kind, (staticmethod, classmethod)):
            return (value.__func__,)
        try:
            parts = _contents(value, kind)
        except Exception:  # noqa: BLE001 - any object may refuse in any way
            return ()
        parts += list(_attributes(value).values()) if kind.__dictoffset__ else []
        if kind not in self._slots:
            # Include only slots of the repository's own classes: other slots may be caches, such as those of `pathlib`
            # paths.
            self._slots[kind] = [
                slot for base in kind.__mro__ if base.__module__ in self._names for slot in _slots(base)
            ]
        parts.extend(_slot(slot, value) for slot in self._slots[kind])
        seen.append(len(parts))
        return parts


def _contents(value, kind):
    """Return the items of a container as a list."""
    if issubclass(kind, dict):
        return list(dict.keys(value)) + list(dict.values(value))
    if issubclass(kind, list):
        return list.__getitem__(value, slice(None))
    if issubclass(kind, tuple):
        return list(tuple.__iter__(value))
    if issubclass(kind, (set, frozenset)):
        base = set if issubclass(kind, set) else frozenset
        return sorted(base.__iter__(value), key=_sort_key)
    if issubclass(kind, bytearray):
        return [bytes(value)]
    if kind.__module__ in ("collections", "array"):
        return list(kind.__iter__(value))  # such as a deque or an array
    return []


def _attributes(value):
    try:
        held = object.__getattribute__(value, "__dict__")
    except Exception:  # noqa: BLE001 - any object may refuse in any way
        return {}
    return held if has_type(held, dict) else {}


def _held(function):
    """Return the state that a function keeps between its calls."""
    parts = [part for part in (function.__defaults__, function.__kwdefaults__, function.__dict__) if part]
    return parts + [_cell(cell) for cell in function.__closure__ or ()]


def _cell(cell):
    try:
        return cell.cell_contents
    except ValueError:  # the cell is empty
        return None


def _slot(slot, value):
    try:
        return slot.__get__(value)
    except AttributeError:  # the slot has no value
        return None


def _slots(kind):
    """Return the slot descriptors of a class."""
    return [value for value in list(vars(kind).values()) if type(value) is types.MemberDescriptorType]


def _sort_key(value):
    return (0, repr(value)) if type(value) in ATOMS else (1, str(id(value)))


def caches(root):
    """Return the `lru_cache`s of the repository's functions, which must be cleared between candidates."""
    prefix = os.path.join(root, "")
    return [
        found
        for found in gc.get_objects()
        if type(found) is CACHE
        and has_type(getattr(found, "__module__", None), str)
        and _file_of(found).startswith(prefix)
    ]


def _file_of(found):
    code = getattr(getattr(found, "__wrapped__", None), "__code__", None)
    if code is None:
        return os.path.realpath(getattr(sys.modules.get(found.__module__), "__file__", None) or "")
    return os.path.realpath(code.co_filename)
