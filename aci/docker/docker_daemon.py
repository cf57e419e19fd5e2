"""The Docker daemon: how it is found, what its errors become, and containers of ours in it."""

from __future__ import annotations

import os
import posixpath
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci import owner
from aci.network_files import HOSTNAME, VOLUME, network_files
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.types import Mount

LABEL, OWNER = "swe-agent", "swe-agent.owner"
BASE = "swe-agent.root"
"""The label that base images have, and no other: where their repository lies."""

_SOCKET = "unix:///var/run/docker.sock"
_PATIENCE = 600  # seconds for one answer: a large image takes its time to commit
_AT_A_TIME = 4
_SELDOM = 10.0  # seconds between two looks for leftovers
_IDLE = ["sh", "-c", "while :; do sleep 3600; done"]
_OPEN_FILES = "rlimit type 7"
_VOLUME = "exec,size=1g"  # memory, so what is written there counts against the container's
_FIX = "Start Docker, or use --workspace local."


_under_way: set[Future[None]] = set()
_looked: dict[str, float] = {}
_podman: dict[str, bool] = {}
_spoken: dict[str, str] = {}
"""What version of its protocol the daemon at an address speaks: asked for it, a daemon starts programs of its own."""


@cache
def _background() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="docker")


def all_discarded(seconds: float | None = None) -> None:
    """Wait until all that was left for later is done: every container that this process discarded is gone."""
    wait(list(_under_way), seconds)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that answers at `address`."""

    client: DockerClient
    address: str

    def environment(self) -> dict[str, str]:
        """The environment in which the `docker` command talks to this daemon."""
        return {**{k: v for k, v in os.environ.items() if k != "DOCKER_CONTEXT"}, "DOCKER_HOST": self.address}

    def start(self, image: str, names: Sequence[str] = (), **more: Any) -> Container:
        """A container of `image` that idles without network, labelled as this process's.

        Its loopback also has these `names`. The files that a daemon mounts into every container cannot be written.
        What the image declares a volume lies in memory, empty at first: no limit holds for a volume on the disk.
        A daemon that may itself open fewer files than `more` allows has a lower limit already: theirs is dropped. One
        that takes a seccomp profile for a file's name, as Podman does, has its own.
        """
        from docker.errors import APIError

        try:
            return self._start(image, names, more)
        except APIError as error:
            profiles = [each for each in more.get("security_opt", ()) if each.startswith("seccomp={")]
            if profiles and "seccomp" in said(error):
                kept = [each for each in more["security_opt"] if each not in profiles]
                return self.start(image, names, **{**more, "security_opt": kept})
            if _OPEN_FILES not in said(error):
                raise
            fewer = [limit for limit in more.pop("ulimits") if limit.name != "nofile"]
            return self._start(image, names, {**more, "ulimits": fewer})

    def _start(self, image: str, names: Sequence[str], more: dict[str, Any]) -> Container:
        from docker.errors import APIError

        try:
            return self._started(image, network_files(self, image, names), more)
        except APIError as error:
            if VOLUME not in said(error):
                raise
            return self._started(image, network_files(self, image, names, anew=True), more)  # it was incomplete

    def _started(self, image: str, mounts: list[Mount], more: dict[str, Any]) -> Container:
        idle: dict[str, Any] = {
            "entrypoint": _IDLE,
            "command": [],
            "working_dir": "/",
            "network_mode": "none",
            "log_config": {"type": "none", "config": {}},  # what is said in it cannot fill this machine's disk
        }
        own = [posixpath.normpath(path) for path in more.get("volumes", ())]
        volumes = {path: _VOLUME for path in self._declared(image) if path not in own}
        if not more.get("network_mode", "").startswith("container:"):  # it has the other's
            idle["hostname"] = HOSTNAME
        container = self.client.containers.create(
            image,
            tty=False,
            use_config_proxy=False,  # of `docker login`'s file; they may hold a password
            name=f"swe-agent-{uuid.uuid4().hex[:12]}",
            labels=self.labels(),
            mounts=mounts,
            **{**idle, **more, "tmpfs": volumes | more.get("tmpfs", {})},
        )
        try:
            _refuse_volumes(container, own)
            container.start()
        except BaseException:
            container.remove(force=True, v=True)
            raise
        return container

    def _declared(self, image: str) -> list[str]:
        """The folders that an image wants to be volumes."""
        config = self.client.images.get(image).attrs.get("Config") or {}
        return [posixpath.normpath(path) for path in config.get("Volumes") or ()]

    def labels(self) -> dict[str, str]:
        """The labels of this process's containers, by which they are removed if it does not live to do it."""
        return {LABEL: "1", OWNER: owner.me()}

    def is_podman(self) -> bool:
        """Whether the daemon is Podman's, as its answers say."""
        if self.address not in _podman:
            api = self.client.api
            headers = api.head(f"{api.base_url}/_ping", timeout=api.timeout).headers
            _podman[self.address] = "Libpod-API-Version" in headers
        return _podman[self.address]

    def again(self) -> Daemon:
        """Another client of the same daemon, for another thread. Raises WorkspaceError where it does not answer."""
        if other := _at(self.address):
            return other
        raise WorkspaceError("Docker is not running any more: its daemon does not answer.", _FIX)

    def discard(self, container: str) -> None:
        """Remove the container with this id, `later`; what cannot be removed is a leftover."""
        self.later(lambda other: other.client.api.remove_container(container, force=True, v=True))

    def later(self, do: Callable[[Daemon], object]) -> None:
        """Have it done in a thread, with a client of its own, whether it succeeds or not: to remove a container takes
        the kernel 50 ms that nobody has to wait for. A process that ends waits for what it left to be done."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        def done() -> None:
            with suppress(WorkspaceError, DockerException, RequestException):
                other = self.again()
                try:
                    do(other)
                finally:
                    other.rest()

        try:
            task = _background().submit(done)
        except RuntimeError:  # the interpreter ends
            done()
        else:
            _under_way.add(task)
            task.add_done_callback(_under_way.discard)

    def rest(self) -> None:
        """Close the connections to the daemon; the next request opens one again."""
        self.client.close()

    def tidy(self) -> None:
        """`remove_leftovers`, `later`, and now and then only, however many workspaces a process opens."""
        if time.monotonic() >= _looked.get(self.address, -_SELDOM) + _SELDOM:
            _looked[self.address] = time.monotonic()
            self.later(Daemon.remove_leftovers)

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
def trouble(fix: str = "See `swe-agent doctor`, then try again.") -> Iterator[None]:
    """What the daemon complains of, as a WorkspaceError."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        raise WorkspaceError(f"Docker failed: {said(error)}.", fix) from error


