"""The read-only files that take the place of those that Docker mounts: how their volume is written."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from aci.docker.docker_daemon import Daemon, connect
from aci.docker.network_files import network_files
from tests.conftest import IMAGE

pytestmark = pytest.mark.docker


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    found = connect()
    yield found
    found.rest()


@pytest.fixture
def name(daemon: Daemon) -> Iterator[str]:
    """A host name that has a volume of its own."""
    name = f"host-{uuid.uuid4().hex}"
    yield name
    daemon.client.volumes.get(volume(daemon, name)).remove()


def volume(daemon: Daemon, name: str) -> str:
    source = network_files(daemon, IMAGE, [name])[0]["Source"]
    return str(source).split("/")[-3]


def hosts(daemon: Daemon, name: str) -> str:
    container = daemon.start(IMAGE, names=[name])
    try:
        return str(container.exec_run(["cat", "/etc/hosts"]).output.decode())
    finally:
        container.remove(force=True)


def test_container_that_writes_volume_is_labelled(
    daemon: Daemon, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is removed as a leftover if the process is killed in between."""
    monkeypatch.setattr(daemon.client.api, "remove_container", lambda *_, **__: None)
    old = volume(daemon, name)
    monkeypatch.undo()
    (left,) = (each for each in daemon.client.api.containers(all=True) if old in str(each["Mounts"]))
    daemon.client.api.remove_container(left["Id"])
    assert left["Labels"].items() >= daemon.labels().items()


@pytest.mark.slow
@pytest.mark.parametrize("empty", [False, True])
def test_volume_that_user_removed_is_written_again(daemon: Daemon, name: str, empty: bool) -> None:
    """`docker volume prune` removes it while no container starts; a process may end before it has written it."""
    assert f"127.0.0.1\t{name}\n" in hosts(daemon, name)
    old = volume(daemon, name)
    daemon.client.volumes.get(old).remove()
    if empty:
        daemon.client.volumes.create(old)
    assert f"127.0.0.1\t{name}\n" in hosts(daemon, name)
    assert not [each for each in daemon.client.containers.list(all=True) if old in str(each.attrs["HostConfig"])]
