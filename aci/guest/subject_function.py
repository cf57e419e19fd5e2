"""The function under work, found in the repository by path and dotted name, and calls of it kept as pickles.

Runs in the repository's own Python, beside its code; a pickle is read nowhere else.
"""

import importlib
import os
import pickle
import sys


def subject(root, path, name):
    """(the function itself, unbound and without staticmethod or classmethod round it; its module)."""
    module = importlib.import_module(module_name(root, path))
    holder = module
    *owners, last = name.split(".")
    for owner in owners:
        holder = getattr(holder, owner)
    found = vars(holder)[last]
    return getattr(found, "__func__", found), module


def module_name(root, path):
    """The name under which the repository imports a file, with its folder first on sys.path."""
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


def read(file):
    """The (args, kwargs) of a kept call, made anew."""
    with open(file, "rb") as stream:
        return pickle.load(stream)
