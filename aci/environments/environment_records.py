"""Records and parts of environments: what each was made from, so that later commits can use it, and what a workspace
takes from it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.repository.disk_cache import cache_folder

if TYPE_CHECKING:
    from aci.runtime.workspace import WorkspaceOptions

READY = "ready"
"""The file that marks a complete environment on this machine and says what it was made from."""

BROWSER, GENERATED = "browser", "generated.tar"
"""The folder of the browser in an environment, and the archive of files that set-up made in the repository."""


def proposed_steps(options: WorkspaceOptions) -> tuple[str, ...]:
    """Return the commands of a model in the set-up of a workspace's environment."""
    key = options.image.rpartition("/")[2].removesuffix(":latest")
    if options.environment:
        record = options.environment.parent.parent / READY
    elif re.fullmatch(r"[0-9a-f]{24}", key):
        record = cache_folder() / "environments" / key
    else:
        return ()
    found = read_object(record).get("proposed", [])
    return tuple(map(str, found)) if isinstance(found, list) else ()


def generated_archive(options: WorkspaceOptions) -> Path | None:
    """Return the archive of the ignored files that the set-up of the environment made in the repository, if any."""
    archive = options.environment and options.environment.parent.parent / GENERATED
    return archive if archive and archive.is_file() else None


def browser_folder(options: WorkspaceOptions) -> Path | None:
    """Return the folder with the browser's driver in the environment, if it has one."""
    folder = options.environment and options.environment.parent / BROWSER
    return folder if folder and not folder.is_symlink() and (folder / "installed").is_dir() else None


def is_made_from(record: Path, setup: str, options: WorkspaceOptions) -> bool:
    """Return whether an environment was made, by its record, with this set-up from a commit in the base's history."""
    from aci.history.git_log import GitLog

    made = read_object(record)
    commit = str(made.get("commit", ""))
    history = GitLog(options.repository.git_dir)
    return made.get("setup") == setup and history.is_first_parent(commit, options.base.commit)


def record_of(
    setup: str,
    options: WorkspaceOptions,
    serves_later_commits: bool = False,
    proposed: Sequence[str] = (),
    browser: str = "",
) -> str:
    """Return the record of an environment; without a commit if it was made from uncommitted files, or with the
    commands `proposed` by a model, which may have copied code of the commit.

    `serves_later_commits` says whether the set-up ran without copying or building the repository's code. It overrides
    the plan. `browser` describes the browser that was added, or says why there is none.
    """
    is_shared = not (options.base.changes or proposed)
    made: dict[str, Any] = {"setup": setup, "commit": options.base.commit if is_shared else ""}
    made |= {"proposed": list(proposed)} if proposed else {}
    made |= {"browser": browser} if browser else {}
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
