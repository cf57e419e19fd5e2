"""A workspace in a container: no network, no capabilities, no file of this machine, gone when it is closed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from aci.base_image import HARNESS, INBOX, RENEW, SCRATCH, STORE, Base, base_image
from aci.channel import Channel, Start
from aci.confinement import confinement, size
from aci.daemon import Daemon, connect, trouble
from aci.disk_watch import DiskWatch
from aci.exec_channel import Exec, First, first
from aci.posix import SESSION, PosixWorkspace
from aci.services import Beside
from aci.shell import words
from aci.store import environment
from aci.workspace import Options, Workspace
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker.models.containers import Container

_TRIES = 3
_SETTLING = 0.5
"""Seconds for which a daemon may call a container running that somebody has just killed."""
_NO_KEYS = "ctrl-@,ctrl-^,ctrl-@"
"""What leaves a terminal without ending it: by Docker's own choice ctrl-p ctrl-q, and ctrl-p is held back for it."""

_RENEWED = [
    *("sh", "-c"),
    f'if [ -e {RENEW} ]; then sh {RENEW} </dev/null >/dev/null 2>&1 && rm {RENEW} || exit; fi; exec "$@"',
    "sh",
]
"""Words before the service: the indexes of a small base are renewed as its container begins."""


def open(options: Options) -> Workspace:
    """See `open_workspace`. Containers that dead processes left are removed meanwhile."""
    daemon = connect()
    try:
        daemon.tidy()
        return PosixWorkspace(_box(daemon, options), options)
    finally:
        daemon.rest()


def _box(daemon: Daemon, options: Options) -> Box:
    """A container of the base. One that another process removes as too old before it is used is made again."""
    from docker.errors import ImageNotFound

    for tries_left in reversed(range(_TRIES)):
        with trouble():
            base = base_image(daemon, options)
        try:
            return Box(daemon, base, options)
        except WorkspaceError as error:
            if not tries_left or not isinstance(error.__cause__, ImageNotFound):
                raise
    raise AssertionError("every try returns or raises")


class Box:
    """A container of a base image."""

    kind = "docker"
    shared = False
    scratch, harness, store, inbox = SCRATCH, HARNESS, STORE, INBOX

    def __init__(self, daemon: Daemon, base: Base, options: Options, counting: bool = False) -> None:
        self.root = base.root
        self._service: list[str] | None = words("sh")
        self._daemon, self._base, self._options = daemon, base, options
        self._beside = Beside(daemon, base.image, options) if options.services else None
        try:
            limits = {**(self._beside.joined if self._beside else {}), **confinement(options, base.root, counting)}
            limits |= first([*_RENEWED, *self._service], environment(self.store, self.root))
            with trouble():
                self._container = daemon.start(base.image, user=base.user, **limits)
        except BaseException:
            self._leave()
            raise
        self._watch = DiskWatch(daemon, str(self._container.id), size(options.disk))
        self._imports = _imports(self._container, base.root)

    def start(self, extra: Mapping[str, str], ours: bool) -> Start:
        env = dict(extra) if ours else self._environment(extra)

        def start(words: Sequence[str]) -> Channel:
            if ours and words == self._service:
                self._service = None
                return First(self._daemon, str(self._container.id))
            return Exec(self._daemon, str(self._container.id), words, env)

        return start

    def terminal(self, extra: Mapping[str, str]) -> tuple[list[str], dict[str, str] | None]:
        variables = [word for name, value in self._environment(extra).items() for word in ("-e", f"{name}={value}")]
        words = ["docker", "exec", "-it", f"--detach-keys={_NO_KEYS}", *variables, str(self._container.id)]
        return words, self._daemon.environment()

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        told = self._beside.variables if self._beside else {}
        return {**SESSION, "PYTHONPATH": self._imports, **told, **extra}

    def another(self, counting: bool = False) -> Box:
        try:
            return Box(self._daemon, self._base, self._options, counting)
        finally:
            self._daemon.rest()

    def notice(self) -> bytes:
        return self._watch.notice()

    def was_short_of_disk(self, since: float) -> bool:
        return self._watch.was_short(since)

    def relieve(self) -> bool:
        if self._watch.has_just_ended_all():
            return True
        time.sleep(_SETTLING)
        with suppress(WorkspaceError), trouble():
            self._container.reload()
            if self._container.status == "running":
                self._container.restart(timeout=0)
                return True
        return False

    def remove(self) -> None:
        self._watch.stop()
        self._daemon.discard(str(self._container.id))
        self._leave()
        self._daemon.rest()

    def _leave(self) -> None:
        if self._beside:
            self._beside.remove()


def _imports(container: Container, root: str) -> str:
    """Where Python looks first, in any session: the repository, so that its own package is what the tests import."""
    set_there = dict(each.partition("=")[::2] for each in container.attrs["Config"]["Env"] or ())
    return ":".join(filter(None, (root, f"{root}/src", set_there.get("PYTHONPATH", ""))))
