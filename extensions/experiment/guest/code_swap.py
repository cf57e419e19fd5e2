"""Edits applied to a running program: replace the code object of one function, or run a whole module again.

Running a module again cannot be undone, so do it only in a forked child. Standard library only, for the target's own
Python (3.6 and later).
"""

import __future__

import contextlib
import gc
import importlib
import os
import sys
import types

from aci.guest.source_encoding import as_utf8

FUTURE = sum(
    getattr(__future__, name).compiler_flag for name in __future__.all_feature_names if name != "nested_scopes"
)


def has_type(value, kinds):
    """Return whether the value's type matches; unlike `isinstance`, this does not access the object, since a proxy may
    raise."""
    return issubclass(type(value), kinds)


class CannotSwap(Exception):
    """Raised if a function's code cannot be swapped (closure, changed signature, not found), so that the module must be
    run again."""


class Editor:
    """Editor that applies candidates to the modules of the repository at `root`.

    A candidate is a dict: `path`; `edits`, a list of [start, end, text] in bytes of the file as UTF-8; `function`, null
    or {name, qualname, lines: [first decorator's, def's], start, body, end} of the outermost function that holds the
    edits.
    """

    def __init__(self, root):
        self.root = os.path.realpath(root)
        self._files = {}
        self._functions = None
        self._swapped = []
        self._loaded = set()
        self._real = {}

    def source(self, path):
        if path not in self._files:
            with open(os.path.join(self.root, path), "rb") as file:
                self._files[path] = as_utf8(file.read())
        return self._files[path]

    def functions(self, path, function):
        """Return all function objects that were compiled from these lines of the file, wherever they are referenced."""
        if self._functions is None:
            self.index()
        first, last = function["lines"]
        return [
            found
            for found in self._functions.get(os.path.join(self.root, path), {}).get(function["name"], [])
            if first <= found.__code__.co_firstlineno <= last
        ]

    def index(self):
        """Index all loaded functions of the repository by file and name."""
        self._functions = {}
        self._index()

    def _index(self):
        prefix = os.path.join(self.root, "")
        for found in gc.get_objects():
            if has_type(found, types.FunctionType):
                name = self.real_path(found.__code__.co_filename)
                if name.startswith(prefix):
                    self._functions.setdefault(name, {}).setdefault(found.__code__.co_name, []).append(found)

    def code(self):
        """Return the code objects of all functions of the repository."""
        if self._functions is None:
            self.index()
        return [one.__code__ for named in self._functions.values() for found in named.values() for one in found]

    def real_path(self, path):
        """Return the path with symbolic links resolved; the result is cached."""
        if path not in self._real:
            self._real[path] = os.path.realpath(path)
        return self._real[path]

    def is_missing(self, path):
        """Return whether the path is a Python module that is not imported and that this process has not tried to
        import."""
        if path in self._loaded or not path.endswith(".py"):
            return False
        full = os.path.join(self.root, path)
        return all(self.real_path(module.__file__) != full for module in self.modules())

    def skip(self, path):
        """Exclude a module from being imported by `load`."""
        self._loaded.add(path)

    def load(self, path):
        """Import a module of the repository in advance, since tests may import it only while they run; ignore
        errors."""
        if not self.is_missing(path):
            return
        self._loaded.add(path)
        full = os.path.join(self.root, path)
        for entry in sorted({os.path.realpath(entry) for entry in sys.path}, key=len, reverse=True):
            inside = full.startswith(os.path.join(entry, ""))
            if inside and not os.path.exists(os.path.join(entry, "__init__.py")):
                name = full[len(os.path.join(entry, "")) : -len(".py")].replace(os.sep, ".")
                try:
                    importlib.import_module(name[: -len(".__init__")] if name.endswith(".__init__") else name)
                except BaseException:  # noqa: BLE001 - a module may raise anything, SystemExit too
                    continue
                if self._functions is not None:
                    self._index()  # earlier objects are frozen (`gc.freeze`), so they are not found twice
                return

    def apply(self, candidate):
        """Apply the candidate, by swapping code if possible, and keep the line numbers of its file.

        Raises SyntaxError for a broken edit.
        """
        try:
            self.swap(candidate, numbered=True)
        except CannotSwap:
            self.rerun(candidate)

    def swap(self, candidate, numbered=False):
        """Replace the function's code with code compiled from the edited text, after undoing the previous swap.

        Line numbers are those of the file if `numbered`, else they start at 1. Raises CannotSwap, SyntaxError.
        """
        self.restore()
        function = candidate["function"]
        if function is None:
            raise CannotSwap("the edit is outside of functions")
        found = self.functions(candidate["path"], function)
        if not found or len({one.__code__ for one in found}) > 1:
            raise CannotSwap("the function is missing or not unique")
        if any(start < function["body"] for start, _, _ in candidate["edits"]):
            raise CannotSwap("the signature changes")
        text = apply_edits(self.source(candidate["path"]), candidate["edits"], function["start"], function["end"])
        old = found[0].__code__
        first = function["lines"][1] if numbered else 1
        new = compile_function(text, function["qualname"], old.co_filename, old.co_flags & FUTURE, first)
        if new is None or new.co_freevars != old.co_freevars:
            raise CannotSwap("the function closes over other names")
        for one in found:
            self._swapped.append((one, old))
            one.__code__ = new

    def restore(self):
        """Restore the original code of the swapped functions."""
        while self._swapped:
            one, code = self._swapped.pop()
            one.__code__ = code

    def rerun(self, candidate):
        """Run the edited module again in its own namespace, and update references to its old objects in place."""
        text = apply_edits(self.source(candidate["path"]), candidate["edits"], 0, None)
        full = os.path.join(self.root, candidate["path"])
        code = compile(text, full, "exec", dont_inherit=True)
        for module in self.modules():
            if self.real_path(module.__file__) == full:
                old = dict(vars(module))
                exec(code, vars(module))
                self._renew(module, old)

    def remove(self, path, qualname):
        """Remove a function from its module or class, if it is there."""
        for holder, name in self._holders(path, qualname):
            with contextlib.suppress(AttributeError, TypeError):  # some classes refuse it, such as those of enums
                delattr(holder, name)

    def bound(self, path, qualname):
        """Return the function that a name refers to, which may be a decorator's; None if it refers to something
        else."""
        found = [vars(holder)[name] for holder, name in self._holders(path, qualname)]
        found = [one.__func__ if has_type(one, (staticmethod, classmethod)) else one for one in found]
        return found[0] if found and has_type(found[0], types.FunctionType) else None

    def _holders(self, path, qualname):
        """Yield the modules or classes that hold this name, with the last part of the name."""
        full = os.path.join(self.root, path)
        *above, name = qualname.split(".")
        for module in self.modules():
            holder = module if self.real_path(module.__file__) == full else None
            for part in above:
                holder = vars(holder).get(part) if has_type(holder, (types.ModuleType, type)) else None
            if has_type(holder, (types.ModuleType, type)) and name in vars(holder):
                yield holder, name

    def modules(self):
        """Return the loaded modules whose files lie under the root."""
        prefix = os.path.join(self.root, "")
        return [
            module
            for module in list(sys.modules.values())
            if has_type(module, types.ModuleType)
            and has_type(getattr(module, "__file__", None), str)
            and self.real_path(module.__file__).startswith(prefix)
        ]

    def _renew(self, module, old):
        new = vars(module)
        for name, before in old.items():
            after = new.get(name)
            if after is before or name.startswith("__"):
                continue
            if has_type(before, types.FunctionType) and has_type(after, types.FunctionType):
                if len(before.__code__.co_freevars) == len(after.__code__.co_freevars) == 0:
                    _transplant(after, before)
                    new[name] = before
                    continue
            elif has_type(before, type) and has_type(after, type) and after.__module__ == before.__module__:
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
    """Copy the attributes of the new class to the old class, to which instances and importers refer.

    Functions are changed in place, so that their `super()` still refers to the old class. The old class keeps its slot
    descriptors.
    """
    slots = types.MemberDescriptorType, types.GetSetDescriptorType
    for name, value in list(vars(source).items()):
        if name in ("__dict__", "__weakref__", "__doc__", "__slots__") or has_type(value, slots):
            continue
        pairs = _functions(vars(target).get(name), value)
        try:
            if pairs and all(old.__code__.co_freevars == new.__code__.co_freevars for old, new in pairs):
                for old, new in pairs:
                    _transplant(new, old)
            else:
                setattr(target, name, value)
        except (AttributeError, TypeError, ValueError):
            continue


