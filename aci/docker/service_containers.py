"""Services that the user approved (Postgres, Redis, …), which run beside a workspace and listen on its loopback.

They share a network namespace with the workspace, which has only loopback and no connection to other networks. An idle
holder container owns the namespace, so that a restarted workspace still reaches its services. Each workspace and each
fork has its own services, which are removed with it; those of dead processes are removed like their workspaces.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aci.docker.base_image import source_image
from aci.docker.container_exec import ExecResult, execute
from aci.docker.container_limits import SETUP_CAPABILITIES, container_limits, parse_size
from aci.docker.disk_quota import DiskWatch
from aci.docker.docker_daemon import Daemon, docker_errors
from aci.observation.activity_message import ActivityMessage
from aci.observation.untrusted_text import clean_output
from aci.runtime.workspace import Service
from trajectories.errors import Cancelled, WorkspaceError

if TYPE_CHECKING:
    from docker.models.containers import Container

    from aci.runtime.workspace import WorkspaceOptions

_HOLDER_MEMORY = "64m"
_TICK = 0.2
_LISTENING = re.compile(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A ", re.MULTILINE)
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?/tcp")
_SOCKETS = "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null"
_LINES = 12


class ServiceGroup:
    """The running services of a workspace. `joined` has the arguments for starting the workspace's own container.

    Each service is reachable on loopback, also by its name. Raises WorkspaceError if a service cannot be started, uses
    another service's port or is not ready in time, and Cancelled if cancelled; in each case all services are removed.
    """

    def __init__(self, daemon: Daemon, image: str, options: WorkspaceOptions) -> None:
        self._daemon, self._options = daemon, options
        self._containers: list[Container] = []
        self._watches: list[DiskWatch] = []
        self.joined: dict[str, Any] = {"names": [each.name for each in options.services]}
        self.variables = {name: value for each in options.services for name, value in each.variables.items()}
        wanted = [(each, *_image(daemon, each, options)) for each in options.services]
        _check_ports([(each, ports) for each, _, ports in wanted])
        try:
            holder = self._start_holder(image)
            self.joined["network_mode"] = f"container:{holder.id}"
            started = [(each, self._start(each, id), ports) for each, id, ports in wanted]
            for each, container, ports in started:
                self._wait(each, container, holder, ports)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        for watch in self._watches:
            watch.stop()
        for container in reversed(self._containers):
            with suppress(WorkspaceError), docker_errors():  # already removed, or the next run removes it
                container.remove(force=True, v=True)

    def _start_holder(self, image: str) -> Container:
        """Start the holder container. Its root file system is read-only, so its disk usage need not be checked."""
        small = replace(self._options, memory=_HOLDER_MEMORY, processes=16, read_only=False)
        return self._start_container(image, read_only=True, **container_limits(small))

    def _start(self, service: Service, image: str) -> Container:
        self._options.say(ActivityMessage(f"Starting the service {service.name}."))
        container = self._start_container(
            image,
            entrypoint=None,
            command=shlex.split(service.command) or None,
            working_dir=None,
            environment=dict(service.env),
            **self.joined,
            log_config={"type": "json-file", "config": {"max-size": "5m", "max-file": "1"}},
            cap_add=list(SETUP_CAPABILITIES),
            **container_limits(replace(self._options, read_only=False)),
        )
        self._watches.append(DiskWatch(self._daemon, str(container.id), parse_size(self._options.disk)))
        return container

    def _start_container(self, image: str, **more: Any) -> Container:
        with docker_errors():
            container = self._daemon.start(image, **more)
        self._containers.append(container)
        return container

    def _wait(self, service: Service, container: Container, holder: Container, ports: Sequence[int]) -> None:
        end = time.monotonic() + service.seconds
        while not self._is_ready(service, container, holder, ports, end - time.monotonic()):
            if self._options.cancel.is_set():
                raise Cancelled("Interrupted while services started.", "`swe-agent resume` continues from here.")
            if time.monotonic() > end:
                raise _service_error(service, container, f"was not ready within {service.seconds:.0f} s")
            time.sleep(_TICK)

    def _is_ready(
        self, service: Service, container: Container, holder: Container, ports: Sequence[int], seconds: float
    ) -> bool:
        with docker_errors():
            container.reload()
            if container.status != "running":
                code = container.attrs["State"]["ExitCode"]
                raise _service_error(service, container, f"ended with status {code} before it was ready")
        if service.ready:
            return self._run(container, service.ready, seconds).code == 0
        return not ports or bool(set(ports) & set(_listening_ports(self._run(holder, _SOCKETS, seconds).text)))

    def _run(self, container: Container, script: str, seconds: float) -> ExecResult:
        return execute(self._daemon, str(container.id), script, self._options.cancel, seconds)


def _image(daemon: Daemon, service: Service, options: WorkspaceOptions) -> tuple[str, tuple[int, ...]]:
    """Return the image's id and the ports on which the service will listen."""
    with docker_errors():
        image = source_image(daemon, replace(options, image=service.image))
    config = image.attrs.get("Config") or {}
    exposed = filter(None, map(_PORTS.fullmatch, config.get("ExposedPorts") or ()))
    ranges = [range(int(each[1]), int(each[2] or each[1]) + 1) for each in exposed]
    return str(image.id), service.ports or tuple(port for each in ranges for port in each)


def _check_ports(wanted: Sequence[tuple[Service, Sequence[int]]]) -> None:
    """Raise WorkspaceError if two services use the same port.

    The ports of a service with its own command are not known from its image; a conflict shows in its log.
    """
    owner: dict[int, str] = {}
    for service, ports in wanted:
        for port in ports if service.ports or not service.command else ():
            if port in owner:
                raise WorkspaceError(
                    f"The services {owner[port]} and {service.name} both use port {port}.",
                    f"Change one with services.{service.name}.command and services.{service.name}.ports.",
                )
            owner[port] = service.name


def _listening_ports(sockets: str) -> Iterator[int]:
    """Return all ports with a listener in the namespace, from the kernel's tables."""
    return (int(found[1], 16) for found in _LISTENING.finditer(sockets))


def _service_error(service: Service, container: Container, how: str) -> WorkspaceError:
    with suppress(WorkspaceError), docker_errors():
        log = clean_output(container.logs(tail=_LINES)).strip()[-1500:]
        last = "Its last lines:\n" + log if log else "It printed nothing."
        return WorkspaceError(f"The service {service.name} {how}. {last}", f"Check services.{service.name}.")
    return WorkspaceError(f"The service {service.name} {how}.", f"Check services.{service.name}.")
