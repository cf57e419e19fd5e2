"""Workspaces in containers, with no network, no capabilities and no files of this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from aci.docker.base_image import HARNESS, INBOX, RENEW_SCRIPT, SCRATCH, STORE, BaseImage, base_image
from aci.docker.container_limits import container_limits, parse_size
from aci.docker.disk_quota import DiskWatch
from aci.docker.docker_daemon import Daemon, connect, docker_errors
from aci.docker.exec_stream import ExecProgram, FirstProgram, first_program_arguments
from aci.docker.service_containers import ServiceGroup
from aci.runtime.posix_workspace import SESSION_ENVIRONMENT, PosixWorkspace
from aci.runtime.process_channel import Channel, ProgramStarter, TerminalStarter, terminal_programs
from aci.runtime.shell_session import shell_arguments
from aci.runtime.snapshots import store_environment
from aci.runtime.workspace import Workspace, WorkspaceOptions
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker.models.containers import Container

_TRIES = 3
_SETTLING = 0.5
"""Seconds for which a daemon may still report a container as running after it was killed."""
_DETACH_KEYS = "ctrl-@,ctrl-^,ctrl-@"
"""The keys that detach from a terminal. Docker's default is ctrl-p ctrl-q, which would delay each ctrl-p."""

_RENEW_FIRST = [
    *("sh", "-c"),
    f"if [ -e {RENEW_SCRIPT} ]; then sh {RENEW_SCRIPT} </dev/null >/dev/null 2>&1 && rm {RENEW_SCRIPT} || exit; fi; "
    'exec "$@"',
    "sh",
]
"""Prefix of the control shell's command line that refreshes the git indexes of a small base when its container
starts."""


def open(options: WorkspaceOptions) -> Workspace:
    """Open a workspace (see `open_workspace`). Containers left behind by dead processes are removed in the
    background."""
    daemon = connect()
    try:
        daemon.tidy()
        return PosixWorkspace(_start_box(daemon, options), options)
    finally:
        daemon.rest()


def _start_box(daemon: Daemon, options: WorkspaceOptions) -> DockerHost:
    """Return a container of the base image. The image is rebuilt if another process removes it because of its age."""
    from docker.errors import ImageNotFound

    for tries_left in reversed(range(_TRIES)):
        with docker_errors():
            base = base_image(daemon, options)
        try:
            return DockerHost(daemon, base, options)
        except WorkspaceError as error:
            if not tries_left or not isinstance(error.__cause__, ImageNotFound):
                raise
    raise AssertionError("every try returns or raises")


class DockerHost:
    """A container of a base image."""

    kind = "docker"
    shared = False
    scratch, harness, store, inbox = SCRATCH, HARNESS, STORE, INBOX

    def __init__(self, daemon: Daemon, base: BaseImage, options: WorkspaceOptions, counting: bool = False) -> None:
        self.root = base.root
        self._service: list[str] | None = shell_arguments("sh")
        self._daemon, self._base, self._options = daemon, base, options
        self._services = ServiceGroup(daemon, base.image, options) if options.services else None
        try:
            limits = {
                **(self._services.joined if self._services else {}),
                **container_limits(options, base.root, counting),
            }
            limits |= first_program_arguments([*_RENEW_FIRST, *self._service], store_environment(self.store, self.root))
            with docker_errors():
                self._container = daemon.start(base.image, user=base.user, **limits)
        except BaseException:
            self._remove_services()
            raise
        self._watch = DiskWatch(daemon, str(self._container.id), parse_size(options.disk))
        self._python_path = _python_path(self._container, base.root)

    def start(self, extra: Mapping[str, str], for_harness: bool) -> ProgramStarter:
        env = dict(extra) if for_harness else self._environment(extra)

        def start(words: Sequence[str]) -> Channel:
            if for_harness and words == self._service:
                self._service = None
                return FirstProgram(self._daemon, str(self._container.id))
            return ExecProgram(self._daemon, str(self._container.id), words, env)

        return start

    def terminal(self, extra: Mapping[str, str]) -> TerminalStarter:
        variables = [word for name, value in self._environment(extra).items() for word in ("-e", f"{name}={value}")]
        prefix = ["docker", "exec", "-it", f"--detach-keys={_DETACH_KEYS}", *variables, str(self._container.id)]
        return lambda words: terminal_programs().open_terminal([*prefix, *words], self._daemon.environment())

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        addresses = self._services.variables if self._services else {}
        return {**SESSION_ENVIRONMENT, "PYTHONPATH": self._python_path, **addresses, **extra}

    def another(self, counting: bool = False) -> DockerHost:
        try:
            return DockerHost(self._daemon, self._base, self._options, counting)
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
        with suppress(WorkspaceError), docker_errors():
            self._container.reload()
            if self._container.status == "running":
                self._container.restart(timeout=0)
                return True
        return False

    def remove(self) -> None:
        self._watch.stop()
        self._daemon.discard(str(self._container.id))
        self._remove_services()
        self._daemon.rest()

    def _remove_services(self) -> None:
        if self._services:
            self._services.remove()


def _python_path(container: Container, root: str) -> str:
    """Return PYTHONPATH for all sessions: the repository first, so that tests import the repository's own package."""
    set_there = dict(each.partition("=")[::2] for each in container.attrs["Config"]["Env"] or ())
    return ":".join(filter(None, (root, f"{root}/src", set_there.get("PYTHONPATH", ""))))
