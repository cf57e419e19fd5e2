"""Environments with a browser, built without network from an image that has its parts, and one that cannot get any."""

from __future__ import annotations

from contextlib import closing

import pytest

from aci.docker.docker_daemon import Daemon
from aci.runtime.workspace import open_workspace
from extensions.environments.environment import list_environments
from tests.extensions.environments.test_environment_build import Build, build, daemon, messages_of, name

__all__ = ["build", "daemon", "name"]

pytestmark = [pytest.mark.slow, pytest.mark.docker]

FLASK = {
    "app.py": "from flask import Flask, render_template\n\napp = Flask(__name__)\n"
    'app.add_url_rule("/", view_func=lambda: render_template("home.html"))\n',
    "templates/home.html": "<h1>Shop</h1>",
    "test_page.py": """\
import threading

from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server

from app import app


def test_heading():
    server = make_server("127.0.0.1", 0, app)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        page = playwright.chromium.launch().new_page()
        page.goto(f"http://127.0.0.1:{server.port}/")
        assert page.inner_text("h1") == "Shop"
    server.shutdown()
""",
}
NODE = {
    "package.json": '{"devDependencies": {"vite": "7"}}',
    "index.html": "<style>h1 {color: rgb(1, 2, 3)}</style><h1>Shop</h1>",
    "page.test.cjs": """\
const { chromium } = require("playwright");
require("node:test")("colour", async () => {
  const browser = await chromium.launch();
  const page = await browser.newPage();
  await page.goto(`file://${__dirname}/index.html`);
  const colour = await page.locator("h1").evaluate((element) => getComputedStyle(element).color);
  require("node:assert").strictEqual(colour, "rgb(1, 2, 3)");
  await browser.close();
});
""",
}


@pytest.mark.parametrize(
    ("files", "test"),
    [
        (FLASK, "/usr/bin/python3 -m pytest -q test_page.py"),
        (NODE, "/opt/swe-agent/browser/node --test page.test.cjs"),
    ],
)
def test_tests_of_pages_run_in_environment(
    build: Build, daemon: Daemon, browser_image: str, files: dict[str, str], test: str
) -> None:
    variables = {"PIP_RETRIES": "0"}
    image, options = build(files, image=browser_image, setup="true", set_up_environment=variables)
    with closing(open_workspace("docker", options)) as workspace:
        ran = workspace.run(test, 120)
        assert ran.code == 0, ran.text
    about = next(one.about for one in list_environments(daemon) if one.image == image)
    assert str(about["browser"]).startswith("Chromium ")
    assert str(about["tests"]).endswith(str(about["browser"]))


def test_environment_without_browser_says_why(build: Build, daemon: Daemon) -> None:
    image, options = build(NODE, setup="true")
    about = next(one.about for one in list_environments(daemon) if one.image == image)
    assert about["browser"] == "no browser: apt-get cannot install Chromium"
    assert "No browser: apt-get cannot install Chromium." in messages_of(options)
