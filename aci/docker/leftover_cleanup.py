"""What dead processes left behind, and what is kept to be quick: found, and removed when the user asks for it.

A workspace that is opened removes what processes of this boot left. `doctor --clean` also removes what is older, and
base images and volumes that nothing uses: the next run makes its own anew within seconds. Environments stay: see
`env prune`.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci import owner
from aci.daemon import BASE, LABEL, OWNER, Daemon, trouble
from aci.network_files import unused_volumes

if TYPE_CHECKING:
    from docker import APIClient

LOCAL = "swe-agent-local-"
"""What folders of local workspaces begin with; each has a file `owner`."""

_ANY = re.compile(r"swe-agent-(?:base-|history-)?[a-z0-9_]{8}")
_HOUR, _DAY = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Removed:
    """So many of `what` are gone, and so many bytes with them."""

    what: str
    count: int
    bytes: int


def clean_daemon(daemon: Daemon) -> list[Removed]:
    """Remove containers of dead processes, half-made images, and base images and volumes that nothing uses.

    Raises WorkspaceError where the daemon cannot be asked.
    """
    api = daemon.client.api
    with trouble():
        containers = api.containers(all=True, size=True, filters={"label": [f"{LABEL}=1", OWNER]})
        abandoned = [(each["Id"], int(each.get("SizeRw") or 0)) for each in containers if _abandoned(each)]
        removed = _removed("containers", abandoned, lambda id: api.remove_container(id, force=True, v=True))
        sizes = _own_sizes(api)
        half_made = [
            (each["Id"], sizes.get(each["Id"], 0))
            for each in api.images(filters={"dangling": True, "label": [f"{LABEL}=1", OWNER]})
            if _unowned(each["Labels"][OWNER], float(each["Created"]))
        ]
        removed_images = _removed("half-made images", half_made, api.remove_image)
        used = {each["ImageID"] for each in api.containers(all=True)}
        old = [
            (each["Id"], sizes.get(each["Id"], 0))
            for each in api.images(filters={"label": BASE})
            if each["Id"] not in used and time.time() - each["Created"] > _HOUR
        ]
        removed_bases = _removed("base images", old, lambda id: api.remove_image(id, force=True))
        volumes = [(name, 0) for name in unused_volumes(api)]  # of a few hundred bytes
        return [removed, removed_images, removed_bases, _removed("volumes", volumes, api.remove_volume)]


def clean_folders(locks: Path) -> list[Removed]:
    """Temporary folders of dead processes, and lock files that nobody has held for a day."""
    folders = [*dead_workspaces(), *_old_folders(Path(tempfile.gettempdir()))]
    held = [(file, file.stat().st_size) for file in locks.glob("*.lock") if _is_free(file)]
    return [
        _removed("temporary folders", [(folder, _size(folder)) for folder in folders], remove_folder),
        _removed("locks", held, Path.unlink),
    ]


def dead_workspaces() -> Iterator[Path]:
    """The folders of local workspaces whose process has ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{LOCAL}*"):
        with suppress(OSError, ValueError):
            if _is_private(folder.lstat()) and owner.gone((folder / "owner").read_text()):
                yield folder


def remove_folder(folder: Path) -> None:
    """Remove a folder that may hold read-only folders, or thousands of them in each other (rm does not recurse)."""
    open_up = ["find", str(folder), "-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", ";"]
    for command in (["rm", "-rf", "--", str(folder)], open_up, ["rm", "-rf", "--", str(folder)]):
        if folder.exists():
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True)


def _abandoned(container: dict[str, Any]) -> bool:
    """A container in use runs; one of an earlier boot, or of another machine's dead process, does not."""
    return _unowned(container["Labels"][OWNER], float(container["Created"]), container["State"] != "running")


def _unowned(name: str, created: float, still: bool = True) -> bool:
    return owner.gone(name) or (still and not owner.lives(name) and time.time() - created > _HOUR)


def _own_sizes(api: APIClient) -> dict[str, int]:
    """What would be free without each image: what it shares with others stays."""
    images = api.df().get("Images") or ()
    return {each["Id"]: max(int(each["Size"]) - max(int(each.get("SharedSize") or 0), 0), 0) for each in images}


def _removed(what: str, found: Iterable[tuple[Any, int]], remove: Callable[[Any], object]) -> Removed:
    from docker.errors import APIError

    sizes = []
    for one, size in found:
        with suppress(APIError, OSError):  # somebody uses it after all, or was faster
            remove(one)
            sizes.append(size)
    return Removed(what, len(sizes), sum(sizes))


def _old_folders(parent: Path) -> Iterator[Path]:
    """Folders as only we name them, private and of this user, in which nothing was put or removed for a day."""
    for folder in parent.glob("swe-agent-*"):
        with suppress(OSError):
            found = folder.lstat()
            if _is_private(found) and _ANY.fullmatch(folder.name) and time.time() - found.st_mtime > _DAY:
                yield folder


def _is_private(found: os.stat_result) -> bool:
    """Whether this is a folder of this user, no link, in which no other user can have put anything."""
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700


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
