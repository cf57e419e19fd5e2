"""Clean-up of leftovers of dead processes and of unused caches, at the user's request.

Opening a workspace removes leftovers of processes of the current boot. `doctor --clean` also removes older leftovers,
and unused base images and volumes, which the next run recreates within seconds. Environments are kept: see `env prune`.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.docker.docker_daemon import BASE, LABEL, OWNER_LABEL, Daemon, docker_errors
from aci.docker.network_files import unused_volumes
from aci.host.local_folders import dead_folders, is_private, remove_folder
from aci.repository import process_owner

if TYPE_CHECKING:
    from docker import APIClient

_TEMPORARY_NAME = re.compile(r"swe-agent-(?:base-|history-)?[a-z0-9_]{8}")
_HOUR, _DAY = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class CleanupResult:
    """The number of removed objects of the kind `what`, and the number of bytes freed."""

    what: str
    count: int
    bytes: int


def clean_daemon(daemon: Daemon) -> list[CleanupResult]:
    """Remove containers of dead processes, half-made images, and unused base images and volumes.

    Raises WorkspaceError if the daemon fails.
    """
    api = daemon.client.api
    with docker_errors():
        containers = api.containers(all=True, size=True, filters={"label": [f"{LABEL}=1", OWNER_LABEL]})
        abandoned = [(each["Id"], int(each.get("SizeRw") or 0)) for each in containers if _is_abandoned(each)]
        removed = _remove_all("containers", abandoned, lambda id: api.remove_container(id, force=True, v=True))
        sizes = _own_sizes(api)
        half_made = [
            (each["Id"], sizes.get(each["Id"], 0))
            for each in api.images(filters={"dangling": True, "label": [f"{LABEL}=1", OWNER_LABEL]})
            if _is_unowned(each["Labels"][OWNER_LABEL], float(each["Created"]))
        ]
        removed_images = _remove_all("half-made images", half_made, api.remove_image)
        used = {each["ImageID"] for each in api.containers(all=True)}
        old = [
            (each["Id"], sizes.get(each["Id"], 0))
            for each in api.images(filters={"label": BASE})
            if each["Id"] not in used and time.time() - each["Created"] > _HOUR
        ]
        removed_bases = _remove_all("base images", old, lambda id: api.remove_image(id, force=True))
        volumes = [(name, 0) for name in unused_volumes(api)]  # each has a few hundred bytes
        return [removed, removed_images, removed_bases, _remove_all("volumes", volumes, api.remove_volume)]


def clean_folders(locks: Path) -> list[CleanupResult]:
    """Remove temporary folders of dead processes, and lock files that were not held for a day."""
    folders = [*dead_folders(), *_old_folders(Path(tempfile.gettempdir()))]
    held = [(file, file.stat().st_size) for file in locks.glob("*.lock") if _is_free(file)]
    return [
        _remove_all("temporary folders", [(folder, _size(folder)) for folder in folders], remove_folder),
        _remove_all("locks", held, Path.unlink),
    ]


def _is_abandoned(container: dict[str, Any]) -> bool:
    """Return whether a container's owner is gone. A container in use is running; containers of an earlier boot are
    not."""
    return _is_unowned(container["Labels"][OWNER_LABEL], float(container["Created"]), container["State"] != "running")


def _is_unowned(name: str, created: float, idle: bool = True) -> bool:
    return process_owner.has_ended(name) or (
        idle and not process_owner.is_running(name) and time.time() - created > _HOUR
    )


def _own_sizes(api: APIClient) -> dict[str, int]:
    """Return the number of bytes that removing each image would free, without the layers that it shares with others."""
    images = api.df().get("Images") or ()
    return {each["Id"]: max(int(each["Size"]) - max(int(each.get("SharedSize") or 0), 0), 0) for each in images}


def _remove_all(what: str, found: Iterable[tuple[Any, int]], remove: Callable[[Any], object]) -> CleanupResult:
    from docker.errors import APIError

    sizes = []
    for one, size in found:
        with suppress(APIError, OSError):  # it is in use after all, or another process has removed it
            remove(one)
            sizes.append(size)
    return CleanupResult(what, len(sizes), sum(sizes))


def _old_folders(parent: Path) -> Iterator[Path]:
    """Yield this user's private folders that are named like swe-agent's, without `dead_folders`, and in which no file
    was added or removed for a day."""
    for folder in parent.glob("swe-agent-*"):
        with suppress(OSError):
            found = folder.lstat()
            is_ours = is_private(found) and _TEMPORARY_NAME.fullmatch(folder.name)
            if is_ours and time.time() - found.st_mtime > _DAY:
                yield folder


def _is_free(lock: Path) -> bool:
    from filelock import FileLock, Timeout

    with suppress(OSError, Timeout):
        if time.time() - lock.stat().st_mtime > _DAY:
            with FileLock(lock, timeout=0):
                return True
    return False


def _size(folder: Path) -> int:
    files = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_blocks * 512 for file in files if os.path.lexists(file))
