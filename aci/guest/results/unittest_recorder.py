"""Records what everything reports that is built on unittest: `python -m unittest`, Django's runners, `setup.py test`.

`TestResult` and `TextTestRunner` themselves are taught to tell, since frameworks derive their own from them. A test
that runs tests, and a child process, tell nothing.
"""

# ruff: noqa: N802  unittest's own names

import atexit
import functools
import os
import re
import sys
import time
import unittest

from .run import Clock, asked_run, dotted, frames, is_wanted, relative_to

PLACEHOLDER = re.compile(
    r"unittest\.loader\.(?:_FailedTest|ModuleSkipped|ModuleImportFailure|LoadTestsFailure)\.(.+)"
    r"|(?:setUp|tearDown)(?:Class|Module) \((.+)\)"
)


class Recorder:
    """What this process tells. `owner` is the result whose test is running, `depth` counts runners in runners."""

    def __init__(self):
        self.run = self.clock = self.owner = None
        self.asked = self.open = self.foreign = False
        self.depth = self.began = 0

    def listens_to(self, result):
        """Whether a result is one of the run asked for, not one within a test of it."""
        if not self.asked:
            self.asked = True
            self.run = asked_run()
            if self.run:
                self.clock = Clock(self.run.limit)
                atexit.register(lambda: self.foreign and self.finish(0, 0))
        return self.run is not None and self.owner in (None, result)

    def begin(self, foreign=False):
        """`foreign`: by a runner of others, of which only the end of the process tells that it is done."""
        if not self.open:
            self.open, self.foreign = True, foreign
            self.run.write(start="unittest")

    def finish(self, status, expected):
        if self.open:
            self.open = False
            self.run.write(finish=status, expected=expected)

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


HERE = Recorder()


def telling(tell):
    """Wraps the method of `TestResult` that `tell` is named after: it is called, then told."""

    def wrap(method):
        @functools.wraps(method)
        def wrapped(self, test, *arguments):
            answer = method(self, test, *arguments)
            if HERE.listens_to(self):
                tell(self, test, *arguments)
            return answer

        return wrapped

    return wrap


def startTest(result, test):
    HERE.begin(foreign=True)
    HERE.owner, HERE.began = result, time.time()
    HERE.clock.start()
    HERE.run.write(running=name_of(test))


def stopTest(result, test):
    HERE.clock.stop()
    HERE.owner, HERE.began = None, 0


def addSuccess(result, test):
    HERE.record(test, "passed")


def addFailure(result, test, err):
    HERE.record(test, "failed", err)


def addError(result, test, err):
    HERE.record(test, "error" if PLACEHOLDER.match(test.id()) else "failed", err)


def addSkip(result, test, reason):
    HERE.record(test, "skipped", message=str(reason))


def addExpectedFailure(result, test, err):
    HERE.record(test, "xfailed", err)


def addUnexpectedSuccess(result, test):
    HERE.record(test, "failed", message="unexpected success")


def addSubTest(result, test, subtest, err):
    if err is not None:
        HERE.record(test, "failed", err)


TOLD = (startTest, stopTest, addSuccess, addFailure, addError, addSkip, addExpectedFailure, addUnexpectedSuccess)


def running(method):
    """Wraps `TextTestRunner.run`: narrowed to what was asked for, to its end whatever fails, with a count of all."""

    @functools.wraps(method)
    def run(self, test):
        HERE.depth += 1
        try:
            if HERE.depth > 1 or HERE.owner is not None or not HERE.listens_to(None):
                return method(self, test)
            HERE.begin()
            self.failfast = False
            result = method(self, chosen(test, HERE.run) if HERE.run.nodes else test)
            HERE.finish(0 if result.wasSuccessful() else 1, result.testsRun)
            return result
        finally:
            HERE.depth -= 1

    return run


def install(result, runner):
    """Teach the classes of these modules, `unittest.result` and `unittest.runner`, to tell."""
    for tell in (*TOLD, addSubTest):
        setattr(result.TestResult, tell.__name__, telling(tell)(getattr(result.TestResult, tell.__name__)))
    runner.TextTestRunner.run = running(runner.TextTestRunner.run)


def chosen(suite, run):
    """The asked tests of the suite, and those of asked files that the suite's discovery did not reach."""
    nodes = set(run.nodes)
    found = [test for test in flat(suite) if is_wanted(names_of(test, run), nodes)]
    covered = {name for test in found for name in names_of(test, run)}
    for path in sorted({node.partition("::")[0] for node in nodes}):
        file = os.path.join(run.root, path)
        reached = dotted(path) in covered or any(name.startswith(path) for name in covered)
        if path.endswith(".py") and os.path.isfile(file) and not reached:
            found += [test for test in flat(load(file)) if is_wanted(names_of(test, run), nodes)]
    return unittest.TestSuite(found)


def load(file):
    """The tests of one file, imported under the name that its packages give it."""
    top = os.path.dirname(file)
    while os.path.exists(os.path.join(top, "__init__.py")):
        top = os.path.dirname(top)
    return unittest.TestLoader().discover(os.path.dirname(file), os.path.basename(file), top)


def flat(suite):
    if isinstance(suite, unittest.TestSuite):
        return [test for part in suite for test in flat(part)]
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
    """File and line where a test is written; ("", 0) for a placeholder of something that could not be loaded."""
    if PLACEHOLDER.match(test.id()):
        return "", 0
    module = sys.modules.get(type(test).__module__)
    method = getattr(test, getattr(test, "_testMethodName", ""), None)
    code = getattr(getattr(method, "__func__", method), "__code__", None)
    return getattr(module, "__file__", None) or "", getattr(code, "co_firstlineno", 0)
