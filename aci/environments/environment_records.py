"""Records of environments: what each was made from, so that later commits can use it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aci.runtime.workspace import WorkspaceOptions


def is_made_from(record: Path, setup: str, options: WorkspaceOptions) -> bool:
    """Return whether an environment was made, by its record, with this set-up from a commit in the base's history."""
    from aci.history.git_log import GitLog

    made = read_object(record)
    commit = str(made.get("commit", ""))
    history = GitLog(options.repository.git_dir)
    return made.get("setup") == setup and history.is_first_parent(commit, options.base.commit)


def record_of(setup: str, options: WorkspaceOptions, serves_later_commits: bool = False) -> str:
    """Return the record of an environment; without a commit if it was made from uncommitted files.

    `serves_later_commits` says whether the set-up ran without copying or building the repository's code. It overrides
    the plan.
    """
    made: dict[str, Any] = {"setup": setup, "commit": "" if options.base.changes else options.base.commit}
    made |= {"serves_later_commits": True} if serves_later_commits else {}
    return json.dumps(made | {"repository": options.repository.name})


def read_object(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file of the user's cache; an empty one if there is none."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def digest_of(value: object) -> str:
    """Return a short hash of a JSON-serializable value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]
