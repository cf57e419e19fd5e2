"""Runs a benchmark once, as it is without its own tool.

For asv: started with the path of a job {"folder", "file", "names": [class or "", function]}. As a plug-in of pytest's,
where the one that has the fixture `benchmark` is not installed: a fixture that calls the function once.
"""

import importlib
import itertools
import json
import os
import sys

MOST = 16
"""Combinations of parameters that are run."""


def main(file):
    with open(file, encoding="utf-8") as opened:
        job = json.load(opened)
    sys.path.insert(0, job["folder"])
    name = ".".join(os.path.relpath(job["file"], job["folder"])[: -len(".py")].split(os.sep))
    if os.path.exists(os.path.join(job["folder"], "__init__.py")):
        sys.path.insert(0, os.path.dirname(job["folder"]))
        name = os.path.basename(job["folder"]) + "." + name
    module = importlib.import_module(name)
    owner, function = job["names"]
    holder = getattr(module, owner) if owner else module
    found = getattr(holder, function)
    cache = ()
    if hasattr(holder, "setup_cache"):
        cache = ((holder() if owner else holder).setup_cache(),)
    for values in combinations(getattr(found, "params", getattr(holder, "params", []))):
        once(holder() if owner else module, function, (*cache, *values))


def combinations(params):
    params = list(params)
    if params and not isinstance(params[0], (list, tuple)):
        params = [params]
    return itertools.islice(itertools.product(*params), MOST)


def once(holder, function, values):
    found = getattr(holder, function)
    before, after = [
        [one for one in (getattr(holder, name, None), getattr(found, name, None)) if one is not None]
        for name in ("setup", "teardown")
    ]
    try:
        for one in before:
            one(*values)
    except NotImplementedError:
        return  # asv's word for parameters that are to be passed over
    found(*values)
    for one in after:
        one(*values)


class Benchmark:
    """What benchmarks get from pytest-benchmark and pytest-codspeed, as far as it runs anything."""

    def __init__(self):
        self.extra_info, self.group, self.enabled = {}, None, False

    def __call__(self, function, *args, **kwargs):
        return function(*args, **kwargs)

    def pedantic(self, target, args=(), kwargs=None, setup=None, teardown=None, **ignored):
        if setup is not None:
            given = setup()
            if given is not None:
                args, kwargs = given
        result = target(*args, **(kwargs or {}))
        if teardown is not None:
            teardown(*args, **(kwargs or {}))
        return result

    def weave(self, *ignored, **more):
        return None


if "pytest" in sys.modules:
    import pytest

    @pytest.fixture
    def benchmark():
        return Benchmark()

    def pytest_configure(config):
        config.addinivalue_line("markers", "benchmark: a benchmark")

    def pytest_addoption(parser):
        # Options that a repository's own settings may give to the plug-ins that are missing.
        group = parser.getgroup("benchmark")
        for name in ("disable", "skip", "only", "autosave"):
            group.addoption("--benchmark-" + name, action="store_true")


if __name__ == "__main__":
    main(sys.argv[1])
