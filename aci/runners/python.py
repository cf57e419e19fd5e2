"""Hook for pytest and all runners built on unittest, such as Django's: recorder modules run in the target's own
Python."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from aci.runtime.guest_programs import PACKAGE, program_files, program_source
from aci.testing.command_files import django_labels, prepend_python_path
from aci.testing.project_commands import nodes_by_folder, replace_groups
from aci.testing.runner_hooks import Hook, RunnerRequest

UNITTEST = re.compile(r"(?<=\s)-m\s+unittest(?=\s|$)", re.MULTILINE)


def hook(request: RunnerRequest, command: str) -> Hook:
    command, files = _limit_projects(request, UNITTEST.sub(f"-m {PACKAGE}.results", command))
    return Hook(
        prepend_python_path(request.folder, command) + django_labels(command, request.nodes),
        guest_files() | files,
        {
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": request.folder + "${PYTHONPATH:+:$PYTHONPATH}",
            "PYTEST_PLUGINS": f"{PACKAGE}.results.pytest_recorder${{PYTEST_PLUGINS:+,$PYTEST_PLUGINS}}",
        },
    )


def guest_files() -> dict[str, bytes]:
    """Return the files that record results of pytest and unittest, by path; they belong in a folder on PYTHONPATH."""
    files = {
        f"{PACKAGE}/{path}": data for path, data in program_files("results.__main__", "results.pytest_recorder").items()
    }
    return {**files, "sitecustomize.py": program_source("results/site_hook.py")}


def _limit_projects(request: RunnerRequest, command: str) -> tuple[str, dict[str, bytes]]:
    """Return a joined command that starts only the projects with requested tests, and a settings file for each of
    them; other commands stay as they are."""
    nodes = nodes_by_folder(command, request.nodes) if request.nodes else {}
    files: dict[str, bytes] = {}

    def limit(folder: str, command: str) -> str:
        if not nodes[folder]:
            return "true"
        name = f"run-{len(files)}.json"
        files[name] = replace(request, nodes=tuple(nodes[folder])).settings
        return f"export SWE_AGENT_RUN={shlex.quote(f'{request.folder}/{name}')} && {command}"

    return replace_groups(command, limit) if nodes else command, files
