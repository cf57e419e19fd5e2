"""The program that drives a page, without a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aci.runtime.guest_programs import program_source
from extensions.pages.browser.workspace_browser import PROGRAM

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")

FAKE = """\
let url = "about:blank";
const element = { click: async () => { throw new Error(LOG); } };
const page = {
  goto: async (opened) => { url = opened; }, url: () => url, title: async () => "", on: () => {},
  evaluate: async () => true,
  waitForLoadState: async () => {}, ariaSnapshot: async () => "", locator: () => ({ first: () => element }),
};
const context = {
  setDefaultTimeout: () => {}, route: async () => {}, on: () => {}, newPage: async () => page, pages: () => [page],
};
exports.chromium = { launch: async () => ({ newContext: async () => context, close: async () => {} }) };
"""


def drive(folder: Path, log: str, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the answers of the driver with a fake Playwright, which lies as npm installs it."""
    core = folder / "node_modules/playwright-core"
    core.mkdir(parents=True)
    (core / "index.js").write_text(f"const LOG = {json.dumps(log)};\n{FAKE}")
    (folder / "package").symlink_to(core)
    (folder / "package.json").write_text('{"dependencies": {}}')
    program = folder / "page_driver.cjs"
    program.write_bytes(program_source(PROGRAM))
    words = ["node", str(program), str(folder / "package"), "chromium"]
    said = "".join(f"{json.dumps(each)}\n" for each in requests)
    ran = subprocess.run(words, input=said, capture_output=True, text=True, timeout=60)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_driver_takes_playwright_of_folder_beside_npms_manifest(tmp_path: Path) -> None:
    assert drive(tmp_path, "") == [{"id": -1, "ok": True}]


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", "nothing on the page matches"),
        (
            "    - locator resolved to <p>Save</p>\n  - attempting click action\n    2 \u00d7 waiting for element\n"
            "      - <p>veil</p> intercepts pointer events\n    3 \u00d7 <p>veil</p> intercepts pointer events\n",
            "locator resolved to <p>Save</p>\n<p>veil</p> intercepts pointer events",
        ),
    ],
)
def test_failed_action_says_what_is_in_the_way(tmp_path: Path, log: str, reason: str) -> None:
    log = f"locator.click: Timeout 5000ms exceeded.\nCall log:\n  - waiting for locator('p').first()\n{log}"
    requests = {"id": 1, "do": "open", "url": "http://localhost/"}, {"id": 2, "do": "click", "target": "p"}
    assert drive(tmp_path, log, *requests)[-1]["error"] == f"locator.click: Timeout 5000ms exceeded.\n{reason}"
