"""Runner for benchmarks: executes each once, without the benchmarking tool that it was written for.

Started by `python -c` in the repository's root, with `asv FOLDER FILE CLASS FUNCTION` (CLASS may be empty), or, if the
plug-in that provides the fixture `benchmark` is not installed, with `pytest` and its arguments. Paths are relative to
the repository's root.
"""

import importlib
import itertools
import os
import sys

MOST = 16
"""Maximum number of parameter combinations that are run."""


def asv(folder, file, owner, function):
    sys.path.insert(0, os.path.abspath(folder))
    name = ".".join(os.path.relpath(file, folder)[: -len(".py")].split(os.sep))
    if os.path.exists(os.path.join(folder, "__init__.py")):
        sys.path.insert(0, os.path.dirname(os.path.abspath(folder)))
        name = os.path.basename(os.path.abspath(folder)) + "." + name
    module = importlib.import_module(name)
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
        return  # asv benchmarks skip parameters by raising this error
    found(*values)
    for one in after:
        one(*values)


class Benchmark:
    """A replacement for the fixture of pytest-benchmark and pytest-codspeed that runs the code once."""

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


def plugin(pytest):
    """Return a pytest plug-in that replaces the one that provides the fixture `benchmark`."""

    class Plainly:
        @pytest.fixture
        def benchmark(self):
            return Benchmark()

        def pytest_configure(self, config):
            config.addinivalue_line("markers", "benchmark: a benchmark")

        def pytest_addoption(self, parser):
            # Options of the missing plug-ins that the repository's settings may contain.
            group = parser.getgroup("benchmark")
            for name in ("disable", "skip", "only", "autosave"):
                group.addoption("--benchmark-" + name, action="store_true")

    return Plainly()


def main(words):
    if words[0] == "asv":
        return asv(*words[1:])
    import pytest

    return pytest.main(words[1:], plugins=[plugin(pytest)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
