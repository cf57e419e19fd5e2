"""The Docker daemon: how it is found, what its errors become, and containers of ours in it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aci import owner
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

LABEL, OWNER = "swe-agent", "swe-agent.owner"
_SOCKET = "unix:///var/run/docker.sock"
_PATIENCE = 600  # seconds for one answer: a large image takes its time to commit
_IDLE = ["sh", "-c", "while :; do sleep 3600; done"]
_FIX = "Start Docker, or use --workspace local."


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that answers at `address`."""

    client: DockerClient
    address: str

    def environment(self) -> dict[str, str]:
        """The environment in which the `docker` command talks to this daemon."""
        return {**{k: v for k, v in os.environ.items() if k != "DOCKER_CONTEXT"}, "DOCKER_HOST": self.address}

    def start(self, image: str, **more: Any) -> Container:
        """A container of `image` that idles without network, labelled as this process's."""
        container = self.client.containers.create(
            image,
            entrypoint=_IDLE,
            command=[],
            tty=False,
            network_mode="none",
            use_config_proxy=False,  # of `docker login`'s file; they may hold a password
            working_dir="/",
            name=f"swe-agent-{uuid.uuid4().hex[:12]}",
            labels={LABEL: "1", OWNER: owner.me()},
            **more,
        )
        try:
            container.start()
        except BaseException:
            container.remove(force=True, v=True)
            raise
        return container

    def rest(self) -> None:
        """Close the connections to the daemon; the next request opens one again."""
        self.client.close()

    def remove_leftovers(self) -> None:
        """Remove the containers, and half-made images, of processes that did not live to do it."""
        from docker.errors import APIError

        ours = {"label": [f"{LABEL}=1", OWNER]}
        for found in self.client.api.containers(all=True, filters=ours):
            if owner.gone(found["Labels"][OWNER]):
                with suppress(APIError):  # another process was faster
                    self.client.api.remove_container(found["Id"], force=True, v=True)
        for found in self.client.api.images(filters={**ours, "dangling": True}):
            if owner.gone(found["Labels"][OWNER]):
                with suppress(APIError):
                    self.client.api.remove_image(found["Id"])


def connect() -> Daemon:
    """The daemon that the `docker` command talks to. Raises WorkspaceError where there is none."""
    if not shutil.which("docker"):
        raise WorkspaceError("Docker is not installed: there is no `docker` command.", _FIX)
    addresses = [os.environ["DOCKER_HOST"]] if os.environ.get("DOCKER_HOST") else [_of_context(), _SOCKET]
    for address in filter(None, addresses):
        if daemon := _at(address):
            return daemon
    raise WorkspaceError("Docker is not running: its daemon does not answer.", _FIX)


@contextmanager
def trouble() -> Iterator[None]:
    """What the daemon complains of, as a WorkspaceError."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        raise WorkspaceError(f"Docker failed: {said(error)}.", "See `swe-agent doctor`, then try again.") from error


def said(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip().rstrip(".")[:500]


def _of_context() -> str:
    """The address in use by `docker context`: Docker Desktop, Colima and rootless daemons have their own."""
    asked = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _listens(address: str) -> bool:
    """False if `address` is a socket that nobody listens at; docker-py would leak one in finding out."""
    scheme, _, path = address.partition("://")
    if scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def _at(address: str) -> Daemon | None:
    import docker
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    if not _listens(address):
        return None
    try:
        client = docker.from_env(timeout=_PATIENCE, environment={**os.environ, "DOCKER_HOST": address})
    except (DockerException, RequestException):
        return None
    try:
        client.ping()
    except (DockerException, RequestException):
        client.close()
        return None
    return Daemon(client, address)
