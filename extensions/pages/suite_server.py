"""The project's server beside a test command whose tests open its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aci.testing.runner_hooks import Hook, RunnerRequest
from extensions.pages.browser.project_server import find_server
from extensions.pages.browser.server_process import server_files, with_server

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace

FOLDER = "server"


def server_hook(workspace: Workspace, request: RunnerRequest, command: str) -> Hook | None:
    """Return the hook that runs a test command beside the project's server; None if the project serves no pages."""
    plan = find_server(workspace)
    if plan is None:
        return None
    files = {f"{FOLDER}/{name}": data for name, data in server_files().items()}
    return Hook(with_server(command, plan, f"{request.folder}/{FOLDER}", is_needed=bool(request.nodes)), files)
