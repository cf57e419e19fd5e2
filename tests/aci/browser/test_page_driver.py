"""The program that drives a page, without a browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from aci.browser.workspace_browser import PROGRAM
from aci.runtime.guest_programs import program_source

FAKE = "exports.chromium = { launch: async () => ({ close: async () => {} }) };"


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_driver_takes_playwright_of_a_folder_beside_its_manifest(tmp_path: Path) -> None:
    core = tmp_path / "node_modules/playwright-core"
    core.mkdir(parents=True)
    (core / "index.js").write_text(FAKE)
    (tmp_path / "package").symlink_to(core)
    (tmp_path / "package.json").write_text('{"dependencies": {}}')  # as npm writes it
    program = tmp_path / "page_driver.cjs"
    program.write_bytes(program_source(PROGRAM))
    words = ["node", str(program), str(tmp_path / "package"), "chromium"]
    ran = subprocess.run(words, input="", capture_output=True, text=True, timeout=60)
    assert ran.stdout == '{"id":-1,"ok":true}\n', ran.stderr
