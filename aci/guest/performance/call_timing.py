"""Seconds and memory of calls of the function under work: `timed.py ROOT PATH NAME FOLDER [memory]`.

Prints a JSON list with the least seconds of each call of three, or with its peak of bytes, as tracemalloc sees them.
"""

import gc
import importlib.util
import json
import os
import sys
import time

ROUNDS = 3


def sibling(name):
    """A module beside this file, under a name that no module of the repository has; its folder is not on sys.path."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if os.path.abspath(each) != folder]
    spec = importlib.util.spec_from_file_location("_swe_agent_" + name, os.path.join(folder, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main(root, path, name, folder, memory):
    subject = sibling("subject")
    function, _ = subject.subject(root, path, name)
    files = sorted(os.listdir(folder))
    measure = peak if memory else seconds
    out = os.dup(1)
    os.dup2(2, 1)  # what the function prints is not our answer
    found = [measure(function, os.path.join(folder, file), subject.read) for file in files]
    os.write(out, json.dumps(found).encode())


def call(function, args, kwargs):
    try:
        made = function(*args, **kwargs)
        if hasattr(made, "__next__"):
            for _ in zip(range(1000000), made):
                pass
    except Exception:  # noqa: BLE001, S110  # an answer like any other
        pass


def seconds(function, file, read):
    best = None
    for _ in range(ROUNDS):
        args, kwargs = read(file)
        gc.collect()
        gc.disable()
        began = time.perf_counter()
        call(function, args, kwargs)
        took = time.perf_counter() - began
        gc.enable()
        best = took if best is None else min(best, took)
    return best


def peak(function, file, read):
    import tracemalloc

    args, kwargs = read(file)
    gc.collect()
    tracemalloc.start()
    call(function, args, kwargs)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


if __name__ == "__main__":
    main(*sys.argv[1:5], memory=sys.argv[5:] == ["memory"])
