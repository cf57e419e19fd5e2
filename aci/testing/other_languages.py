"""Tests in other languages than Python, whose results the extension `languages` reads. Without it they are unknown."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from aci.repository.added_tests import OTHER_LANGUAGES
from aci.runtime.workspace import Workspace
from aci.testing.command_files import Look
from aci.testing.runner_hooks import PYTHON
from aci.testing.suite_results import UNREAD, SuiteReport
from trajectories.facts import Fact, missing_part
from trajectories.plugins import extension_packages, installed_module

KIND = "aci.testing.script_tests"
SCRIPT_ENDS = ("js", "jsx", "ts", "tsx")
"""Ends of the names of files that may import their runner."""
FILE_ENDS = (
    *OTHER_LANGUAGES,
    *(".cxx", ".h", ".hh", ".hpp", ".hxx", ".vue", ".svelte", ".phtml", ".rake", ".gemspec", ".ru"),
    *("rakefile", "gemfile"),
)
"""Ends of the names, in lower case, of files whose code or tests the extension may read."""
UNEXAMINED = missing_part(
    "The patch changes files in other languages than Python, which are not examined: the extension languages is not "
    "installed. Install swe-agent again."
)


def are_supported() -> bool:
    """Whether the extension for other languages is installed."""
    return bool(extension_packages(KIND))


def own_command(nodes: Sequence[str], command: str, look: Look) -> str:
    """Return the command of the runner that the files of all these nodes import, if `command` does not call it; else
    ""."""
    has_scripts = any(node.partition("::")[0].endswith(SCRIPT_ENDS) for node in nodes)
    module = installed_module(KIND) if has_scripts else None
    return str(module.own_command(nodes, command, look)) if module else ""


def compiler_lines(output: bytes) -> list[dict[str, Any]]:
    """Return an error for each file that does not compile, as lines of a run whose runner did not start; none if the
    output shows no such error."""
    module = installed_module(KIND)
    return list(module.compiler_lines(output)) if module else []


def unread_results(workspace: Workspace, report: SuiteReport, session: str) -> tuple[Fact, ...]:
    """Return UNREAD if a test command may run tests whose results the extension would read, and it is not installed.

    So it may if only its exit code is known, or if the repository has files in other languages.
    """
    if are_supported() or PYTHON.search(report.command):
        return ()
    if report.granularity != "command":
        ignored = r"\( -name node_modules -o -name .git \) -prune -o"
        chosen = " -o ".join(f"-iname '*{end}'" for end in FILE_ENDS)
        command = f"cd {shlex.quote(workspace.root)} && find . {ignored} \\( {chosen} \\) -print | head -n 1"
        found = workspace.run(command, 60, session)
        if found.code == 0 and not found.text.strip():
            return ()
    return (UNREAD,)
