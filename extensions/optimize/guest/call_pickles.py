"""Recorded calls as pickles that any process of the same Python in the repository's root can load with pickle alone.

A pickle contains its own set-up: the folders of the repository that were on sys.path, and the module that was
`__main__`. Functions that cannot be found by name (lambdas, nested functions) are stored by their code.
"""

import io
import json
import marshal
import os
import pickle
import signal
import struct
import sys
import types

LOAD = """\
def load(data, path, main):
    import io, os, pickle, sys
    for folder in map(os.path.abspath, path):
        if folder not in sys.path and os.path.isdir(folder):
            sys.path.append(folder)
    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            return super().find_class(main if main and module == "__main__" else module, name)
    return Reader(io.BytesIO(data)).load()
"""
START = "exec(code) or load(data, path, main)"
FUNCTION = (
    "(lambda f: setattr(f, '__kwdefaults__', keywords) or setattr(f, '__qualname__', long) or f)("
    "__import__('types').FunctionType(__import__('marshal').loads(code),"
    " vars(__import__('importlib').import_module(module)) if module else {'__builtins__': __import__('builtins')},"
    " name, defaults, tuple(map(__import__('types').CellType, cells))))"
)


class RecordedCall:
    """A pickled call with the code that loads it."""

    def __init__(self, data, path, main, bare):
        self.names = {"code": LOAD, "data": data, "path": path, "main": main, "bare": bare}

    def __reduce__(self):
        return eval, (START, self.names)


class Uninitialised:
    """A placeholder for an object that is not initialised yet and therefore cannot be pickled."""

    def __init__(self, value):
        self.kind = type(value)

    def __reduce__(self):
        return eval, ("kind.__new__(kind)", {"kind": self.kind})


class Pickler(pickle.Pickler):
    """A pickler that also stores functions that cannot be found by name (from Python 3.8 on)."""

    main = ""

    def reducer_override(self, value):
        if type(value) is not types.FunctionType or _is_named(value):
            return NotImplemented
        code = value.__code__
        module = value.__module__ if code.co_names or _has_code(code) else ""
        return eval, (
            FUNCTION,
            {
                "code": marshal.dumps(code),
                "module": self.main if module == "__main__" else module,
                "name": value.__name__,
                "long": value.__qualname__,
                "defaults": value.__defaults__,
                "keywords": value.__kwdefaults__,
                "cells": [cell.cell_contents for cell in value.__closure__ or ()],
            },
        )


def _has_code(code):
    return any(isinstance(one, types.CodeType) for one in code.co_consts)


def _is_named(function):
    found = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


def dumps(args, kwargs, path=(), main="", bare=False):
    """Return the pickle of a call. With `bare`, the first argument is an object that is not initialised yet.

    Raises whatever exception pickling raises.
    """
    if bare and args and hasattr(args[0], "__dict__"):
        args = (Uninitialised(args[0]), *args[1:])
    stream = io.BytesIO()
    pickler = Pickler(stream, 4)
    pickler.main = main
    pickler.dump((args, kwargs))
    return pickle.dumps(RecordedCall(stream.getvalue(), list(path), main, bare), 4)


def loads(data):
    """Return (args, kwargs) as new objects."""
    return pickle.loads(data)


def read_setup(data):
    """Return (path, main, bare) of a recorded call without loading it, so that no code of the repository runs."""

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) not in (("builtins", "eval"), ("__builtin__", "eval")):
                raise pickle.UnpicklingError("not a recorded call")
            return lambda text, names: names

    try:
        names = Reader(io.BytesIO(data)).load()
        return list(names["path"]), str(names["main"]), bool(names["bare"])
    except Exception:  # noqa: BLE001 - a pickle that was written by other code
        return [], "", False


def repository_folders(root):
    """Return the folders of the repository on sys.path, relative to its root."""
    found = []
    for folder in sys.path:
        folder = os.path.realpath(folder or os.getcwd())
        if (folder + os.sep).startswith(root + os.sep) and "site-packages" not in folder:
            found.append(os.path.relpath(folder, root))
    return found


def write_all(file, parts):
    with open(file, "wb") as stream:
        for part in parts:
            stream.write(struct.pack(">I", len(part)) + part)


def open_job(file, seconds=0):
    """Return the JSON job in a file and the token from stdin, of a program that loads recorded calls.

    With `seconds`, the program ends then, since importing a class of the repository may hang.
    """
    sys.path.insert(0, "")  # loading the pickled calls imports the repository's modules
    token = sys.stdin.readline().strip()
    with open(file, encoding="utf-8") as opened:
        job = json.load(opened)
    signal.alarm(seconds)
    return job, token


def read_all(file):
    """Return the complete records of a file; a truncated last record is ignored."""
    with open(file, "rb") as stream:
        data = stream.read()
    found, place = [], 0
    while place + 4 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        if place + 4 + length > len(data):
            break
        found.append(data[place + 4 : place + 4 + length])
        place += 4 + length
    return found
