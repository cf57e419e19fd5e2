"""What becomes of a room that is set up: what is taken out of it, and what its image says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aci.base_image import MADE
from aci.environments.plan import HOME
from aci.environments.room import ROOT, SUBMODULE, Room
from aci.workspace import Options
from trajectories.errors import WorkspaceError

_LEFT = (
    f"cd {ROOT} && xargs -0 rm -rf -- < {HOME}/files && "
    f"rm -rf {HOME}/files /tmp/npm-cache /tmp/.swe-agent-* /tmp/swe-agent-* && : > {MADE}"
)
_VERSIONS = {"python": "python3 -V", "node": "node -v", "go": "go version", "rust": "rustc -V"}


def leave(room: Room, options: Options) -> None:
    """Take the base's own files out again: those of the base that is worked on come in their place.

    Raises WorkspaceError where the disk has no room for that.
    """
    files = options.trees.files(options.base.tree)
    paths = [path for path, entry in files.items() if entry.mode != SUBMODULE]
    room.write(f"{HOME}/files", b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths))
    done = room.run(_LEFT, {}, 600)
    if done.code:
        raise WorkspaceError(f"The environment could not be kept: {done.last}", "See that Docker's disk is not full.")


def version(room: Room, language: str, env: Mapping[str, str]) -> str:
    """The language's version there, empty where nobody knows how it is asked for."""
    command = _VERSIONS.get(language, "")
    done = room.run(command, env, 30) if command else None
    words = done.output.split() if done and not done.code else []
    return next((word.strip("vgo") for word in words if any(letter.isdigit() for letter in word)), "")


def changes(variables: Mapping[str, str], labels: Mapping[str, str]) -> list[str]:
    """The instructions with which an image is kept: variables of all sessions, labels, and nothing that it runs by
    itself, which would keep whoever starts it waiting."""
    idle = ["ENTRYPOINT []", 'CMD ["/bin/sh"]']
    told = [f"ENV {name}={_quoted(value)}" for name, value in variables.items()]
    return [*idle, *told, *(f"LABEL {_quoted(name)}={_quoted(value)}" for name, value in labels.items())]


def _quoted(value: str) -> str:
    """As an instruction of a Dockerfile takes it."""
    return json.dumps(value, ensure_ascii=False).replace("$", "\\$")
