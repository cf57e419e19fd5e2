"""Program that calls tests directly, so that no test runner leaves traces in the process.

The host sends this text to `python -`, followed by a call of `main` with a job as JSON: the working directory,
environment, import path and program name of the process, and for each test its file, the name of its module ("" if it
is unknown), and the names in the module that lead to the test. The answer to a test is a line with its position in the
job and its failure: type and message of the exception, and the last line in the test's file that it passed through; the
type is "" if the test passed. There is no line for a test that cannot be called this way, such as one with arguments.

Standard library only, for the target's own Python (3.6 and later). pytest and unittest are not imported unless a test
imports them.
"""

import importlib
import importlib.util
import inspect
import json
import os
import sys

MESSAGE = 2000
SET_UP = (
    *("setup_module", "teardown_module", "setup_function", "teardown_function", "setup_class", "teardown_class"),
    *("setup_method", "teardown_method", "setup", "teardown", "setUpModule", "tearDownModule"),
)
"""Functions that pytest calls before and after the tests of a module or class."""


SOURCES = {}
"""The specification and text of each test module that was read."""


class CannotCall(Exception):
    """A test that only its test runner can run."""


def main(text):
    job = json.loads(text)
    answers = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    sys.dont_write_bytecode = True
    sys.argv[:] = [job["program"]]
    sys.path[:] = job["path"]
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    for position, (file, module, names, keeps_file) in enumerate(job["tests"]):
        failure = call(file, module, names, keeps_file)
        if failure is not None:
            answers.write(json.dumps({"test": position, **failure}) + "\n")
            answers.flush()
    os._exit(0)


def call(file, module, names, keeps_file):
    """Call a test and return its failure, or None if it cannot be called."""
    try:
        run(load(file, module, keeps_file), names)
    except CannotCall:
        return None
    except BaseException as error:  # noqa: BLE001 - a test may raise anything
        kind = type(error).__name__
        if kind in ("Skipped", "SkipTest"):
            return None
        return {"error": kind, "message": message_of(error), "line": line_in(file, error.__traceback__)}
    return {"error": "", "message": "", "line": 0}


def load(file, name, keeps_file):
    """Import the test's file under the name that its packages give it, unless `name` is given.

    Unless it keeps its file, that is removed, and its code is compiled under another file name, so that the code under
    test does not see a test's file among its callers or beside it.
    """
    top, parts = os.path.split(file)
    parts = [os.path.splitext(parts)[0]]
    while not name and os.path.exists(os.path.join(top, "__init__.py")):
        top, package = os.path.split(top)
        parts.insert(0, package)
    if not name and top not in sys.path:
        sys.path.insert(0, top)
    name = name or ".".join(parts)
    if keeps_file or name in sys.modules:
        module = importlib.import_module(name)
        found = getattr(module, "__file__", None) or ""
        if found != neutral_path(file) and os.path.realpath(found) != os.path.realpath(file):
            raise CannotCall
        return module
    if name not in SOURCES:
        spec = importlib.util.find_spec(name)
        if spec is None or not hasattr(spec.loader, "get_data"):
            raise CannotCall
        SOURCES[name] = spec, spec.loader.get_data(spec.origin)
    spec, text = SOURCES[name]
    if os.path.realpath(spec.origin) != os.path.realpath(file):
        raise CannotCall
    if os.path.exists(file):
        os.remove(file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    module.__file__ = neutral_path(file)
    try:
        exec(compile(text, neutral_path(file), "exec", dont_inherit=True), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def neutral_path(file):
    """Return the path of a file next to this one whose name says nothing."""
    return os.path.join(os.path.dirname(file), "_.py")


def run(module, names):
    owner = module
    for name in names[:-1]:
        owner = getattr(owner, name)
    test = getattr(owner, names[-1])
    if not inspect.isroutine(test) or any(
        check(test) for check in (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    ):
        raise CannotCall
    unittest = sys.modules.get("unittest")
    if unittest and isinstance(owner, type) and issubclass(owner, unittest.TestCase):
        run_case(unittest.TestCase, module, owner, names[-1])
    elif any(hasattr(place, name) for place in (module, owner) for name in SET_UP):
        raise CannotCall
    elif isinstance(owner, type):
        getattr(owner(), names[-1])()
    else:
        test()


def run_case(plain, module, case, name):
    """Run a method of a unittest case with its set-up and clean-up."""
    own = any(getattr(case, each) is not getattr(plain, each) for each in ("run", "__call__", "debug"))
    marked = any(getattr(each, "__unittest_skip__", False) for each in (case, getattr(case, name)))
    if own or marked or getattr(getattr(case, name), "__unittest_expecting_failure__", False):
        raise CannotCall
    getattr(module, "setUpModule", int)()
    case.setUpClass()
    test = case(name)
    try:
        test.setUp()
        try:
            getattr(test, name)()
        finally:
            test.tearDown()
    finally:
        test.doCleanups()
        case.tearDownClass()
        getattr(case, "doClassCleanups", int)()
        getattr(module, "tearDownModule", int)()


def message_of(error):
    try:
        return str(error)[:MESSAGE]
    except Exception:  # noqa: BLE001 - the exception's own code may fail
        return ""


def line_in(file, traceback):
    """Return the last line of a file in a traceback, or 0."""
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename in (file, neutral_path(file)):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
