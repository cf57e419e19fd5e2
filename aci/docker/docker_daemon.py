"""The Docker daemon: finding it, converting its errors, and starting and removing containers."""

from __future__ import annotations

import os
import posixpath
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.docker.network_files import HOSTNAME, VOLUME_PREFIX, network_files
from aci.repository import process_owner
from trajectories.errors import WorkspaceError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.types import Mount

LABEL, OWNER_LABEL = "swe-agent", "swe-agent.owner"
BASE = "swe-agent.root"
"""The label of base images only. Its value is the folder of the repository."""

_SOCKET = "unix:///var/run/docker.sock"
_TIMEOUT = 600  # time limit in seconds for a response: committing a large image is slow
_MAX_THREADS = 4
_TIDY_INTERVAL = 10.0  # seconds between two searches for leftovers
_IDLE = ["sh", "-c", "while :; do sleep 3600; done"]
_OPEN_FILES = "rlimit type 7"
_VOLUME = "exec,size=1g"  # in memory, so its files count towards the container's memory limit
OTHER_WORKSPACE = (
    "sandbox, which needs bubblewrap, or local, which has no isolation"
    if sys.platform == "linux" and os.geteuid() != 0
    else "local, which has no isolation"
)
"""The workspaces that need no Docker, as the value of `--workspace`; the sandbox refuses root."""

_FIX = f"Start Docker, or use --workspace {OTHER_WORKSPACE}."


_pending_tasks: set[Future[None]] = set()
_last_tidied: dict[str, float] = {}
_podman: dict[str, bool] = {}
_api_versions: dict[str, str] = {}
"""The API versions of daemons by address. They are cached, since the request makes a daemon start programs."""


@cache
def _background() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="docker")


def all_discarded(seconds: float | None = None) -> None:
    """Wait until all background tasks are done, so that every container that this process discarded is removed."""
    wait(list(_pending_tasks), seconds)


