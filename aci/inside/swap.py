"""Puts an edit into a running program: the code object of one function, or a whole module run again.

Standard library only, for the target's own Python (3.6 and later). A module run again stays so: work in a forked child.
"""

import __future__

import gc
import os
import sys
import types

FUTURE = sum(
    getattr(__future__, name).compiler_flag for name in __future__.all_feature_names if name != "nested_scopes"
)
BOOKKEEPING = ("tearDown_exceptions", "_classSetupFailed", "_class_cleanups")
DATA = (str, bytes, int, float, complex, bool, type(None), tuple, frozenset)


def is_a(value, kinds):
    """`isinstance` that does not ask the object: a proxy may raise when it is looked at."""
    return issubclass(type(value), kinds)


class CannotSwap(Exception):
    """The edited function has another shape (closure, defaults, not found): the module must be run again."""


class Editor:
    """Applies candidates to the modules of the repository at `root`.

    A candidate is a dict: `path`; `edits`, a list of [start, end, text] in bytes of the file; `function`, null or
    {name, lines: [first decorator's, def's], start, end} of the outermost function that holds the edits.
    """

    def __init__(self, root):
        self.root = os.path.realpath(root)
        self._files = {}
        self._functions = {}
        self._swapped = []

    def source(self, path):
        if path not in self._files:
            with open(os.path.join(self.root, path), "rb") as file:
                self._files[path] = file.read()
        return self._files[path]

    def functions(self, path, function):
        """The function objects compiled from that place of the file, wherever they are referred to."""
        key = path, function["start"]
        if key not in self._functions:
            full = os.path.join(self.root, path)
            first, last = function["lines"]
            self._functions[key] = [
                found
                for found in gc.get_objects()
                if is_a(found, types.FunctionType)
                and found.__code__.co_name == function["name"]
                and first <= found.__code__.co_firstlineno <= last
                and os.path.realpath(found.__code__.co_filename) == full
            ]
        return self._functions[key]

    def apply(self, candidate):
        """Put the candidate in, by swapping code where that is possible. Raises SyntaxError for a broken edit."""
        try:
            self.swap(candidate)
        except CannotSwap:
            self.rerun(candidate)

    def swap(self, candidate):
        """Give the function the code of its edited text; the one swapped before gets its own code back."""
        while self._swapped:
            one, code = self._swapped.pop()
            one.__code__ = code
        function = candidate["function"]
        if function is None:
            raise CannotSwap("the edit is outside of functions")
        found = self.functions(candidate["path"], function)
        if not found or len({one.__code__ for one in found}) > 1:
            raise CannotSwap("the function is not there, or more than once")
        if any(start < function["body"] for start, _, _ in candidate["edits"]):
            raise CannotSwap("the signature changes")
        text = edited(self.source(candidate["path"]), candidate["edits"], function["start"], function["end"])
        old = found[0].__code__
        new = compile_function(text, function["name"], old.co_filename, old.co_flags & FUTURE)
        if new is None or new.co_freevars != old.co_freevars:
            raise CannotSwap("the function closes over other names")
        for one in found:
            self._swapped.append((one, old))
            one.__code__ = new

    def rerun(self, candidate):
        """Run the edited module again in its own namespace; what others hold of the old one is renewed in place."""
        text = edited(self.source(candidate["path"]), candidate["edits"], 0, None)
        full = os.path.join(self.root, candidate["path"])
        code = compile(text, full, "exec", dont_inherit=True)
        for module in self.modules():
            if os.path.realpath(module.__file__) == full:
                old = dict(vars(module))
                exec(code, vars(module))
                self._renew(module, old)

    def modules(self):
        """The loaded modules whose files lie under the root."""
        prefix = os.path.join(self.root, "")
        return [
            module
            for module in list(sys.modules.values())
            if is_a(module, types.ModuleType)
            and is_a(getattr(module, "__file__", None), str)
            and os.path.realpath(module.__file__).startswith(prefix)
        ]

    def _renew(self, module, old):
        new = vars(module)
        for name, before in old.items():
            after = new.get(name)
            if after is before or name.startswith("__"):
                continue
            if is_a(before, types.FunctionType) and is_a(after, types.FunctionType):
                if len(before.__code__.co_freevars) == len(after.__code__.co_freevars) == 0:
                    _transplant(after, before)
                    new[name] = before
                    continue
            elif is_a(before, type) and is_a(after, type) and after.__module__ == before.__module__:
                _refit(after, before)
                new[name] = before
                continue
            for other in self.modules():
                if other is not module and vars(other).get(name) is before:
                    setattr(other, name, after)


def _transplant(source, target):
    target.__code__ = source.__code__
    target.__defaults__ = source.__defaults__
    target.__kwdefaults__ = source.__kwdefaults__


def _refit(source, target):
    """Give the old class, which instances and importers know, the attributes of the new one."""
    for name, value in list(vars(source).items()):
        if name in ("__dict__", "__weakref__", "__doc__", "__slots__"):
            continue
        before = vars(target).get(name)
        try:
            if is_a(before, types.FunctionType) and is_a(value, types.FunctionType):
                if not before.__code__.co_freevars and not value.__code__.co_freevars:
                    _transplant(value, before)
                elif before.__code__.co_freevars == value.__code__.co_freevars:
                    before.__code__ = value.__code__
            else:
                setattr(target, name, value)
        except (AttributeError, TypeError, ValueError):
            continue


def edited(source, edits, start, end):
    """The bytes from `start` to `end` of the source with the edits made."""
    parts = []
    at = start
    for first, last, text in sorted(edits):
        parts += [source[at:first], text.encode()]
        at = last
    parts.append(source[at:end])
    return b"".join(parts)


def compile_function(text, name, filename, flags):
    """The code object of a function from its text at its own indentation; inside a class if it was indented, so
    that private names and `super()` work."""
    head = b"class _:\n" if text[:1] in b" \t" else b""
    module = compile(head + text, filename, "exec", flags, True)
    holders = [module] + [one for one in module.co_consts if isinstance(one, types.CodeType) and one.co_name == "_"]
    for holder in reversed(holders):
        for one in holder.co_consts:
            if isinstance(one, types.CodeType) and one.co_name == name:
                return one
    return None


class Canary:
    """Notices that a candidate changed data that the next one would see: parameters, globals, class attributes."""

    def __init__(self, modules, extra):
        self.holders = list(extra)
        for module in modules:
            self._hold(vars(module))
            for value in list(vars(module).values()):
                if is_a(value, type) and value.__module__ == module.__name__:
                    self._hold(vars(value))

    def _hold(self, holder):
        self.holders.append(holder)
        for value in list(holder.values()):
            if is_a(value, (staticmethod, classmethod)):
                value = value.__func__
            if is_a(value, types.FunctionType) and value.__defaults__:
                self.holders.append({"defaults": value.__defaults__})

    def look(self):
        """A value that differs when any of the data does. Callables and what cannot be pickled are left out."""
        import pickle

        seen = []
        for holder in self.holders:
            for name, value in list(holder.items()):
                if name.startswith("__") or name in BOOKKEEPING or callable(value):
                    continue
                if is_a(value, types.ModuleType):
                    continue
                if is_a(value, DATA) and not is_a(value, (tuple, frozenset)):
                    seen.append(value)
                    continue
                try:
                    seen.append(pickle.dumps(value, 2))
                except Exception:  # noqa: BLE001 - any object may refuse in any way
                    seen.append(name)
        return seen
