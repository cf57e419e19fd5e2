"""Functions and classes of Python and its library that something has replaced since this module was imported.

Standard library only, for the target's own Python (3.6 and later).
"""

import os
import sys
import types

LIBRARY = os.path.join(os.path.dirname(os.path.realpath(os.__file__)), "")
ELSEWHERE = ("site-packages", "dist-packages")


def _library_modules():
    """Yield the name and module of builtins and of each loaded module of the standard library."""
    for name, module in list(sys.modules.items()):
        if not issubclass(type(module), types.ModuleType):
            continue
        file = vars(module).get("__file__")
        if not isinstance(file, str):
            is_library = name in sys.builtin_module_names
        else:
            path = os.path.realpath(file)
            is_library = path.startswith(LIBRARY) and not any(part in path for part in ELSEWHERE)
        if is_library:
            yield name, module


ORIGINAL = {name: (module, dict(vars(module))) for name, module in _library_modules()}


def replaced_names():
    """Return the dotted names of callables that now refer to another object."""
    return sorted(
        "%s.%s" % (module, name)
        for module, (holder, values) in ORIGINAL.items()
        for name, value in values.items()
        if callable(value) and vars(holder).get(name, value) is not value
    )
