"""The start of a client's session: which repository, and which earlier run. Paths and names are checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aci.observation.untrusted_text import one_line
from agent.lifecycle.run_lifecycle import new_run_name
from agent.run_state.run_ownership import run_owner
from agent.runs.resumable_runs import ResumableRun, runs_of
from extensions.interactive.session.session_start import Start, start
from trajectories.errors import UsageError

LONGEST_PATH = 4_000
RUN_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
"""The form of `new_run_name`."""
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class SessionStarts:
    """Starts sessions with the settings `flags` of the command line, by name; no client can change them."""

    flags: Mapping[str, Any]

    def new_id(self) -> str:
        """Return the id of a new session, which is the name of its run."""
        return new_run_name()

    def new(self, folder: str, id: str) -> Start:
        """Return the start of a new session. Raises UsageError, ConfigError."""
        return replace(self._start(folder), run_name=id)

    def earlier(self, folder: str, id: str) -> Start:
        """Return the start that resumes a session of the repository, or opens it if it has not had a prompt, so that
        there is no run. Raises UsageError if it is not the user's own."""
        found = self._start(folder)
        settings = found.settings
        if RUN_NAME.fullmatch(id) and not (settings.runs / id).exists():
            return replace(found, run_name=id)
        if not any(run.name == id for run in runs_of(settings.runs, found.source.root)):
            raise UsageError("This repository has no such session.", "Start a new one.")
        directory = settings.runs / id
        if run_owner(directory, settings.state) != "user":
            what = f"The session {id} was not created by you on this computer."
            raise UsageError(what, f"See what `swe-agent show {id}` says; `swe-agent --resume {id}` resumes a copy.")
        return replace(found, run=directory)

    def listed(self, folder: str) -> list[tuple[ResumableRun, str]]:
        """Return the latest sessions of the repository, each with the time of its last record as ISO 8601."""
        found = self._start(folder)
        runs = [run for run in runs_of(found.settings.runs, found.source.root) if not run.is_proof]
        return [(run, datetime.fromtimestamp(run.at, UTC).isoformat()) for run in runs[:MOST_LISTED]]

    def _start(self, folder: str) -> Start:
        from aci.host.local_folders import LOCAL_PREFIX
        from aci.repository.user_repository import Repository

        path = Path(folder)
        if len(folder) > LONGEST_PATH or "\0" in folder or not path.is_absolute():
            raise UsageError("The folder of the session is not an absolute path.", "Open a folder in the editor.")
        if not path.is_dir():
            raise UsageError(f"There is no folder {one_line(folder)[:200]}.", "Open a git repository in the editor.")
        if any(part.startswith(LOCAL_PREFIX) for part in path.resolve().parts):
            # An agent can write the git configuration there, which would run commands on this machine.
            raise UsageError("The folder is the workspace of an agent.", "Open your own repository in the editor.")
        Repository.open(path)  # a folder without git is refused here, which `start` would open for reading
        return replace(start(folder, None, "", "build", self.flags, None, False), in_editor=True)
