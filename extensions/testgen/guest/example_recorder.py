"""Recorder of an example: the arguments that the module's functions get, and the module's objects in the result.

Standard library only, for the target's own Python (3.6 and later).
"""

import contextlib
import sys
import types

LONGEST_ARGUMENT, DEEPEST, MOST_VISITED, MOST_ITEMS, MOST_OF_CLASS = 80, 6, 200, 16, 2


class ExampleRecorder:
    """`assertions` writes values as source text, under the names that a test can import."""

    def __init__(self, module, assertions):
        self.assertions, self.module = assertions, module
        self.package = module.__name__.partition(".")[0]
        self.functions = dict(_functions(module))
        self.dotted = _names_of_values(self.package, module)
        self.about, self.calls = "", {}

    def profile(self, frame, event, argument):
        """Note the arguments of a call; a function for `sys.setprofile`.

        `name()` means the function that a function of the module returns.
        """
        code = frame.f_code
        if event != "call" or code.co_filename != self.module.__file__:
            return
        name, drop = self.functions.get(code) or (self._maker(code), 0)
        if not name:
            return
        if frame.f_back is not None and frame.f_back.f_code.co_filename == "<case>":
            self.about = name.replace("()", "")
        for param in code.co_varnames[drop : code.co_argcount + code.co_kwonlyargcount]:
            if param in frame.f_locals:
                self.calls[(name, param, *self.written(frame.f_locals[param]))] = None

    def _maker(self, code):
        """Return `name()` for a function that is defined in the function `name`, else ""."""
        outer, _, inner = getattr(code, "co_qualname", "").partition(".<locals>.")
        return outer + "()" if inner.isidentifier() and "." not in outer else ""

    def written(self, value):
        """Return (source text, name of its class in the module); "" for what there is none of."""
        kind = type(value)
        owner = kind.__name__ if self.assertions.name(kind) else ""
        try:
            text = self.assertions.text(value)
        except Exception:  # noqa: BLE001 - any object may refuse to be looked at
            text = self.dotted.get(id(value), "")
        return (text if len(text) <= LONGEST_ARGUMENT else ""), owner

    def objects(self, value):
        """Return [class, suffix] for objects of the module's classes: `result` with the suffix is such an object."""
        found, counts, seen, queue = [], {}, {}, [("", value, 0)]
        while queue and len(seen) < MOST_VISITED:
            suffix, value, depth = queue.pop(0)
            if id(value) in seen:
                continue
            seen[id(value)], kind = value, type(value)
            if self.assertions.name(kind):
                counts[kind] = counts.get(kind, 0) + 1
                if counts[kind] <= MOST_OF_CLASS:
                    found.append([kind.__name__, suffix])
            if depth < DEEPEST:
                queue += [(suffix + step, part, depth + 1) for step, part in self._parts(value, kind)]
        return found

    def _parts(self, value, kind):
        if kind in (list, tuple):
            return [("[%d]" % place, part) for place, part in enumerate(value[:MOST_ITEMS])]
        if (kind.__module__ or "").partition(".")[0] != self.package:
            return []
        parts = []
        for name in self.assertions.attributes(value, kind):
            with contextlib.suppress(Exception):  # a property may raise anything
                parts.append(("." + name, getattr(value, name)))
        return parts


def _functions(module):
    """Yield (code, (dotted name, number of parameters to leave out)) for the module's functions and methods."""
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if not isinstance(value, type):
            code = getattr(getattr(value, "__wrapped__", value), "__code__", None)
            yield code, (name, 0)
            continue
        for method, held in vars(value).items():
            raw = getattr(held, "__func__", None) or getattr(held, "fget", None) or held
            code = getattr(getattr(raw, "__wrapped__", raw), "__code__", None)
            dotted = name if method in ("__init__", "__new__") else "%s.%s" % (name, method)
            yield code, (dotted, 0 if isinstance(held, staticmethod) else 1)


def _names_of_values(package, module):
    """Return id -> dotted name for the values that have a public name in the module or the package, the shortest
    first."""
    found = {}
    modules = sorted((name for name in sys.modules if (name + ".").startswith(package + ".")), key=len)
    for holder in [module.__name__, *modules]:
        prefix = "" if holder == module.__name__ else holder + "."
        if "._" in prefix or (prefix and not _is_attribute(holder)):
            continue
        for name, value in list(vars(sys.modules[holder]).items()):
            if name[0] != "_" and not isinstance(value, (types.ModuleType, int, str, float, type(None))):
                found.setdefault(id(value), prefix + name)
    return found


def _is_attribute(name):
    """Return whether a module is reached by attributes from its package."""
    first, *rest = name.split(".")
    held = sys.modules.get(first)
    for part in rest:
        held = getattr(held, part, None)
    return held is sys.modules[name]
