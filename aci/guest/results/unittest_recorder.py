"""Recorder for everything built on unittest: `python -m unittest`, Django's runners, `setup.py test`.

It patches `TestResult` and `TextTestRunner` themselves, since frameworks subclass them. Tests that run inside a test or
in a child process are not recorded.
"""

# ruff: noqa: N802  unittest's own names

import atexit
import functools
import os
import re
import sys
import time
import unittest

from .recorded_run import Clock, dotted, frames, is_wanted, relative_to, take_requested_run

PLACEHOLDER = re.compile(
    r"unittest\.loader\.(?:_FailedTest|ModuleSkipped|ModuleImportFailure|LoadTestsFailure)\.(.+)"
    r"|(?:setUp|tearDown)(?:Class|Module) \((.+)\)"
)

FEW = 100
PLAIN_RUNNER = "python -m unittest"


class Recorder:
    """The recorder of this process. `owner` is the result whose test is running; `depth` counts nested runners."""

    def __init__(self):
        self.run = self.clock = self.owner = None
        self.is_initialised = self.open = self.foreign = False
        self.depth = self.began = 0

    def listens_to(self, result):
        """Return whether a result belongs to the requested run, and not to a run inside one of its tests."""
        if not self.is_initialised:
            self.is_initialised = True
            self.run = take_requested_run()
            if self.run:
                self.clock = Clock(self.run.limit)
                atexit.register(lambda: self.foreign and self.finish(0, 0))
        return self.run is not None and self.owner in (None, result)

    def begin(self, foreign=False):
        """Write the start line unless it has already been written.

        `foreign`: the runner is not unittest's, so the run is done when the process ends.
        """
        if not self.open:
            self.open, self.foreign = True, foreign
            self.run.write(start="unittest")

    def finish(self, status, expected):
        if self.open:
            self.open = False
            self.run.write(finish=status, expected=expected)

    def describe_process(self, suite):
        """Write down how this process imports tests, unless a program has prepared it for a runner of its own."""
        if sys.argv[0] == PLAIN_RUNNER:
            self.run.describe_process({name_of(test): [] for test in flatten(suite)})

    def record(self, test, outcome, error=None, message=""):
        self.begin(foreign=True)
        kind, value, traceback = error or (None, None, None)
        path, line = place_of(test)
        self.run.result(
            name_of(test),
            outcome,
            message or ("{}: {}".format(kind.__name__, value) if kind else ""),
            path,
            line,
            time.time() - self.began if self.began else 0.0,
            kind.__name__ if kind else "",
            frames(self.run.root, traceback),
        )


RECORDER = Recorder()


def wrap_method(record):
    """Return a wrapper for the `TestResult` method with the name of `record`; it calls the method, then `record`."""

    def wrap(method):
        @functools.wraps(method)
        def wrapped(self, test, *arguments):
            answer = method(self, test, *arguments)
            if RECORDER.listens_to(self):
                record(self, test, *arguments)
            return answer

        return wrapped

    return wrap


def startTest(result, test):
    RECORDER.begin(foreign=True)
    RECORDER.owner, RECORDER.began = result, time.time()
    RECORDER.clock.start()
    RECORDER.run.write(running=name_of(test))


def stopTest(result, test):
    RECORDER.clock.stop()
    RECORDER.owner, RECORDER.began = None, 0


def addSuccess(result, test):
    RECORDER.record(test, "passed")


def addFailure(result, test, err):
    RECORDER.record(test, "failed", err)


def addError(result, test, err):
    RECORDER.record(test, "error" if PLACEHOLDER.match(test.id()) else "failed", err)


def addSkip(result, test, reason):
    RECORDER.record(test, "skipped", message=str(reason))


def addExpectedFailure(result, test, err):
    RECORDER.record(test, "xfailed", err)


def addUnexpectedSuccess(result, test):
    RECORDER.record(test, "failed", message="unexpected success")


def addSubTest(result, test, subtest, err):
    if err is not None:
        RECORDER.record(test, "failed", err)


RECORDED = (startTest, stopTest, addSuccess, addFailure, addError, addSkip, addExpectedFailure, addUnexpectedSuccess)


