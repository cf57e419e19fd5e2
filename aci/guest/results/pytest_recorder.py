"""A pytest plug-in that records results, loaded through PYTEST_PLUGINS. PYTEST_DONT_REWRITE"""

import os

import pytest

from ..pytest_ids import root_folder, rooted_ids
from .recorded_run import Clock, dotted, frames, is_wanted, relative_to, restore_recorder, take_requested_run


class Selection:
    """Plug-in that selects the requested tests, and adds details to reports that only the test's own process knows."""

    def __init__(self, root, nodes, limit, rooted):
        self.root = root
        self.nodes = set(nodes)
        self.rooted = rooted
        self.clock = Clock(limit)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        if self.nodes:
            wanted = [is_wanted(self.names(item), self.nodes) for item in items]
            config.hook.pytest_deselected(items=[item for item, keep in zip(items, wanted) if not keep])
            items[:] = [item for item, keep in zip(items, wanted) if keep]

    def names(self, item):
        relative = relative_to(self.root, str(getattr(item, "path", None) or item.fspath))
        rest = item.nodeid.partition("::")[2]
        ids = {item.nodeid, self.rooted(item.nodeid), relative + "::" + rest}
        return ids | {dotted(relative) + "." + rest.replace("::", ".")}

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_setup(self, item):
        self.clock.start()
        yield
        self.clock.stop()

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_call(self, item):
        self.clock.start()
        yield
        self.clock.stop()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        report = outcome.get_result()
        if call.excinfo is not None and report.failed and hasattr(report, "user_properties"):
            known = [call.excinfo.typename, frames(self.root, call.excinfo.tb)]
            report.user_properties.append(("swe-agent", known))


class Workers:
    """Plug-in that passes the selection to the workers of pytest-xdist."""

    def __init__(self, run):
        self.run = run

    def pytest_xdist_setupnodes(self):
        restore_recorder()  # this process runs no test itself, and its workers have to load the recorder

    def pytest_configure_node(self, node):
        node.workerinput["swe_agent"] = [self.run.root, self.run.nodes, self.run.limit]


class Recorder:
    def __init__(self, run, config):
        self.run = run
        self.rootdir = root_folder(config)
        self.id_of = rooted_ids(run.root, config) if run.rooted else str

    def pytest_collection_finish(self, session):
        self.run.describe_process({item.nodeid: list(getattr(item, "fixturenames", ())) for item in session.items})

    def pytest_runtest_logstart(self, nodeid, location):
        self.run.write(running=self.id_of(nodeid))

    def pytest_runtest_logreport(self, report):
        outcome = self.outcome(report)
        if outcome:
            path, line = report.location[0], (report.location[1] or 0) + 1
            extra = dict(getattr(report, "user_properties", [])).get("swe-agent", ["", []])
            path = os.path.join(self.rootdir, path)
            id, message = self.id_of(report.nodeid), self.message(report)
            self.run.result(id, outcome, message, path, line, report.duration, extra[0], extra[1])

    def outcome(self, report):
        """Return the test's outcome as decided by this phase, or None for a set-up or teardown that succeeded."""
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
            self.run.result(self.id_of(report.nodeid) or ".", outcome, self.message(report), path)

    def pytest_sessionfinish(self, session, exitstatus):
        self.run.write(finish=int(exitstatus), expected=int(session.testscollected or 0))


def pytest_configure(config):
    global RUN
    selection = getattr(config, "workerinput", {}).get("swe_agent")
    if selection:
        select(config, *selection)
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
    config.pluginmanager.register(Selection(root, nodes, limit, rooted_ids(root, config)), "swe-agent-selection")
    if nodes:
        config.args = files_of(nodes, [root, root_folder(config), os.getcwd()]) or config.args


def files_of(nodes, folders):
    """Return the files and folders of the requested nodes; [] if a node is a module name, so that all are collected."""
    found = []
    for node in nodes:
        path = node.partition("::")[0]
        places = {os.path.realpath(os.path.join(folder, path)) for folder in folders}
        there = [place for place in sorted(places) if os.path.exists(place)]
        found += [place for place in there if place not in found]
        if not there and "/" not in path and not path.endswith(".py"):
            return []
    return found or [os.path.dirname(os.path.abspath(__file__))]


RUN = take_requested_run()
if RUN is not None:
    RUN.write(start="pytest")
