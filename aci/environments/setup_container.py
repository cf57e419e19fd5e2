"""The container in which a repository is set up: its files, root with few of root's rights, no network of its own.

What it may do that solving may not: change owners and drop to other users, which package managers do (CHOWN,
DAC_OVERRIDE, FOWNER, SETGID, SETUID). All else is as when solving: no other capability, no new privileges, limits on
memory, processes, files and disk, no mount, no socket.
"""

from __future__ import annotations

import io
import stat
import tarfile
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aci.confinement import RIGHTS, confinement, size
from aci.daemon import Daemon, trouble
from aci.disk_watch import DiskWatch
from aci.execution import execute
from aci.services import Beside
from aci.workspace import Options
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker.models.containers import Container

    from trajectories.trees import Trees

ROOT = "/workspace/repo"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LINK = "120000"
SUBMODULE = "160000"
MARK = "SWE_AGENT_SET_UP"
"""In the environment of all that a command starts."""

_END = f"""\
for round in 1 2 3 4 5; do
    found=$(grep -lF {MARK}={{mark}} /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
    [ "$found" ] && kill -KILL $found 2>/dev/null || break
done
"""
_END_TIME = 20.0


def _nothing(line: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Done:
    """A set-up command that ended, or was ended."""

    command: str
    code: int
    output: str
    seconds: float
    timed_out: bool = False

    @property
    def last(self) -> str:
        """The last lines, for people."""
        return "\n".join(self.output.strip().splitlines()[-12:])[-1500:]


class Room:
    """An idle container of `image`, under the limits of `options`; `remove` it in the end.

    With its `services` if tests are to run in it.
    """

    def __init__(self, daemon: Daemon, image: str, options: Options, services: bool = False) -> None:
        self.daemon, self.cancel = daemon, options.cancel
        self._beside = Beside(daemon, image, options) if services and options.services else None
        limits = {**(self._beside.joined if self._beside else {}), **confinement(replace(options, read_only=False))}
        try:
            self.container: Container = daemon.start(image, user="0", **limits, cap_add=list(RIGHTS))
        except BaseException:
            self._leave()
            raise
        self._watch = DiskWatch(daemon, str(self.container.id), size(options.disk))
        entries = self.container.attrs["Config"]["Env"] or ()
        self.variables: dict[str, str] = dict(entry.partition("=")[::2] for entry in entries)
        self.told: Mapping[str, str] = self._beside.variables if self._beside else {}

    def path(self, first: Sequence[str]) -> str:
        """The image's PATH with these folders before it."""
        return ":".join((*first, self.variables.get("PATH") or PATH))

    def run(
        self,
        command: str,
        env: Mapping[str, str],
        seconds: float,
        heard: Callable[[str], None] = _nothing,
        where: str = ROOT,
    ) -> Done:
        """Run a shell command in the repository; each line of its output is `heard`. Raises Cancelled.

        Of one that does not end in time, what it has started is ended too, but for what became another user's.
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
            env={**env, MARK: mark},
            heard=heard,
        )
        if ran.late:
            execute(self.daemon, str(self.container.id), _END.format(mark=mark), self.cancel, _END_TIME, user="0")
        text = ran.text + self._watch.notice().decode()
        return Done(command, ran.code, text, time.monotonic() - began, ran.late)

    def put(self, trees: Trees, tree: str) -> None:
        """The tree's files, where sessions will find them; nothing of their history."""
        with tempfile.TemporaryDirectory(prefix="swe-agent-") as folder:
            archive = Path(folder, "tree.tar")
            with tarfile.open(archive, "w") as tar:
                _add_folder(tar, ROOT)
                for path, entry in trees.files(tree).items():
                    if entry.mode != SUBMODULE:
                        _add(tar, f"{ROOT}/{path}", entry.mode, trees.read_blob(entry.id))
            with trouble(), archive.open("rb") as stream:
                self.container.put_archive("/", stream)

    def write(self, path: str, data: bytes) -> None:
        """One file at an absolute path; its folder need not be there."""
        with io.BytesIO() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                _add(tar, path, "100644", data)
            with trouble():
                self.container.put_archive("/", archive.getvalue())

    def commit(self, name: str, changes: Sequence[str]) -> str:
        """The container as an image of that name, or of none; its id."""
        with trouble():
            made = self.container.commit(name or None, "latest" if name else None, changes=list(changes), pause=False)
        return str(made.id)

    def remove(self) -> None:
        self._watch.stop()
        with suppress(WorkspaceError), trouble():  # gone already, or a leftover that the next run removes
            self.container.remove(force=True, v=True)
        self._leave()

    def _leave(self) -> None:
        if self._beside:
            self._beside.remove()

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


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
