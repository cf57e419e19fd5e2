"""Finding the Docker daemon: whether one listens, and why it cannot be used."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aci.docker import docker_daemon
from aci.docker.docker_daemon import OTHER_WORKSPACE, connect, daemon_listens
from trajectories.errors import WorkspaceError


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The path of a socket that the `docker` command would use; nothing listens there."""
    program = tmp_path / "bin/docker"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/d.sock")
    yield tmp_path / "d.sock"
    docker_daemon._api_versions.clear()


@pytest.fixture
def listening(address: Path) -> Iterator[Path]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        server.listen()
        yield address


def test_daemon_that_listens_is_found_without_docker_library(listening: Path) -> None:
    assert daemon_listens()


def test_nothing_listens_at_missing_or_dead_socket(address: Path) -> None:
    assert not daemon_listens()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
    assert address.exists()
    assert not daemon_listens()


def test_daemon_is_not_used_without_docker_command(listening: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(listening.parent))
    assert not daemon_listens()
    with pytest.raises(WorkspaceError, match="there is no `docker` command") as caught:
        connect()
    assert f"--workspace {OTHER_WORKSPACE}" in caught.value.fix


def test_daemon_on_another_machine_may_listen(address: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://somewhere")
    assert daemon_listens()


def test_daemon_that_does_not_listen_is_reported(address: Path) -> None:
    with pytest.raises(WorkspaceError, match="its daemon does not answer") as caught:
        connect()
    assert f"--workspace {OTHER_WORKSPACE}" in caught.value.fix


def test_socket_without_permission_is_named(listening: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listening.chmod(0)
    if os.geteuid() == 0:  # root may use every socket
        monkeypatch.setattr(socket.socket, "connect_ex", lambda self, path: 13)
        monkeypatch.setattr(os, "access", lambda path, mode, **more: mode != os.W_OK)
    assert not daemon_listens()
    with pytest.raises(WorkspaceError, match=f"no permission to write to {listening}") as caught:
        connect()
    assert "Add yourself to the group `docker`" in caught.value.fix
    assert f"--workspace {OTHER_WORKSPACE}" in caught.value.fix


def test_root_is_not_told_to_use_the_sandbox() -> None:
    is_offered = OTHER_WORKSPACE.startswith("sandbox")
    assert is_offered == (sys.platform == "linux" and os.geteuid() != 0)
