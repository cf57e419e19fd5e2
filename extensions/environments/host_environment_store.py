"""The environments on this machine: what would be used for a base, listing and pruning.

describe_host_environment(options, wishes, workspace)  the plan and its reasons, without setting up anything
list_host_environments(), prune_host_environments(…)   existing environments, and removing old ones
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from aci.environments.environment_plan import EnvironmentOptions, Plan
from aci.environments.environment_records import READY, read_object
from aci.host.local_folders import remove_folder
from aci.host.project_python import project_python
from aci.repository.disk_cache import cache_folder
from aci.runtime.workspace import WorkspaceOptions
from extensions.environments.environment import Environment, plan_for
from extensions.environments.host_environment import find_host_plan
from trajectories.errors import UsageError

MIN_DAYS = 1.0
"""Environments used within this many days are kept, since a session may use them, unless the user names fewer days."""


def describe_host_environment(options: WorkspaceOptions, settings: EnvironmentOptions, workspace: str) -> Plan:
    """Return the plan for a workspace of the kind `sandbox` or `local`; without commands if nothing is set up for it.

    `image` is empty, and the commands contain the folder of the environment.
    """
    if found := find_host_plan(options, settings, workspace):
        plan, folder = found
        python = Path(shutil.which("python3") or "python3")
        version = f" ({python.resolve().name})" if python.resolve().name != python.name else ""
        of_machine = f"The Python of this machine is used: {python}{version}."
        state = "It is set up" if (folder / READY).exists() else "It would be set up"
        reasons = [of_machine, f"{state} in {folder}."]
        reasons += [f"The manifests lie in {plan.folder}."] if plan.folder else []
        return replace(plan, image="", reasons=tuple(reasons), instead=None)
    if own := project_python(options):
        reason = f"The project's own environment, {own.prefix}, is used: {own.reason}."
        return Plan("the project's folder", "", "python", reasons=(reason,))
    try:
        plan = plan_for(options, settings)
    except UsageError as error:
        return Plan("nothing in the repository", "", reasons=(f"{error.message} {error.fix}".strip(),))
    reason = "The programs of this machine are used, with the packages that they have."
    return Plan(plan.source, "", plan.language, reasons=(reason,))


def list_host_environments() -> list[Environment]:
    """Return the existing environments, the most recently used first."""
    found = []
    for folder in (cache_folder() / "host-environments").glob("*"):
        ready = folder / READY
        try:
            used, made_at = ready.stat().st_mtime, folder.stat().st_mtime
        except OSError:  # it is not complete, or was removed meanwhile
            continue
        record = read_object(ready)
        about = {"repository": str(record.get("repository", "")), "language": "python", "folder": str(folder)}
        about |= {"browser": browser, "tests": browser} if (browser := str(record.get("browser", ""))) else {}
        created = datetime.fromtimestamp(made_at, UTC).isoformat()
        found.append(Environment(folder.name, "", about, _size(folder), created, used))
    return sorted(found, key=lambda one: one.used, reverse=True)


def prune_host_environments(keep: int, days: float) -> list[Environment]:
    """Remove environments that were not used for `days`, and all but the `keep` most recently used; return them.

    Those used within the last day are kept, unless `days` is less.
    """
    now = time.time()
    recent = now - min(days, MIN_DAYS) * 86400
    gone = []
    for place, one in enumerate(list_host_environments()):
        if (place >= keep or one.used < now - days * 86400) and one.used < recent:
            remove_folder(Path(str(one.about["folder"])))
            gone.append(one)
    return gone


def _size(folder: Path) -> int:
    """Return the number of bytes of the files in a folder."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                total += Path(parent, name).lstat().st_size
    return total
