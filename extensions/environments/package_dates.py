"""Package versions as of the date of the base's code: options that keep package managers from installing newer
versions.

An old base may fail with the versions that its unbounded requirements resolve to today. npm has an option that limits
versions by date, and uv has an environment variable. pip's own option needs data that many indexes lack, so pip uses a
local index (`extensions/environments/guest/dated_index.py`) that leaves out later versions.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from aci.runtime.guest_programs import program_source
from aci.runtime.workspace import WorkspaceOptions
from extensions.environments.setup_container import SetupContainer
from trajectories.errors import WorkspaceError

_RECENT = timedelta(days=7)
"""The maximum age of a base for which packages are assumed to be unchanged."""

_PROGRAM = "/tmp/.swe-agent-dated-index.py"
_INDEX = "https://pypi.org/simple"
_CODE = {
    "python": ("*.py", "*.pyx", "*.c", "*.cpp", "*.rs", "*.toml", "*.cfg", "*.ini", "*require*.txt"),
    "node": ("*.js", "*.cjs", "*.mjs", "*.jsx", "*.ts", "*.cts", "*.mts", "*.tsx", "*package.json"),
}
_CHOOSING_COMMANDS = {"python": ("pip install", "uv "), "node": ("npm install",)}
"""Install commands that choose versions, by language. Locked versions are as old as the lock file."""


def code_date(options: WorkspaceOptions, language: str) -> datetime | None:
    """Return when the base's code was last changed, or None if the change is recent. Changes of documentation do not
    count."""
    from aci.history.git_log import GitLog

    commits = GitLog(options.repository.git_dir)
    commit = options.base.commit
    seconds = commits.time(commit, *_CODE.get(language, ())) or commits.time(commit)
    when = datetime.fromtimestamp(seconds, UTC) if seconds else None
    return when if when and datetime.now(UTC) - when > _RECENT else None


def chooses_versions(language: str, commands: Iterable[str]) -> bool:
    """Return whether the commands of a set-up choose versions that can be limited by date."""
    of_the_project = [command for command in commands if " --global " not in command]
    return any(word in command for command in of_the_project for word in _CHOOSING_COMMANDS.get(language, ()))


def index_as_of(container: SetupContainer, when: datetime, language: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that keep commands in `container` from installing newer packages. Raises WorkspaceError."""
    if language != "python":
        return {}
    indexes = [env.get("PIP_INDEX_URL") or _INDEX, *env.get("PIP_EXTRA_INDEX_URL", "").split()]
    container.write(_PROGRAM, program_source("environments/dated_index.py"))
    done = container.run(f"python3 {_PROGRAM} {when:%Y-%m-%dT%H:%M:%S} {shlex.join(indexes)}", env, 60)
    if done.code or not done.output.strip().isdigit():
        raise WorkspaceError(f"The index of older packages did not start: {done.last}", "Today's packages are used.")
    own = f"http://127.0.0.1:{done.output.strip()}/simple"
    return {"PIP_INDEX_URL": own, "PIP_EXTRA_INDEX_URL": "", "UV_EXCLUDE_NEWER": f"{when:%Y-%m-%dT%H:%M:%SZ}"}


def add_date_option(command: str, when: datetime) -> str:
    """Return a command with npm's option that limits versions by date. It is not set as a variable, which older
    versions of npm misread."""
    return re.sub(r"\bnpm install(?! --global)\b", f"npm install --before={when:%Y-%m-%dT%H:%M:%SZ}", command)
