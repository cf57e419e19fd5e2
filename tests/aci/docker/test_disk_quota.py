"""The floor of free disk space below which a container is removed."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from aci.docker import disk_quota
from aci.docker.disk_quota import RESERVED_BYTES, DiskSpace, local_folders

HOST = platform.node()


def disk_space_with(monkeypatch: pytest.MonkeyPatch, *free: int) -> DiskSpace:
    answers = iter(free)
    monkeypatch.setattr(disk_quota, "free_bytes", lambda folder: next(answers))
    return DiskSpace(["/"])


def test_disk_is_short_below_reserve(monkeypatch):
    space = disk_space_with(monkeypatch, 9 * RESERVED_BYTES, RESERVED_BYTES, RESERVED_BYTES - 1)
    assert [space.is_short(), space.is_short()] == [False, True]


def test_half_of_free_space_is_usable_if_it_is_below_reserve(monkeypatch):
    space = disk_space_with(monkeypatch, 1000, 500, 499)
    assert [space.is_short(), space.is_short()] == [False, True]


def test_floor_rises_again_with_free_space(monkeypatch):
    space = disk_space_with(
        monkeypatch, 9 * RESERVED_BYTES, 1000, 1000, 500, 499, 9 * RESERVED_BYTES, RESERVED_BYTES - 1
    )
    assert space.is_short()
    space.reset_floor()
    assert [space.is_short() for _ in range(4)] == [False, True, False, True]


def test_unreadable_disk_is_never_short(tmp_path):
    assert not DiskSpace([]).is_short()
    assert not DiskSpace([str(tmp_path / "none")]).is_short()


def test_daemon_on_other_machine_has_no_local_folder(tmp_path):
    assert local_folders({"Name": HOST, "DockerRootDir": str(tmp_path)}) == (str(tmp_path),)
    assert local_folders({"Name": f"{HOST}-2", "DockerRootDir": str(tmp_path)}) == ()
    assert local_folders({"Name": HOST, "DockerRootDir": str(tmp_path / "none")}) == ()
    assert local_folders({}) == ()


def test_containerd_folder_is_included(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_quota, "_CONTAINERD", str(tmp_path / "containerd"))
    (tmp_path / "containerd").mkdir()
    info = {"Name": HOST, "DockerRootDir": str(tmp_path), "DriverStatus": [["driver-type", "overlayfs"]]}
    assert local_folders(info) == (str(tmp_path),)
    info["DriverStatus"] = [["driver-type", "io.containerd.snapshotter.v1"]]
    assert local_folders(info) == (str(tmp_path), str(tmp_path / "containerd"))


def test_unreadable_folder_is_replaced_by_parent(tmp_path):
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    closed.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        [nearest] = local_folders({"Name": HOST, "DockerRootDir": str(closed / "data")})
        assert Path(nearest) in (closed / "data").parents
        assert not DiskSpace([nearest]).is_short()
    finally:
        os.seteuid(user)
        closed.chmod(0o700)
