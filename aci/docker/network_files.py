"""Read-only replacements for the files that Docker and Podman mount into every container.

Both mount /etc/hosts, /etc/resolv.conf and /etc/hostname from a folder of their own; Podman also mounts
/run/.containerenv. These files are writable, and no size that the daemon reports includes them, so a program could fill
the disk through them. Neither daemon mounts a file for which the container has a mount already. The replacements are in
a volume, which is written once for each set of host names.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import APIClient
    from docker.types import Mount

HOSTNAME = "workspace"
"""The host name of every container."""

VOLUME_PREFIX = "swe-agent-network-"
"""The prefix of the volumes' names."""

LABEL = "swe-agent.network-files"
"""The label of the volumes."""

_INSIDE = "/swe-agent-network-files"
_HOSTS = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""
_RESOLV = "nameserver 127.0.0.1\n"  # there is no network, but some programs refuse to start without a name server


def network_files(
    api: APIClient, labels: Mapping[str, str], image: str, names: Sequence[str], is_podman: bool, anew: bool = False
) -> list[Mount]:
    """Return the mounts for a container in which `names` also resolve to the loopback address.

    If their volume is missing, or if `anew` is true, it is created with these `labels` and written through a container
    of `image` that never starts. Raises docker.errors.DockerException.
    """
    from docker.errors import NotFound

    hosts = _HOSTS + "".join(f"127.0.0.1\t{name}\n" for name in names)
    files = {"/etc/hosts": hosts, "/etc/resolv.conf": _RESOLV, "/etc/hostname": f"{HOSTNAME}\n"}
    if is_podman:
        files["/run/.containerenv"] = ""
    volume = f"{VOLUME_PREFIX}{hashlib.sha256(repr(files).encode()).hexdigest()[:16]}"
    try:
        folder = api.inspect_volume(volume)["Mountpoint"]
    except NotFound:
        folder, anew = api.create_volume(volume, labels={LABEL: "1"})["Mountpoint"], True
    if anew:
        _write(api, image, volume, files, labels)
    return [_mount(f"{folder}/{_name(path)}", path) for path in files]


def unused_volumes(api: APIClient) -> list[str]:
    """Return the names of volumes whose files no container mounts. The files are written again when such a volume is
    next used.

    Raises docker.errors.DockerException.
    """
    volumes = api.volumes(filters={"label": LABEL})["Volumes"] or ()
    # containers mount single files of a volume, which a daemon does not count as use of the volume
    containers = api.containers(all=True)
    used = {mount.get("Source", "").rpartition("/")[0] for each in containers for mount in each.get("Mounts") or ()}
    return [each["Name"] for each in volumes if each["Mountpoint"] not in used]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _mount(source: str, target: str) -> Mount:
    from docker.types import Mount

    return Mount(target, source, type="bind", read_only=True)


def _write(api: APIClient, image: str, volume: str, files: dict[str, str], labels: Mapping[str, str]) -> None:
    host = api.create_host_config(network_mode="none", binds=[f"{volume}:{_INSIDE}:z,nocopy"])
    container = api.create_container(image, ["true"], entrypoint=[], host_config=host, labels=dict(labels))["Id"]
    try:
        api.put_archive(container, _INSIDE, _archive(files))
    finally:
        api.remove_container(container, force=True, v=True)


def _archive(files: dict[str, str]) -> bytes:
    with io.BytesIO() as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, text in files.items():
                entry = tarfile.TarInfo(_name(path))
                entry.size, entry.mode = len(text), 0o644
                tar.addfile(entry, io.BytesIO(text.encode()))
        return archive.getvalue()
