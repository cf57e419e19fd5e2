"""The floor of free space below which a container is ended."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from aci.docker import disk_space
from aci.docker.disk_space import RESERVE, DiskSpace, local_folders

HERE = platform.node()


def space_of(monkeypatch: pytest.MonkeyPatch, *free: int) -> DiskSpace:
    answers = iter(free)
    monkeypatch.setattr(disk_space, "free_bytes", lambda folder: next(answers))
    return DiskSpace(["/"])


def test_less_than_reserve_is_too_little(monkeypatch):
    space = space_of(monkeypatch, 9 * RESERVE, RESERVE, RESERVE - 1)
    assert [space.is_short(), space.is_short()] == [False, True]


def test_where_little_is_free_half_of_it_may_be_used(monkeypatch):
    space = space_of(monkeypatch, 1000, 500, 499)
    assert [space.is_short(), space.is_short()] == [False, True]


def test_floor_rises_again_with_free_space(monkeypatch):
    space = space_of(monkeypatch, 9 * RESERVE, 1000, 1000, 500, 499, 9 * RESERVE, RESERVE - 1)
    assert space.is_short()
    space.lower_floor()
    assert [space.is_short() for _ in range(4)] == [False, True, False, True]


def test_disk_that_cannot_be_looked_at_is_never_short(tmp_path):
    assert not DiskSpace([]).is_short()
    assert not DiskSpace([str(tmp_path / "none")]).is_short()


def test_daemon_on_another_machine_has_no_folder_here(tmp_path):
    assert local_folders({"Name": HERE, "DockerRootDir": str(tmp_path)}) == (str(tmp_path),)
    assert local_folders({"Name": f"{HERE}-2", "DockerRootDir": str(tmp_path)}) == ()
    assert local_folders({"Name": HERE, "DockerRootDir": str(tmp_path / "none")}) == ()
    assert local_folders({}) == ()


def test_containerd_has_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_space, "_CONTAINERD", str(tmp_path / "containerd"))
    (tmp_path / "containerd").mkdir()
    info = {"Name": HERE, "DockerRootDir": str(tmp_path), "DriverStatus": [["driver-type", "overlayfs"]]}
    assert local_folders(info) == (str(tmp_path),)
    info["DriverStatus"] = [["driver-type", "io.containerd.snapshotter.v1"]]
    assert local_folders(info) == (str(tmp_path), str(tmp_path / "containerd"))


def test_of_folder_out_of_reach_one_above_is_used(tmp_path):
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    closed.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        [found] = local_folders({"Name": HERE, "DockerRootDir": str(closed / "data")})
        assert Path(found) in (closed / "data").parents
        assert not DiskSpace([found]).is_short()
    finally:
        os.seteuid(user)
        closed.chmod(0o700)
