"""Test results as JSON lines: a pytest plug-in and a unittest runner in one file, copied into a workspace.

It runs under the target's Python (3.6 and later) with the standard library only. The environment variable
SWE_AGENT_RUN names a JSON file `{"out", "root", "nodes", "cache", "limit"}`; without it the plug-in does nothing, so
nested test runs are not recorded. Every line is flushed, so a crash or a kill keeps what was there. `limit` is how
many seconds a test may take; one that hangs fails, and the others still run.

Lines: {"start"} once a session, {"running": id} before a test, {"id", "outcome", ...} after it,
{"finish": status, "expected": tests that were to run} at the session's end.
"""

# ruff: noqa: N802  unittest's own names

import json
import os
import re
import signal
import sys
import threading
import time
import unittest

pytest = sys.modules.get("pytest")
hookimpl = pytest.hookimpl if pytest else (lambda **_: lambda function: function)

MESSAGE = 4000
FRAMES = 60
SEPARATORS = re.compile(r"::|[.\[/]")
PLACEHOLDER = re.compile(
    r"unittest\.loader\.(?:_FailedTest|ModuleSkipped|ModuleImportFailure|LoadTestsFailure)\.(.+)"
    r"|(?:setUp|tearDown)(?:Class|Module) \((.+)\)"
)


class Run:
    """What the host asked for, and the file that answers it."""

    def __init__(self, file):
        with open(file, encoding="utf-8") as opened:
            asked = json.load(opened)
        self.root = os.path.realpath(asked["root"])
        self.cache = asked["cache"]
        self.limit = asked["limit"]
        self.nodes = [normal(node) for node in asked["nodes"]]
        self.out = open(asked["out"], "a", encoding="utf-8")  # noqa: SIM115  open until the process ends
        self.process = os.getpid()

    def write(self, **line):
        if os.getpid() == self.process:
            self.out.write(json.dumps(line) + "\n")
            self.out.flush()

    def result(self, id, outcome, message="", path="", line=0, seconds=0.0, error="", trace=()):
        self.write(
            id=id,
            outcome=outcome,
            message=str(message)[-MESSAGE:],
            path=relative_to(self.root, path) if path else "",
            line=line,
            seconds=round(seconds, 6),
            error=error,
            trace=list(trace),
        )


def relative_to(root, path):
    """Repository-relative and POSIX inside the repository, else absolute."""
    path = os.path.realpath(os.path.join(root, path))
    inside = path.startswith(root + os.sep)
    return (os.path.relpath(path, root) if inside else path).replace(os.sep, "/")


def frames(root, traceback):
    """The repository's own frames, innermost last: [path, line, function]."""
    found = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        path = relative_to(root, code.co_filename)
        if not os.path.isabs(path) and "site-packages" not in path:
            found.append([path, traceback.tb_lineno, code.co_name])
        traceback = traceback.tb_next
    return found[-FRAMES:]


class RanTooLong(BaseException):
    """Not an Exception: code under test that catches everything it expects must not catch this."""


class Clock:
    """Fails a test that takes longer than `limit` seconds; after each that did, the next may take half as long.

    An alarm signal, so only where nothing else uses it; a hang in C code is left to the limit of the whole run.
    """

    def __init__(self, limit):
        self.limit = limit
        self.least = limit / 20

    def start(self):
        main = threading.current_thread() is threading.main_thread()
        if self.limit and main and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL:
            signal.signal(signal.SIGALRM, self.ring)
            signal.setitimer(signal.ITIMER_REAL, self.limit, 1)

    def stop(self):
        if signal.getsignal(signal.SIGALRM) == self.ring:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def ring(self, *_):
        limit, self.limit = self.limit, max(self.limit / 2, self.least)
        raise RanTooLong("ran longer than {:g} s".format(limit))


def asked_run():
    """The run that the environment asks for; only the first asker gets it."""
    file = os.environ.pop("SWE_AGENT_RUN", "")
    return Run(file) if file else None


def normal(node):
    path, colons, rest = node.partition("::")
    if "/" in path or path.endswith(".py"):
        path = os.path.normpath(path).replace(os.sep, "/")
    return path + colons + rest


def dotted(path):
    return re.sub(r"\.py$", "", path).replace("/", ".").replace("::", ".")


def is_wanted(names, nodes):
    """Whether one of a test's names is a node or lies below one (its class, file or folder)."""
    return any(
        name in nodes or any(name[: cut.start()] in nodes for cut in SEPARATORS.finditer(name)) for name in names
    )


# pytest -----------------------------------------------------------------------------------------------------------


class Selection:
    """Runs the asked tests only, and adds to each report what only the process that ran it knows."""

    def __init__(self, root, nodes, limit):
        self.root = root
        self.nodes = set(nodes)
        self.clock = Clock(limit)

    @hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        if self.nodes:
            wanted = [is_wanted(self.names(item), self.nodes) for item in items]
            config.hook.pytest_deselected(items=[item for item, keep in zip(items, wanted) if not keep])
            items[:] = [item for item, keep in zip(items, wanted) if keep]

    def names(self, item):
        relative = relative_to(self.root, str(getattr(item, "path", None) or item.fspath))
        rest = item.nodeid.partition("::")[2]
        return {item.nodeid, relative + "::" + rest, dotted(relative) + "." + rest.replace("::", ".")}

    @hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_setup(self, item):
        self.clock.start()
        yield
        self.clock.stop()

    @hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_call(self, item):
        self.clock.start()
        yield
        self.clock.stop()

    @hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        report = outcome.get_result()
        if call.excinfo is not None and report.failed and hasattr(report, "user_properties"):
            known = [call.excinfo.typename, frames(self.root, call.excinfo.tb)]
            report.user_properties.append(("swe-agent", known))


