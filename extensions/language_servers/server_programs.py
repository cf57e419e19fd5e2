"""Language servers that are used where an environment has them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aci.runtime.workspace import HARNESS_SESSION
from trajectories.errors import Cancelled

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace

MODULES_PATH = 'PATH="$PATH:$PWD/node_modules/.bin"'
"""Makes the programs of a Node project's own packages available."""


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """A language server. `languages` maps suffixes to the names of languages in the protocol; `options` start it.

    A server that `needs_open_files` knows only open files and their imports, outside of projects with a project file.
    """

    name: str
    program: str
    arguments: str
    languages: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_open_files: bool = False


PYTHON = {".py": "python", ".pyi": "python"}
SCRIPTS = {".ts": "typescript", ".tsx": "typescriptreact", ".js": "javascript", ".jsx": "javascriptreact"}
TYPESCRIPT_OPTIONS = {
    "tsserver": {"useSyntaxServer": "never"},  # it would answer from one file while the project is loading
    "disableAutomaticTypingAcquisition": True,  # it would run npm to install types
}
PROGRAMS = (
    ServerProgram("basedpyright", "basedpyright-langserver", "--stdio", PYTHON),
    ServerProgram("pyright", "pyright-langserver", "--stdio", PYTHON),
    ServerProgram("gopls", "gopls", "serve", {".go": "go"}),
    ServerProgram(
        "typescript-language-server",
        "typescript-language-server",
        "--stdio",
        SCRIPTS,
        TYPESCRIPT_OPTIONS,
        needs_open_files=True,
    ),
)
"""For each kind of file, the first installed server is used."""


def find_program(workspace: Workspace, suffix: str) -> ServerProgram | None:
    """Return the installed server for files with this suffix. Raises Cancelled if the workspace is stopped."""
    known = [one for one in PROGRAMS if suffix in one.languages]
    if not known:
        return None
    names = shlex.join(one.program for one in known)
    command = f"for each in {names}; do command -v $each >/dev/null && echo $each; done"
    ran = workspace.run(in_root(workspace, f"{MODULES_PATH}; {command}"), 30, HARNESS_SESSION)
    if workspace.cancel.is_set():
        raise Cancelled("Interrupted in the search for a server.", "`swe-agent resume` continues from here.")
    found = ran.text.split()
    return next((one for one in known if one.program in found), None)


def in_root(workspace: Workspace, command: str) -> str:
    return f"(cd {shlex.quote(workspace.root)} && {command})"
