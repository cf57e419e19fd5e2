"""The volume of read-only replacements for the files that Docker mounts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from aci.docker.docker_daemon import Daemon, connect
from tests.conftest import IMAGE

pytestmark = pytest.mark.docker


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    client = connect()
    yield client
    client.rest()


@pytest.fixture
def name(daemon: Daemon) -> Iterator[str]:
    """A host name for which no other test has a volume."""
    name = f"host-{uuid.uuid4().hex}"
    yield name
    daemon.client.volumes.get(volume_name(daemon, name)).remove()


def volume_name(daemon: Daemon, name: str) -> str:
    source = daemon.network_files(IMAGE, [name])[0]["Source"]
    return str(source).split("/")[-3]


def read_hosts_file(daemon: Daemon, name: str) -> str:
    container = daemon.start(IMAGE, names=[name])
    try:
        return str(container.exec_run(["cat", "/etc/hosts"]).output.decode())
    finally:
        container.remove(force=True)


def test_container_for_writing_volume_is_labelled(daemon: Daemon, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The labels let other processes remove it if this process is killed meanwhile."""
    monkeypatch.setattr(daemon.client.api, "remove_container", lambda *_, **__: None)
    old = volume_name(daemon, name)
    monkeypatch.undo()
    (leftover,) = (each for each in daemon.client.api.containers(all=True) if old in str(each["Mounts"]))
    daemon.client.api.remove_container(leftover["Id"])
    assert leftover["Labels"].items() >= daemon.labels().items()


@pytest.mark.slow
@pytest.mark.parametrize("empty", [False, True])
def test_removed_volume_is_written_again(daemon: Daemon, name: str, empty: bool) -> None:
    """`docker volume prune` removes the volume while no container runs. A killed process leaves it empty."""
    assert f"127.0.0.1\t{name}\n" in read_hosts_file(daemon, name)
    old = volume_name(daemon, name)
    daemon.client.volumes.get(old).remove()
    if empty:
        daemon.client.volumes.create(old)
    assert f"127.0.0.1\t{name}\n" in read_hosts_file(daemon, name)
    assert not [each for each in daemon.client.containers.list(all=True) if old in str(each.attrs["HostConfig"])]
