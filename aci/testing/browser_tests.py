"""Tests that open the project's pages in a browser: whether a run has any, and the server that runs beside them."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import one_line
from aci.testing.command_files import called_text, entered_folders
from aci.testing.runner_hooks import PYTHON, Hook, RunnerRequest
from trajectories.errors import UsageError
from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from aci.runtime.workspace import CommandResult, Workspace
    from aci.testing.suite_results import SuiteReport

USED = re.compile(r"playwright|puppeteer|env\w*\W[^\n]{0,40}BASE_URL")
MANIFESTS = ("pyproject.toml", "requirements.txt", "requirements-dev.txt")
"""Files that name the packages of a Python project whose whole suite runs."""
CONFIGS = tuple(f"playwright.config.{end}" for end in ("ts", "js", "mjs", "cjs", "mts"))
MOST_FILES = 20
"""Maximum number of test files that are read."""
OWN_SERVER = re.compile(r"\bwebServer\s*[:=]|\blive_server\b|LiveServerTestCase")
NOT_STARTED, NOT_STARTED_CODE = "The project's server was not started", 126
"""How the output of a command begins if it needs a server that does not start, and its exit code."""
NO_BROWSER = re.compile(
    r"Executable doesn't exist at .+|Host system is missing dependencies to run browsers"
    r"|Failed to launch the browser process.*|Could not find (?:Chrome|Chromium|Firefox)\b.*"
)
"""What Playwright and Puppeteer say if there is no browser, or if it does not start."""


def server_hook(workspace: Workspace, request: RunnerRequest, command: str) -> Hook | None:
    """Return the hook that runs a test command beside the project's server; None if its tests need none, start one
    themselves, or if the workspace is not isolated.

    If it does not start, single tests do not run, since they would fail for another reason than the code; a whole suite
    does, since most of its tests may need no server. Without the extension that starts it, ServerNotStarted is raised
    for single tests.
    """
    if workspace.kind == "local" or not needs_server(request, command):
        return None
    servers = installed_module("aci.testing.suite_server")
    if servers is None and request.nodes:
        raise ServerNotStarted(f"{NOT_STARTED}: the extension pages is not installed.", "Install swe-agent again.")
    hook: Hook | None = servers.server_hook(workspace, request, command) if servers else None
    return hook


def opens_pages(text: str) -> bool:
    """Whether the text of a test file or command names a browser's driver or the address of the project's server."""
    return bool(USED.search(text))


def needs_server(request: RunnerRequest, command: str) -> bool:
    """Whether the tests open pages of a server that they do not start themselves."""
    paths = list(dict.fromkeys(node.partition("::")[0] for node in request.nodes))
    named = paths[:MOST_FILES] or (MANIFESTS if PYTHON.search(command) else ())
    texts = [called_text(command, request.look), *map(request.look, named)]
    if not any(map(opens_pages, texts)):
        return False
    configs = [posixpath.join(folder, name) for folder in entered_folders(command) for name in CONFIGS]
    return not any(map(OWN_SERVER.search, [*texts, *map(request.look, configs)]))


class ServerNotStarted(UsageError):
    """The project's server, which the tests need, was not started."""


def broken_browser(report: SuiteReport | None) -> str:
    """Return why no browser starts if that is why all failing tests of a report fail, else ""."""
    bad = [result for result in report.results if result.bad] if report else []
    reasons = [found[0] for result in bad if (found := NO_BROWSER.search(result.message))]
    return one_line(reasons[0])[:400] if reasons and len(reasons) == len(bad) else ""


def check_server(ran: CommandResult) -> None:
    """Raise ServerNotStarted if the tests did not run for that reason."""
    if ran.code == NOT_STARTED_CODE and (place := ran.text.find(NOT_STARTED)) >= 0:
        raise ServerNotStarted(
            f"{one_line(ran.text[place : place + 1_000])[:400]}.", "Give the command that starts it with --serve."
        )
