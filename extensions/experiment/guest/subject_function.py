"""The target function, found in the repository by path and dotted name, and its recorded calls (pickles).

Runs in the repository's own Python, in a process that also runs the repository's code; pickles are loaded only there.
"""

import importlib
import importlib.machinery  # some modules use these two without importing them
import importlib.util
import os
import pickle
import sys


def load_subject(root, path, name):
    """Return (function, module); the function is unbound and without its staticmethod or classmethod wrapper."""
    module = importlib.import_module(module_name(root, path))
    holder = module
    *owners, last = name.split(".")
    for owner in owners:
        holder = getattr(holder, owner)
    found = vars(holder)[last]
    return getattr(found, "__func__", found), module


def module_name(root, path):
    """Return the name under which the repository imports a file, and put the file's top folder first on sys.path."""
    parts = path[: -len(".py")].split("/")
    top = len(parts) - 1
    while top and os.path.exists(os.path.join(root, *parts[:top], "__init__.py")):
        top -= 1
    if (
        top == 1
        and parts[0] != "src"
        and not any(each.endswith(".py") for each in os.listdir(os.path.join(root, parts[0])))
    ):
        top = 0  # a namespace package
    folder = os.path.join(root, *parts[:top])
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts[top:])


def hide_own_modules():
    """Remove this package's modules from sys.modules, so that the code under test cannot detect them."""
    package = __package__.partition(".")[0]
    for name in [one for one in sys.modules if one.partition(".")[0] == package]:
        del sys.modules[name]


def load_call(file):
    """Return (args, kwargs) of a recorded call as new objects."""
    with open(file, "rb") as stream:
        return pickle.load(stream)
