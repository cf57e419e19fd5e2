"""Packages as of the day of the base's code: what set-up is told so that it installs none that is newer.

An old base may not know what its requirements without upper bounds bring today. npm has an option for it; pip, whose
own asks more of an index than many tell, is given an index of ours (`aci/inside/dated_index.py`) that leaves out what
came later; uv has a variable.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files

from aci.environments.room import Room
from aci.workspace import Options
from trajectories.errors import WorkspaceError

_YOUNG = timedelta(days=7)
"""Of a base that is younger, packages are what they were."""

_PROGRAM = "/tmp/.swe-agent-dated-index.py"
_INDEX = "https://pypi.org/simple"
_CODE = {
    "python": ("*.py", "*.pyx", "*.c", "*.cpp", "*.rs", "*.toml", "*.cfg", "*.ini", "*require*.txt"),
    "node": ("*.js", "*.cjs", "*.mjs", "*.jsx", "*.ts", "*.cts", "*.mts", "*.tsx", "*package.json"),
}
_CHOOSES = {"python": ("pip install", "uv "), "node": ("npm install",)}
"""What chooses versions by itself, by language; what is locked is as old as the lock."""


def date_of(options: Options, language: str) -> datetime | None:
    """When the base's code was last changed, if packages may have changed since; prose is written at any time."""
    from aci.history_git import Commits

    commits = Commits(options.repository.git_dir)
    commit = options.base.commit
    seconds = commits.time(commit, *_CODE.get(language, ())) or commits.time(commit)
    when = datetime.fromtimestamp(seconds, UTC) if seconds else None
    return when if when and datetime.now(UTC) - when > _YOUNG else None


def chooses(language: str, commands: Iterable[str]) -> bool:
    """Whether a set-up takes versions as they come, and can be told otherwise."""
    of_the_project = [command for command in commands if " --global " not in command]
    return any(word in command for command in of_the_project for word in _CHOOSES.get(language, ()))


def dated(room: Room, when: datetime, language: str, env: Mapping[str, str]) -> dict[str, str]:
    """The variables with which commands in `room` install nothing newer. Raises WorkspaceError where that fails."""
    if language != "python":
        return {}
    indexes = [env.get("PIP_INDEX_URL") or _INDEX, *env.get("PIP_EXTRA_INDEX_URL", "").split()]
    room.write(_PROGRAM, files("aci.inside").joinpath("dated_index.py").read_bytes())
    done = room.run(f"python3 {_PROGRAM} {when:%Y-%m-%dT%H:%M:%S} {shlex.join(indexes)}", env, 60)
    if done.code or not done.output.strip().isdigit():
        raise WorkspaceError(f"No index of older packages could be started: {done.last}", "Today's are used.")
    own = f"http://127.0.0.1:{done.output.strip()}/simple"
    return {"PIP_INDEX_URL": own, "PIP_EXTRA_INDEX_URL": "", "UV_EXCLUDE_NEWER": f"{when:%Y-%m-%dT%H:%M:%SZ}"}


def told(command: str, when: datetime) -> str:
    """A command with the option of npm; as a variable, older ones of npm misread it."""
    return re.sub(r"\bnpm install(?! --global)\b", f"npm install --before={when:%Y-%m-%dT%H:%M:%SZ}", command)
