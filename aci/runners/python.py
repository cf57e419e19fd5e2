"""Hook for pytest and all runners built on unittest, such as Django's: recorder modules run in the target's own
Python."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from aci.runtime.guest_programs import PACKAGE, program_files, program_source
from aci.testing.command_files import prepend_python_path
from aci.testing.project_commands import nodes_by_folder, replace_groups
from aci.testing.runner_hooks import Hook, RunnerRequest

UNITTEST = re.compile(r"(?<=\s)-m\s+unittest(?=\s|$)", re.MULTILINE)
LABELLED = re.compile(r"[^;&|]*?(?:^|[\s/])(?P<file>(?:[\w./-]*/)?(?:manage\.py\s+test|runtests\.py))(?:\s+-\S+)*\s*")
"""Pattern of a command that starts a Django test runner without labels, so that labels can be appended."""


def hook(request: RunnerRequest, command: str) -> Hook:
    command, files = _limit_projects(request, UNITTEST.sub(f"-m {PACKAGE}.results", command))
    return Hook(
        prepend_python_path(request.folder, command) + _labels(request, command),
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


def _labels(request: RunnerRequest, command: str) -> str:
    """Return the requested tests as Django labels, so that running one test does not set up all databases and
    modules."""
    match = LABELLED.fullmatch(command)
    if not match or not request.nodes:
        return ""
    folder = match["file"].split()[0].rpartition("/")[0]
    labels = [_label(node, folder) for node in request.nodes]
    return "" if "" in labels else " " + " ".join(dict.fromkeys(labels))


def _label(node: str, folder: str) -> str:
    """Return a node id as a dotted label relative to the runner's folder, or "" if it cannot be written as one."""
    path, _, rest = node.partition("::")
    if "/" in path or path.endswith(".py"):
        inside = path.removeprefix(f"{folder}/") if folder else path
        path = inside.removesuffix(".py").rstrip("/").replace("/", ".")
    label = ".".join(filter(None, (path, rest.replace("::", "."))))
    return label if re.fullmatch(r"\w+(?:\.\w+)*", label) else ""
