"""Services that the user approved (Postgres, Redis, …), beside a workspace and reached on its loopback.

They share one network namespace with the workspace, and it has nothing but loopback: no bridge, no way out. A holder
that only idles owns the namespace, so that a workspace which is restarted finds its services again. Each workspace and
each fork has its own; all of them go with it, and those of a process that died are removed as its workspaces are.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from aci.base_image import source
from aci.confinement import RIGHTS, confinement, size
from aci.daemon import Daemon, trouble
from aci.disk_watch import DiskWatch
from aci.execution import Ran, execute
from aci.view import clean
from trajectories.errors import Cancelled, WorkspaceError

if TYPE_CHECKING:
    from docker.models.containers import Container

    from aci.workspace import Options

_HOLDER_MEMORY = "64m"
_TICK = 0.2
_LISTENS = re.compile(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A ", re.MULTILINE)
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?/tcp")
_SOCKETS = "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null"
_LINES = 12


@dataclass(frozen=True, slots=True)
class Service:
    """`command` empty: the image's own. It is ready when the shell command `ready` succeeds in it, within `seconds`;
    without one, when one of its `ports` (if not given: those that the image exposes) is listened to.

    `env` is the service's environment; `variables` are set in the sessions of the workspace, to say where it is.
    """

    name: str
    image: str
    command: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""
    ports: tuple[int, ...] = ()
    seconds: float = 60.0


class Beside:
    """The services of one workspace, running and ready; `joined` is for the start of the container beside them.

    Each can be reached on loopback, also by its name. Raises WorkspaceError for one that cannot be started, wants the
    port of another or is not ready in time; none is left then. Raises Cancelled.
    """

    def __init__(self, daemon: Daemon, image: str, options: Options) -> None:
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
            with suppress(WorkspaceError), trouble():  # gone already, or a leftover that the next run removes
                container.remove(force=True, v=True)

    def _start_holder(self, image: str) -> Container:
        """It writes nothing, so its root is read-only, and its disk needs no watch."""
        small = replace(self._options, memory=_HOLDER_MEMORY, processes=16, read_only=False)
        return self._kept(image, read_only=True, **confinement(small))

    def _start(self, service: Service, image: str) -> Container:
        self._options.say(f"Starting the service {service.name}.")
        container = self._kept(
            image,
            entrypoint=None,
            command=shlex.split(service.command) or None,
            working_dir=None,
            environment=dict(service.env),
            **self.joined,
            log_config={"type": "json-file", "config": {"max-size": "5m", "max-file": "1"}},
            cap_add=list(RIGHTS),
            **confinement(replace(self._options, read_only=False)),
        )
        self._watches.append(DiskWatch(self._daemon, str(container.id), size(self._options.disk)))
        return container

    def _kept(self, image: str, **more: Any) -> Container:
        with trouble():
            container = self._daemon.start(image, **more)
        self._containers.append(container)
        return container

    def _wait(self, service: Service, container: Container, holder: Container, ports: Sequence[int]) -> None:
        end = time.monotonic() + service.seconds
        while not self._is_ready(service, container, holder, ports, end - time.monotonic()):
            if self._options.cancel.is_set():
                raise Cancelled("Interrupted while services started.", "`swe-agent resume` goes on from here.")
            if time.monotonic() > end:
                raise _failed(service, container, f"was not ready within {service.seconds:.0f} s")
            time.sleep(_TICK)

    def _is_ready(
        self, service: Service, container: Container, holder: Container, ports: Sequence[int], seconds: float
    ) -> bool:
        with trouble():
            container.reload()
            if container.status != "running":
                code = container.attrs["State"]["ExitCode"]
                raise _failed(service, container, f"ended with status {code} instead of getting ready")
        if service.ready:
            return self._run(container, service.ready, seconds).code == 0
        return not ports or bool(set(ports) & set(_listening(self._run(holder, _SOCKETS, seconds).text)))

    def _run(self, container: Container, script: str, seconds: float) -> Ran:
        return execute(self._daemon, str(container.id), script, self._options.cancel, seconds)


def _image(daemon: Daemon, service: Service, options: Options) -> tuple[str, tuple[int, ...]]:
    """Its id and the ports that it will listen at."""
    with trouble():
        image = source(daemon, replace(options, image=service.image))
    config = image.attrs.get("Config") or {}
    exposed = filter(None, map(_PORTS.fullmatch, config.get("ExposedPorts") or ()))
    ranges = [range(int(each[1]), int(each[2] or each[1]) + 1) for each in exposed]
    return str(image.id), service.ports or tuple(port for each in ranges for port in each)


def _check_ports(wanted: Sequence[tuple[Service, Sequence[int]]]) -> None:
    """A service with a command of its own may listen elsewhere than its image says; then it says so in its log."""
    owner: dict[int, str] = {}
    for service, ports in wanted:
        for port in ports if service.ports or not service.command else ():
            if port in owner:
                raise WorkspaceError(
                    f"The services {owner[port]} and {service.name} both want port {port}.",
                    f"Give one of them another: services.{service.name}.command and services.{service.name}.ports.",
                )
            owner[port] = service.name


def _listening(sockets: str) -> Iterator[int]:
    """The ports that anything in the namespace listens at, as the kernel tells them."""
    return (int(found[1], 16) for found in _LISTENS.finditer(sockets))


def _failed(service: Service, container: Container, how: str) -> WorkspaceError:
    with suppress(WorkspaceError), trouble():
        said = clean(container.logs(tail=_LINES)).strip()[-1500:]
        last = "Its last lines:\n" + said if said else "It said nothing."
        return WorkspaceError(f"The service {service.name} {how}. {last}", f"See to services.{service.name}.")
    return WorkspaceError(f"The service {service.name} {how}.", f"See to services.{service.name}.")