def wrap_run(method):
    """Return a wrapper for `TextTestRunner.run` that runs the requested tests, without failfast, and counts them."""

    @functools.wraps(method)
    def run(self, test):
        RECORDER.depth += 1
        try:
            if RECORDER.depth > 1 or RECORDER.owner is not None or not RECORDER.listens_to(None):
                return method(self, test)
            RECORDER.begin()
            self.failfast = False
            if RECORDER.run.nodes:
                test = select_tests(test, RECORDER.run)
                RECORDER.describe_process(test)
            elif hasattr(test, "subsuites"):
                test = divided(test, flatten(test))
            result = method(self, test)
            RECORDER.finish(0 if result.wasSuccessful() else 1, result.testsRun)
            return result
        finally:
            RECORDER.depth -= 1

    return run


def install(result, runner):
    """Patch the classes of the modules `unittest.result` and `unittest.runner` to record results."""
    for record in (*RECORDED, addSubTest):
        setattr(result.TestResult, record.__name__, wrap_method(record)(getattr(result.TestResult, record.__name__)))
    runner.TextTestRunner.run = wrap_run(runner.TextTestRunner.run)


def select_tests(suite, run):
    """Return the suite's requested tests, and the requested tests of files that its discovery did not find."""
    nodes = set(run.nodes)
    found = [test for test in flatten(suite) if is_wanted(names_of(test, run), nodes)]
    covered = {name for test in found for name in names_of(test, run)}
    for path in sorted({node.partition("::")[0] for node in nodes}):
        file = os.path.join(run.root, path)
        reached = dotted(path) in covered or any(name.startswith(path) for name in covered)
        if path.endswith(".py") and os.path.isfile(file) and not reached:
            found += [test for test in flatten(load(file)) if is_wanted(names_of(test, run), nodes)]
    return divided(suite, found)


def divided(suite, tests):
    """Return a suite of these tests, which Django's processes divide between them if they would divide the suite.

    A failure that cannot be pickled ends the whole run, and without tblib none can be, so one process runs all tests
    then, and also a few tests, as those that show an issue.
    """
    try:
        import tblib  # noqa: F401
    except ImportError:
        return unittest.TestSuite(tests)
    if hasattr(suite, "subsuites") and len(tests) > FEW:
        suite.subsuites = by_class(tests)
        return suite
    return unittest.TestSuite(tests)


def by_class(tests):
    """Return a suite for each class, as the parallel suite has them beside its own list of tests, which is empty."""
    classes = {}
    for test in tests:
        classes.setdefault(type(test), []).append(test)
    return [unittest.TestSuite(own) for own in classes.values()]


def load(file):
    """Load the tests of one file, imported under the name that its packages give it."""
    top = os.path.dirname(file)
    while os.path.exists(os.path.join(top, "__init__.py")):
        top = os.path.dirname(top)
    return unittest.TestLoader().discover(os.path.dirname(file), os.path.basename(file), top)


def flatten(suite):
    if isinstance(suite, unittest.TestSuite):
        return [test for part in getattr(suite, "subsuites", suite) for test in flatten(part)]
    return [suite]


def name_of(test):
    placeholder = PLACEHOLDER.match(test.id())
    return placeholder.group(1) or placeholder.group(2) if placeholder else test.id()


def names_of(test, run):
    name = name_of(test)
    names = {name}
    path = place_of(test)[0]
    if path:
        relative = relative_to(run.root, path)
        module = type(test).__module__
        rest = name[len(module) + 1 :] if name.startswith(module + ".") else name
        names |= {relative + "::" + rest.replace(".", "::"), dotted(relative) + "." + rest}
    elif PLACEHOLDER.match(test.id()):
        paths = {node.partition("::")[0] for node in run.nodes}
        names |= {path for path in paths if ("." + dotted(path)).endswith("." + name)}
        names |= {node for node in run.nodes if node.startswith(name + ".")}
    return names


def place_of(test):
    """Return the file and line of a test, or ("", 0) for a placeholder of a test that could not be loaded."""
    if PLACEHOLDER.match(test.id()):
        return "", 0
    module = sys.modules.get(type(test).__module__)
    method = getattr(test, getattr(test, "_testMethodName", ""), None)
    code = getattr(getattr(method, "__func__", method), "__code__", None)
    return getattr(module, "__file__", None) or "", getattr(code, "co_firstlineno", 0)
