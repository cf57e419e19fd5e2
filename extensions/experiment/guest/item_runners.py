"""Runners that run a single test repeatedly in one process: a pytest item or a unittest case.

Standard library only, for the target's own Python (3.6 and later).
"""

import copy
import importlib
import types
import unittest

from .forked_sandbox import TimeUp, cpu_limit


class PytestTest:
    """A collected pytest item, run directly through its hooks, without report, traceback text or assertion details."""

    def __init__(self, item):
        self.item = item

    def run(self):
        """Run the test; return (outcome, exception)."""
        item = self.item
        if hasattr(item, "_initrequest"):
            item._initrequest()
        if getattr(item, "_excinfo", None):
            item._excinfo = None
        error = late = None
        try:
            item.ihook.pytest_runtest_setup(item=item)
            item.ihook.pytest_runtest_call(item=item)
            # Under pytest, a TestCase does not raise its failures but stores them here.
            error = item._excinfo[0].value if getattr(item, "_excinfo", None) else None
        except TimeUp as caught:
            late = caught
        except BaseException as caught:  # noqa: BLE001 - the code under test may raise anything, SystemExit too
            error = caught
        try:
            item.ihook.pytest_runtest_teardown(item=item, nextitem=None)
        except TimeUp as caught:
            late = caught
        except BaseException as caught:  # noqa: BLE001 - as above
            error = error or caught
        if late:
            raise late
        return outcome(error), error

    def data(self):
        """Return the test's parameters, which the test itself may change."""
        callspec = getattr(self.item, "callspec", None)
        return getattr(callspec, "params", None)

    def function(self):
        """Return the test's function without its decorators; None if it is no Python function."""
        return plain_function(getattr(self.item, "function", None))


class UnittestTest:
    """A unittest case, run with its class and module fixtures."""

    def __init__(self, case):
        self.case = case

    def run(self):
        """Run the test; return (outcome, exception)."""
        result = Result()
        unittest.TestSuite([copy.copy(self.case)]).run(result)
        return "skipped" if result.skipped and not result.error else outcome(result.error), result.error

    def data(self):
        return None

    def function(self):
        return plain_function(getattr(type(self.case), self.case._testMethodName, None))


class Result(unittest.TestResult):
    """A test result that keeps the first exception and formats no traceback."""

    error = None

    def addError(self, test, err):  # noqa: N802 - unittest's name, as below
        self.error = self.error or err[1]

    addFailure = addError  # noqa: N815

    def addSubTest(self, test, subtest, err):  # noqa: N802
        if err is not None:
            self.addError(test, err)

    def addUnexpectedSuccess(self, test):  # noqa: N802
        self.error = self.error or AssertionError("passed unexpectedly")

    def addExpectedFailure(self, test, err):  # noqa: N802
        pass


def run_watched(test, seconds, watcher):
    """Run a test for at most so many CPU seconds under a tracer or recorder, which is stopped afterwards; return the
    test's outcome."""
    try:
        with cpu_limit(seconds):
            return test.run()[0]
    except TimeUp:
        return "timeout"
    finally:
        watcher.stop()


def plain_function(found):
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return found if isinstance(found, types.FunctionType) else None


def outcome(error):
    if error is None:
        return "passed"
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return "skipped" if "SkipTest" in kinds or "Skipped" in kinds else "failed"


def unittest_tests(names):
    """Return the tests that can be loaded from these dotted names, by name."""
    found = {}
    for name in names:
        parts = name.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            try:
                module = importlib.import_module(".".join(parts[:cut]))
            except ImportError:
                continue
            except Exception:  # noqa: BLE001 - a test module may fail to import in any way; then its tests are not used
                break
            if cut == len(parts) - 2 and hasattr(module, parts[-2]):
                case = getattr(module, parts[-2])
                if isinstance(case, type) and issubclass(case, unittest.TestCase) and hasattr(case, parts[-1]):
                    found[name] = UnittestTest(case(parts[-1]))
            break
    return found
