"""The pytest plug-in that serves the host's requests with the collected items instead of running them."""

import os

import pytest

from aci.guest.pytest_ids import root_folder, rooted_ids

from .evaluator_main import read_job, serve
from .item_runners import PytestTest


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Disable pytest-xdist's workers, and collect only the files of the requested tests."""
    for option, value in (("numprocesses", None), ("dist", "no"), ("tx", []), ("maxfail", 0)):
        if hasattr(config.option, option):
            setattr(config.option, option, value)
    spec, files = read_job(), []
    for name in spec["names"]:
        for folder in (root_folder(config), os.getcwd(), spec["root"]):
            path = os.path.join(folder, name.partition("::")[0])
            if os.path.exists(path):
                if path not in files:
                    files.append(path)
                break
    config.args = files or config.args


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    spec = read_job()
    wanted, rooted = set(spec["names"]), rooted_ids(spec["root"], session.config)
    named = ((name, item) for item in session.items for name in (item.nodeid, rooted(item.nodeid)) if name in wanted)
    serve(spec, {name: PytestTest(item) for name, item in named})
    return True
