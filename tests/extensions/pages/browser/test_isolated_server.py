"""A project's server in a container without a network, in the agent's workspace and in one of a proof."""

from __future__ import annotations

import subprocess

import pytest

from aci.testing.suite_run import run_tests
from extensions.pages.browser.server_process import server_of
from trajectories.errors import UsageError

pytestmark = [pytest.mark.slow, pytest.mark.docker]

WEB_IMAGE = "swe-agent-web:latest"
PAGE = "<title>Shop</title>\n"
PYTHON = """\
import os, urllib.request

def test_title():
    page = urllib.request.urlopen(os.environ["BASE_URL"] + "/index.html").read().decode()
    assert "Market" in page
"""
NODE = """\
const { test } = require('node:test');
const assert = require('assert');
test('title', async () => {
  const page = await (await fetch(process.env.PLAYWRIGHT_TEST_BASE_URL)).text();
  assert.match(page, /Market/);
});
"""


@pytest.fixture
def web_image():
    """An image with Node 18, or later, and Python."""
    if subprocess.run(["docker", "image", "inspect", WEB_IMAGE], capture_output=True).returncode:
        pytest.skip(f"there is no image {WEB_IMAGE}")
    return WEB_IMAGE


def test_pages_are_served_to_the_agent_and_to_a_proof(make_repo, open_ws):
    workspace = open_ws("docker", make_repo({"index.html": PAGE, "test_page.py": PYTHON}))
    server = server_of(workspace)
    assert server is not None
    address = server.address(workspace, "base")
    read = f"python3 -c 'import urllib.request as u; print(u.urlopen(\"{address}\").read())'"
    assert "Shop" in workspace.run(read).text
    workspace.write("index.html", PAGE.replace("Shop", "Market").encode())
    tree = workspace.snapshot().tree
    assert (server.address(workspace, tree), server_of(workspace)) == (address, server)
    assert "Market" in workspace.run(read).text
    node = "test_page.py::test_title"
    assert run_tests(workspace, nodes=[node]).passed == (node,)  # beside the server that already runs
    fork = workspace.fork(workspace.options.base.tree)
    try:
        assert run_tests(fork, nodes=[node]).failed == (node,)
        fork.restore(tree)
        assert run_tests(fork, nodes=[node]).passed == (node,)
        assert fork.run("grep -lzsF SWE_AGENT_SERVER= /proc/[0-9]*/environ").text == ""
    finally:
        fork.close()


def test_single_tests_do_not_run_without_their_server(make_repo, open_ws):
    files = {"index.html": PAGE, "test_page.py": PYTHON}
    workspace = open_ws("docker", make_repo(files), serve="echo no engine; exit 1")
    with pytest.raises(UsageError, match=r"it ended\. Its last output: no engine"):
        run_tests(workspace, nodes=["test_page.py"])


def test_nodes_own_runner_opens_pages(make_repo, open_ws, web_image):
    files = {"public/index.html": PAGE.replace("Shop", "Market"), "page.test.js": NODE}
    workspace = open_ws("docker", make_repo(files), image=web_image)
    report = run_tests(workspace, "", ["page.test.js"])
    assert (report.command, report.passed) == ("node --test", ("page.test.js::title",)), report.output.decode()