def _functions(before, after):
    """Return (old, new) pairs of the functions in a class attribute and its replacement; none if their types differ."""
    if type(before) is not type(after):
        return []
    if has_type(before, types.FunctionType):
        return [(before, after)]
    if has_type(before, (staticmethod, classmethod)):
        return _functions(before.__func__, after.__func__)
    if has_type(before, property):
        parts = [(getattr(before, part), getattr(after, part)) for part in ("fget", "fset", "fdel")]
        if all(has_type(new, types.FunctionType) == has_type(old, types.FunctionType) for old, new in parts):
            return [(old, new) for old, new in parts if has_type(old, types.FunctionType)]
    return []


def apply_edits(source, edits, start, end):
    """Return the bytes from `start` to `end` of the source with the edits applied."""
    parts = []
    at = start
    for first, last, text in sorted(edits):
        parts += [source[at:first], text.encode()]
        at = last
    parts.append(source[at:end])
    return b"".join(parts)


def compile_function(text, qualname, filename, flags, first=1):
    """Return the code object of a function, compiled from its indented text as if it started at line `first`; None if
    it is missing.

    A method is compiled inside a class with the name of its own class, so that private names and `super()` work.
    """
    *above, name = qualname.split(".")
    head = b""
    if text[:1] in (b" ", b"\t"):
        head = ("class %s:\n" % above[-1] if above else "if 1:\n").encode()
    head = b"\n" * (first - 1 - bool(head)) + head
    module = compile(head + text, filename, "exec", flags, True)
    holders = [module] + [one for one in module.co_consts if isinstance(one, types.CodeType) and one.co_name in above]
    for holder in reversed(holders):
        for one in holder.co_consts:
            if isinstance(one, types.CodeType) and one.co_name == name:
                return one
    return None
