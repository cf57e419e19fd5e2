"""A workspace in a container: no network, no capabilities, no file of this machine, gone when it is closed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aci.base_image import HARNESS, INBOX, SCRATCH, STORE, Base, base_image
from aci.daemon import Daemon, connect, trouble
from aci.posix import SESSION, PosixWorkspace
from aci.workspace import Options, Workspace
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker.models.containers import Container

_FILE_BYTES = 20 << 30


def open(options: Options) -> Workspace:
    """See `open_workspace`. Containers that dead processes left are removed on the way."""
    daemon = connect()
    try:
        with trouble():
            daemon.remove_leftovers()
            base = base_image(daemon, options)
        return PosixWorkspace(Box(daemon, base, options), options)
    finally:
        daemon.rest()


class Box:
    """A container of a base image."""

    kind = "docker"
    shared = False
    scratch, harness, store, inbox = SCRATCH, HARNESS, STORE, INBOX

    def __init__(self, daemon: Daemon, base: Base, options: Options) -> None:
        self.root = base.root
        self._daemon, self._base, self._options = daemon, base, options
        self._container = _start(daemon, base, options)
        self._imports = _imports(self._container, base.root)

    def launch(self, extra: Mapping[str, str], ours: bool) -> tuple[list[str], dict[str, str] | None]:
        inside = extra if ours else {**SESSION, "PYTHONPATH": self._imports, **extra}
        words = [word for name, value in inside.items() for word in ("-e", f"{name}={value}")]
        return ["docker", "exec", "-i", *words, str(self._container.id)], self._daemon.environment()

    def another(self) -> Box:
        try:
            return Box(self._daemon, self._base, self._options)
        finally:
            self._daemon.rest()

    def relieve(self) -> bool:
        with suppress(WorkspaceError), trouble():
            self._container.reload()
            if self._container.status == "running":
                self._container.restart(timeout=0)
                return True
        return False

    def remove(self) -> None:
        with suppress(WorkspaceError), trouble():  # gone already, or a leftover that the next run removes
            self._container.remove(force=True, v=True)
        self._daemon.rest()


def _start(daemon: Daemon, base: Base, options: Options) -> Container:
    limits: dict[str, Any] = {
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": options.memory,
        "memswap_limit": options.memory,
        "pids_limit": options.processes,
        "ulimits": [_ulimit("fsize", _FILE_BYTES), _ulimit("core", 0)],
    }
    return daemon.start(base.image, user=base.user, init=True, **limits)


def _imports(container: Container, root: str) -> str:
    """Where Python looks first, in any session: the repository, so that its own package is what the tests import."""
    set_there = dict(each.partition("=")[::2] for each in container.attrs["Config"]["Env"] or ())
    return ":".join(filter(None, (root, f"{root}/src", set_there.get("PYTHONPATH", ""))))


def _ulimit(name: str, limit: int) -> Any:
    from docker.types import Ulimit

    return Ulimit(name=name, soft=limit, hard=limit)
