"""Saving a set-up container as an image: removing files, and setting the image's variables and labels."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aci.docker.base_image import MADE_MARKER
from aci.environments.environment_plan import HOME
from aci.runtime.workspace import WorkspaceOptions
from extensions.environments.setup_container import ROOT, SUBMODULE, SetupContainer
from trajectories.errors import WorkspaceError

_REMOVE_FILES = (
    f"cd {ROOT} && xargs -0 rm -rf -- < {HOME}/files && "
    f"rm -rf {HOME}/files /tmp/npm-cache /tmp/.swe-agent-* /tmp/swe-agent-* && : > {MADE_MARKER}"
)
_VERSIONS = {"python": "python3 -V", "node": "node -v", "go": "go version", "rust": "rustc -V"}


def remove_base_files(container: SetupContainer, options: WorkspaceOptions) -> None:
    """Remove the base's own files from the container, since each workspace adds the files of its own base.

    Raises WorkspaceError if the disk is full.
    """
    files = options.trees.files(options.base.tree)
    paths = [path for path, entry in files.items() if entry.mode != SUBMODULE]
    container.write(f"{HOME}/files", b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths))
    done = container.run(_REMOVE_FILES, {}, 600)
    if done.code:
        raise WorkspaceError(f"The environment cannot be saved: {done.last}", "Check that Docker's disk is not full.")


def language_version(container: SetupContainer, language: str, env: Mapping[str, str]) -> str:
    """Return the language's version in the container; empty if it cannot be determined."""
    command = _VERSIONS.get(language, "")
    done = container.run(command, env, 30) if command else None
    words = done.output.split() if done and not done.code else []
    return next((word.strip("vgo") for word in words if any(letter.isdigit() for letter in word)), "")


def commit_instructions(variables: Mapping[str, str], labels: Mapping[str, str]) -> list[str]:
    """Return the Dockerfile instructions for committing the image: session variables, labels, and no program of the
    image's own.

    If the image started a program by default, its containers could not be used.
    """
    idle = ["ENTRYPOINT []", 'CMD ["/bin/sh"]']
    variable_lines = [f"ENV {name}={_quoted(value)}" for name, value in variables.items()]
    return [*idle, *variable_lines, *(f"LABEL {_quoted(name)}={_quoted(value)}" for name, value in labels.items())]


def _quoted(value: str) -> str:
    """Quote a value for an instruction of a Dockerfile."""
    return json.dumps(value, ensure_ascii=False).replace("$", "\\$")
