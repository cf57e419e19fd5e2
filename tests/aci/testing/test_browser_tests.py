"""Tests in a browser: which runner and which server they need."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from aci.runtime.workspace import CommandResult
from aci.testing.browser_tests import ServerNotStarted, check_server, server_hook
from aci.testing.runner_hooks import RunnerRequest
from trajectories import plugins
from trajectories.errors import UsageError

SPEC = 'import { test } from "@playwright/test";\ntest("a", async ({ page }) => { await page.goto("/"); });\n'
OWN = 'const { test } = require("node:test");\nconst { chromium } = require("playwright-core");\n'
PYTHON = "def test_a(page):\n    page.goto(os.environ['BASE_URL'])\n"
FILES = {
    "package.json": '{"scripts": {"test": "vitest", "e2e": "playwright test"}, "devDependencies": {"playwright": "1"}}',
    "requirements.txt": "flask\npytest-playwright\n",
    "web/playwright.config.ts": "export default {};\n",
    "e2e/a.spec.ts": SPEC,
    "web/e2e/b.spec.ts": SPEC,
    "own.test.mjs": OWN,
    "unit.test.ts": 'import { test } from "vitest";\n',
    "tests/test_page.py": PYTHON,
    "tests/test_unit.py": "def test_a(): pass\n",
}  # fmt: skip


@dataclass
class Kind:
    """A workspace with a named server, which runs nothing."""

    kind: str = "sandbox"
    serve: str = "./serve"


def hook(command, *nodes, kind="sandbox", **files):
    known = FILES | {path.replace("__", "."): text for path, text in files.items()}
    request = RunnerRequest("/repo", "/run", nodes, 1.0, lambda path: known.get(path, ""), lambda path: True)
    return server_hook(Kind(kind), request, command)


def test_other_tests_have_no_server():
    assert hook("pytest", "tests/test_unit.py") is None
    assert hook("npm test") is None
    assert hook("npm test", "unit.test.ts") is None
    assert hook("pytest", "tests/test_page.py", kind="local") is None
    assert hook("pytest", "tests/a.py", **{"tests/a.py": f"def test_a(live_server): ...\n{PYTHON}"}) is None
    config = {"playwright__config__ts": "export default { webServer: { command: 'vite' } };"}
    assert hook("npx playwright test", "e2e/a.spec.ts", **config) is None


def test_single_tests_do_not_run_without_the_extension_that_starts_the_server(monkeypatch):
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    with pytest.raises(ServerNotStarted, match="was not started: the extension pages is not installed"):
        hook("pytest", "tests/test_page.py::test_a")
    assert hook("pytest") is None, "most tests of a suite may need no server"


def test_tests_without_their_server_have_no_results():
    said = b"The project's server was not started: it ended. Its last output:\nno \x1b[31mvite"
    with pytest.raises(UsageError, match=r"it ended\. Its last output: no vite") as caught:
        check_server(CommandResult(said, 126, 1.0, "/"))
    assert "--serve" in caught.value.fix
    check_server(CommandResult(said, 1, 1.0, "/"))