def said(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip().rstrip(".")[:500]


def _refuse_volumes(container: Container, own: list[str]) -> None:
    """An image may declare a folder by a name of which its daemon makes another."""
    for mount in container.attrs["Mounts"]:
        if mount["Type"] == "volume" and mount["Destination"] not in own:
            raise WorkspaceError(
                f"The image declares {mount['Destination']} a volume, by a name that is not its own.",
                "Build it with that folder's real path behind VOLUME, or name another with --image.",
            )


def _of_context() -> str:
    """The address in use by `docker context`: Docker Desktop, Colima and rootless daemons have their own."""
    if not os.environ.get("DOCKER_CONTEXT") and not _has_chosen_context():
        return ""
    asked = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _has_chosen_context() -> bool:
    """Whether the user's configuration names a context; asking `docker` takes a process of 30 ms."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        return '"currentContext"' in (folder / "config.json").read_text("utf-8", "replace")
    except OSError:
        return False


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
    version = _spoken.get(address)
    try:
        client = docker.from_env(version=version, timeout=_PATIENCE, environment={**os.environ, "DOCKER_HOST": address})
    except (DockerException, RequestException):
        return None
    try:
        client.api.trust_env = not address.startswith("unix:")  # no proxy leads to a socket, and others may change it
        client.ping()
    except (DockerException, RequestException):
        client.close()
        _spoken.pop(address, None)  # it may come back as another one
        return None
    _spoken[address] = client.api.api_version
    return Daemon(client, address)
