"""The container in which a repository is set up, as root with few capabilities and without network access of its own.

Unlike a workspace, it may change owners and switch to other users, as package managers do (CHOWN, DAC_OVERRIDE, FOWNER,
SETGID, SETUID). Otherwise it has the restrictions of a workspace: no other capability, no new privileges, limits on
memory, processes, files and disk, no mount, no socket.
"""

from __future__ import annotations

import io
import stat
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aci.docker.container_exec import execute
from aci.docker.container_limits import SETUP_CAPABILITIES, container_limits, parse_size
from aci.docker.disk_quota import DiskWatch
from aci.docker.docker_daemon import Daemon, docker_errors
from aci.docker.service_containers import ServiceGroup
from aci.runtime.process_channel import ChildChannel
from aci.runtime.workspace import WorkspaceOptions
from extensions.environments.network.container_relay import Programs
from trajectories.errors import WorkspaceError
from trajectories.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from docker.models.containers import Container

    from trajectories.git_store.trees import Trees

ROOT = "/workspace/repo"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LINK = "120000"
SUBMODULE = "160000"
SETUP_VARIABLE = "SWE_AGENT_SET_UP"
"""The environment variable that marks all processes started by a command, so that they can be found and ended."""

_END = f"""\
for round in 1 2 3 4 5; do
    found=$(grep -lF {SETUP_VARIABLE}={{mark}} /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
    [ "$found" ] && kill -KILL $found 2>/dev/null || break
done
"""
_END_TIME = 20.0


def _ignore(line: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class SetupResult:
    """The result of a set-up command."""

    command: str
    code: int
    output: str
    seconds: float
    timed_out: bool = False

    @property
    def last(self) -> str:
        """The last lines of the output, to show to users."""
        return "\n".join(self.output.strip().splitlines()[-12:])[-1500:]


class SetupContainer:
    """An idle container of `image` under the limits of `options`. The caller must `remove` it.

    With `services`, the approved services run beside it, for tests.
    """

    def __init__(self, daemon: Daemon, image: str, options: WorkspaceOptions, services: bool = False) -> None:
        self.daemon, self.cancel = daemon, options.cancel
        self._services = ServiceGroup(daemon, image, options) if services and options.services else None
        limits = {
            **(self._services.joined if self._services else {}),
            **container_limits(replace(options, read_only=False)),
        }
        try:
            self.container: Container = daemon.start(image, user="0", **limits, cap_add=list(SETUP_CAPABILITIES))
        except BaseException:
            self._remove_services()
            raise
        self._watch = DiskWatch(daemon, str(self.container.id), parse_size(options.disk))
        entries = self.container.attrs["Config"]["Env"] or ()
        self.variables: dict[str, str] = dict(entry.partition("=")[::2] for entry in entries)
        self.service_variables: Mapping[str, str] = self._services.variables if self._services else {}

    def path(self, first: Sequence[str]) -> str:
        """Return the image's PATH with these folders before it."""
        return ":".join((*first, self.variables.get("PATH") or PATH))

    def run(
        self,
        command: str,
        env: Mapping[str, str],
        seconds: float,
        on_line: Callable[[str], None] = _ignore,
        where: str = ROOT,
    ) -> SetupResult:
        """Run a shell command in the repository and call `on_line` with lines of its output. Raises Cancelled.

        If it does not end in time, its processes are ended too, except for those of other users.
        """
        began = time.monotonic()
        mark = uuid.uuid4().hex
        ran = execute(
            self.daemon,
            str(self.container.id),
            f"set -e\n{command}",
            self.cancel,
            seconds,
            user="0",
            where=where,
            env={**env, SETUP_VARIABLE: mark},
            on_line=on_line,
        )
        if ran.late:
            execute(self.daemon, str(self.container.id), _END.format(mark=mark), self.cancel, _END_TIME, user="0")
        text = ran.text + self._watch.notice().decode()
        return SetupResult(command, ran.code, text, time.monotonic() - began, ran.late)

    def put(self, trees: Trees, tree: str) -> None:
        """Copy the tree's files, without history, to the folder in which sessions will find them."""
        with temporary_folder() as folder:
            archive = Path(folder, "tree.tar")
            with tarfile.open(archive, "w") as tar:
                _add_folder(tar, ROOT)
                for path, entry in trees.files(tree).items():
                    if entry.mode != SUBMODULE:
                        _add(tar, f"{ROOT}/{path}", entry.mode, trees.read_blob(entry.id))
            with docker_errors(), archive.open("rb") as stream:
                self.container.put_archive("/", stream)

    def write(self, path: str, data: bytes) -> None:
        """Write a file at an absolute path; its folder need not exist."""
        with io.BytesIO() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                _add(tar, path, "100644", data)
            with docker_errors():
                self.container.put_archive("/", archive.getvalue())

    def commit(self, name: str, changes: Sequence[str]) -> str:
        """Save the container as an image, untagged if the name is empty; return the image's id."""
        with docker_errors():
            made = self.container.commit(name or None, "latest" if name else None, changes=list(changes), pause=False)
        return str(made.id)

    def remove(self) -> None:
        self._watch.stop()
        with suppress(WorkspaceError), docker_errors():  # already removed, or the next run removes it
            self.container.remove(force=True, v=True)
        self._remove_services()

    def _remove_services(self) -> None:
        if self._services:
            self._services.remove()

    def __enter__(self) -> SetupContainer:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def container_programs(daemon: Daemon, id: str) -> Programs:
    """Return functions that start and end programs in a container."""
    prefix, env = ["docker", "exec", "-i", id], daemon.environment()

    def kill(pid: int) -> None:
        words = [*prefix, "sh", "-c", f"kill -KILL {max(pid, 2)}"]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=_END_TIME)

    return Programs(lambda words: ChildChannel([*prefix, *words], env), kill)


def _add_folder(tar: tarfile.TarFile, path: str) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(entry)


def _add(tar: tarfile.TarFile, path: str, mode: str, data: bytes) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.mtime = int(time.time())
    if mode == _LINK:
        entry.type, entry.linkname = tarfile.SYMTYPE, data.decode("utf-8", "surrogateescape")
        tar.addfile(entry)
        return
    entry.size, entry.mode = len(data), stat.S_IMODE(int(mode, 8))
    tar.addfile(entry, io.BytesIO(data))