class Workers:
    """Hands the selection to the workers of pytest-xdist."""

    def __init__(self, run):
        self.run = run

    def pytest_configure_node(self, node):
        node.workerinput["swe_agent"] = [self.run.root, self.run.nodes, self.run.limit]


class Recorder:
    def __init__(self, run, config):
        self.run = run
        self.rootdir = str(config.rootdir) if not hasattr(config, "rootpath") else str(config.rootpath)

    def pytest_runtest_logstart(self, nodeid, location):
        self.run.write(running=nodeid)

    def pytest_runtest_logreport(self, report):
        outcome = self.outcome(report)
        if outcome:
            path, line = report.location[0], (report.location[1] or 0) + 1
            extra = dict(getattr(report, "user_properties", [])).get("swe-agent", ["", []])
            path = os.path.join(self.rootdir, path)
            message = self.message(report)
            self.run.result(report.nodeid, outcome, message, path, line, report.duration, extra[0], extra[1])

    def outcome(self, report):
        """What this phase says about the test; None for a phase that went as it should."""
        if report.failed:
            return "failed" if report.when == "call" else "error"
        if report.skipped:
            return "xfailed" if hasattr(report, "wasxfail") else "skipped"
        if report.passed and report.when == "call":
            return "xpassed" if hasattr(report, "wasxfail") else "passed"
        return None

    def message(self, report):
        crash = getattr(report.longrepr, "reprcrash", None)
        if crash is not None:
            return crash.message
        if isinstance(report.longrepr, tuple):
            return report.longrepr[2]
        return getattr(report, "longreprtext", "") or ""

    def pytest_collectreport(self, report):
        if report.failed or report.skipped:
            path = os.path.join(self.rootdir, report.nodeid.partition("::")[0])
            outcome = "error" if report.failed else "skipped"
            self.run.result(report.nodeid or ".", outcome, self.message(report), path)

    def pytest_sessionfinish(self, session, exitstatus):
        self.run.write(finish=int(exitstatus), expected=int(session.testscollected or 0))


def pytest_configure(config):
    global RUN
    handed = getattr(config, "workerinput", {}).get("swe_agent")
    if handed:
        select(config, *handed)
        return
    run, RUN = RUN, None
    if run is None:
        return
    config.pluginmanager.register(Recorder(run, config), "swe-agent-recorder")
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(Workers(run), "swe-agent-workers")
    config.option.maxfail = 0
    config.option.continue_on_collection_errors = True
    cache = getattr(config, "cache", None)
    if hasattr(cache, "_cachedir"):
        cache._cachedir = type(cache._cachedir)(run.cache)
    select(config, run.root, run.nodes, run.limit)


def select(config, root, nodes, limit):
    config.pluginmanager.register(Selection(root, nodes, limit), "swe-agent-selection")
    if nodes:
        config.args = files_of(nodes, [root, str(config.rootdir), os.getcwd()]) or config.args


def files_of(nodes, folders):
    """The files and folders of the asked nodes; empty where a node names a module and all must be collected."""
    found = []
    for node in nodes:
        path = node.partition("::")[0]
        places = {os.path.realpath(os.path.join(folder, path)) for folder in folders}
        there = [place for place in sorted(places) if os.path.exists(place)]
        found += [place for place in there if place not in found]
        if not there and "/" not in path and not path.endswith(".py"):
            return []
    return found or [os.path.dirname(os.path.abspath(__file__))]


# unittest ---------------------------------------------------------------------------------------------------------


class Results(unittest.TextTestResult):
    run_of_host = None
    clock = None

    def startTest(self, test):
        super().startTest(test)
        self.began = time.time()
        self.clock.start()
        self.run_of_host.write(running=name_of(test))

    def stopTest(self, test):
        self.clock.stop()
        super().stopTest(test)

    def record(self, test, outcome, error=None, message=""):
        kind, value, traceback = error or (None, None, None)
        path, line = place_of(test)
        self.run_of_host.result(
            name_of(test),
            outcome,
            message or ("{}: {}".format(kind.__name__, value) if kind else ""),
            path,
            line,
            time.time() - getattr(self, "began", time.time()),
            kind.__name__ if kind else "",
            frames(self.run_of_host.root, traceback),
        )

    def addSuccess(self, test):
        super().addSuccess(test)
        self.record(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.record(test, "failed", err)

    def addError(self, test, err):
        super().addError(test, err)
        self.record(test, "error" if PLACEHOLDER.match(test.id()) else "failed", err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.record(test, "skipped", message=reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.record(test, "xfailed", err)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.record(test, "failed", message="unexpected success")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.record(test, "failed", err)


class Runner(unittest.TextTestRunner):
    resultclass = Results

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.failfast = False

    def run(self, test):
        run = Results.run_of_host
        if run.nodes:
            test = chosen(test, run)
        result = super().run(test)
        run.write(finish=0 if result.wasSuccessful() else 1, expected=result.testsRun)
        return result


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


def main():
    Results.run_of_host = asked_run()
    Results.clock = Clock(Results.run_of_host.limit)
    Results.run_of_host.write(start="unittest")
    sys.argv[0] = "python -m unittest"
    unittest.main(module=None, testRunner=Runner)


if __name__ == "__main__":
    main()
else:
    RUN = asked_run()
    if RUN is not None:
        RUN.write(start="pytest")