@dataclass(frozen=True, slots=True)
class Daemon:
    """The daemon at `address`."""

    client: DockerClient
    address: str

    def environment(self) -> dict[str, str]:
        """Return the environment in which the `docker` command uses this daemon."""
        return {**{k: v for k, v in os.environ.items() if k != "DOCKER_CONTEXT"}, "DOCKER_HOST": self.address}

    def start(self, image: str, names: Sequence[str] = (), **more: Any) -> Container:
        """Start an idle container of `image` without network, labelled with this process.

        In it, `names` also resolve to the loopback address. The files that a daemon mounts into every container are
        read-only. The image's volumes are empty folders in memory, because limits do not apply to volumes on the disk.
        If the daemon itself may open fewer files than the limit in `more`, that limit is dropped. If it expects a file
        name instead of a seccomp profile, as Podman does, its own profile is used.
        """
        from docker.errors import APIError

        try:
            return self._start(image, names, more)
        except APIError as error:
            profiles = [each for each in more.get("security_opt", ()) if each.startswith("seccomp={")]
            if profiles and "seccomp" in error_message(error):
                options = [each for each in more["security_opt"] if each not in profiles]
                return self.start(image, names, **{**more, "security_opt": options})
            if _OPEN_FILES not in error_message(error):
                raise
            fewer = [limit for limit in more.pop("ulimits") if limit.name != "nofile"]
            return self._start(image, names, {**more, "ulimits": fewer})

    def _start(self, image: str, names: Sequence[str], more: dict[str, Any]) -> Container:
        from docker.errors import APIError

        try:
            return self._create_and_start(image, self.network_files(image, names), more)
        except APIError as error:
            if VOLUME_PREFIX not in error_message(error):
                raise
            mounts = self.network_files(image, names, anew=True)  # files are missing from the volume
            return self._create_and_start(image, mounts, more)

    def network_files(self, image: str, names: Sequence[str], anew: bool = False) -> list[Mount]:
        """Return the mounts of `network_files` for a container of this daemon."""
        return network_files(self.client.api, self.labels(), image, names, self.is_podman(), anew)

    def _create_and_start(self, image: str, mounts: list[Mount], more: dict[str, Any]) -> Container:
        idle: dict[str, Any] = {
            "entrypoint": _IDLE,
            "command": [],
            "working_dir": "/",
            "network_mode": "none",
            # No log is kept, since a container's output could fill this machine's disk.
            "log_config": {"type": "none", "config": {}},
        }
        own = [posixpath.normpath(path) for path in more.get("volumes", ())]
        volumes = {path: _VOLUME for path in self._declared_volumes(image) if path not in own}
        # Otherwise it has the host name of that container.
        if not more.get("network_mode", "").startswith("container:"):
            idle["hostname"] = HOSTNAME
        container = self.client.containers.create(
            image,
            tty=False,
            use_config_proxy=False,  # the proxies in Docker's configuration file may contain a password
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

    def _declared_volumes(self, image: str) -> list[str]:
        """Return the folders that an image declares as volumes."""
        config = self.client.images.get(image).attrs.get("Config") or {}
        return [posixpath.normpath(path) for path in config.get("Volumes") or ()]

    def labels(self) -> dict[str, str]:
        """Return the labels of the containers that this process starts. If this process dies, another process uses the
        labels to find and remove them."""
        return {LABEL: "1", OWNER_LABEL: process_owner.own_mark()}

    def is_podman(self) -> bool:
        """Return whether the headers of the daemon's responses show that it is Podman."""
        if self.address not in _podman:
            api = self.client.api
            headers = api.head(f"{api.base_url}/_ping", timeout=api.timeout).headers
            _podman[self.address] = "Libpod-API-Version" in headers
        return _podman[self.address]

    def again(self) -> Daemon:
        """Return another client of the same daemon, for another thread. Raises WorkspaceError if it does not answer."""
        if other := _open_client(self.address):
            return other
        raise WorkspaceError("Docker is not running any more: its daemon does not answer.", _FIX)

    def discard(self, container: str) -> None:
        """Remove the container with this id in the background. If that fails, a later clean-up removes it."""
        self.later(lambda other: other.client.api.remove_container(container, force=True, v=True))

    def later(self, do: Callable[[Daemon], object]) -> None:
        """Run `do` in a thread with its own client, and ignore errors of the daemon.

        Removing a container takes the kernel 50 ms, for which no caller needs to wait. A process waits for its
        background tasks before it ends.
        """
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        def run() -> None:
            with suppress(WorkspaceError, DockerException, RequestException):
                other = self.again()
                try:
                    do(other)
                finally:
                    other.rest()

        try:
            task = _background().submit(run)
        except RuntimeError:  # the interpreter is shutting down
            run()
        else:
            _pending_tasks.add(task)
            task.add_done_callback(_pending_tasks.discard)

    def rest(self) -> None:
        """Close the connections to the daemon. The next request opens a new one."""
        self.client.close()

    def tidy(self) -> None:
        """Run `remove_leftovers` in the background, at most once every 10 seconds."""
        if time.monotonic() >= _last_tidied.get(self.address, -_TIDY_INTERVAL) + _TIDY_INTERVAL:
            _last_tidied[self.address] = time.monotonic()
            self.later(Daemon.remove_leftovers)

    def remove_leftovers(self) -> None:
        """Remove the containers and half-made images of dead processes."""
        from docker.errors import APIError

        owned = {"label": [f"{LABEL}=1", OWNER_LABEL]}
        for found in self.client.api.containers(all=True, filters=owned):
            if process_owner.has_ended(found["Labels"][OWNER_LABEL]):
                with suppress(APIError):  # another process may have removed it
                    self.client.api.remove_container(found["Id"], force=True, v=True)
        for found in self.client.api.images(filters={**owned, "dangling": True}):
            if process_owner.has_ended(found["Labels"][OWNER_LABEL]):
                with suppress(APIError):
                    self.client.api.remove_image(found["Id"])


def connect() -> Daemon:
    """Return the daemon that the `docker` command uses. Raises WorkspaceError if there is none."""
    if not shutil.which("docker"):
        raise WorkspaceError(
            "Docker is not installed: there is no `docker` command.",
            f"Install and start it (on Debian: apt install docker.io), or use --workspace {OTHER_WORKSPACE}.",
        )
    addresses = _addresses()
    for address in addresses:
        if daemon := _open_client(address):
            return daemon
    for path in (Path(address.removeprefix("unix://")) for address in addresses):
        if path.exists() and not os.access(path, os.W_OK):
            fix = f"Add yourself to the group `docker` and log in again, or use --workspace {OTHER_WORKSPACE}."
            raise WorkspaceError(f"Docker cannot be used: you have no permission to write to {path}.", fix)
    raise WorkspaceError("Docker is not running: its daemon does not answer.", _FIX)


def daemon_listens() -> bool:
    """Return whether a daemon may answer, without loading Docker's library or waiting for one."""
    return bool(shutil.which("docker")) and any(map(_listens, _addresses()))


def _addresses() -> list[str]:
    """Return the addresses at which the daemon of the `docker` command may be, the likeliest first."""
    addresses = [os.environ["DOCKER_HOST"]] if os.environ.get("DOCKER_HOST") else [_context_address(), _SOCKET]
    return list(filter(None, addresses))


@contextmanager
def docker_errors(fix: str = "See `swe-agent doctor`, then try again.") -> Iterator[None]:
    """Convert errors of the daemon in the context into WorkspaceError."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        raise WorkspaceError(f"Docker failed: {error_message(error)}.", fix) from error


def error_message(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip().rstrip(".")[:500]


def _refuse_volumes(container: Container, own: list[str]) -> None:
    """Raise WorkspaceError if the container still has a volume, since the daemon may have resolved the declared path to
    another folder."""
    for mount in container.attrs["Mounts"]:
        if mount["Type"] == "volume" and mount["Destination"] not in own:
            raise WorkspaceError(
                f"The image declares {mount['Destination']} a volume, by a path that is not its real path.",
                "Build it with that folder's real path after VOLUME, or name another with --image.",
            )


def _context_address() -> str:
    """Return the address of the current `docker context`, which Docker Desktop, Colima and rootless daemons set."""
    if not os.environ.get("DOCKER_CONTEXT") and not _has_chosen_context():
        return ""
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _has_chosen_context() -> bool:
    """Return whether the user's configuration names a context. If it names none, no `docker` process is needed, which
    would take 30 ms."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        return '"currentContext"' in (folder / "config.json").read_text("utf-8", "replace")
    except OSError:
        return False


def _listens(address: str) -> bool:
    """Return false if `address` is a Unix socket without a listener; docker-py would leak a socket in this case."""
    scheme, _, path = address.partition("://")
    if scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def _open_client(address: str) -> Daemon | None:
    import docker
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    if not _listens(address):
        return None
    version = _api_versions.get(address)
    try:
        client = docker.from_env(version=version, timeout=_TIMEOUT, environment={**os.environ, "DOCKER_HOST": address})
    except (DockerException, RequestException):
        return None
    try:
        client.api.trust_env = not address.startswith("unix:")  # proxies do not apply to a Unix socket
        client.ping()
    except (DockerException, RequestException):
        client.close()
        _api_versions.pop(address, None)  # the next daemon at this address may have another version
        return None
    _api_versions[address] = client.api.api_version
    return Daemon(client, address)
