"""What dead processes left is found and removed; what anybody uses stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from filelock import FileLock

import aci.docker.network_files
from aci.docker import leftover_cleanup
from aci.docker.docker_daemon import connect
from aci.docker.leftover_cleanup import clean_folders
from aci.docker.network_files import network_files
from aci.repository import process_owner
from tests.conftest import IMAGE

LONG_AGO = time.time() - 200_000


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def folder(path: Path, mode: int = 0o700, old: bool = True) -> Path:
    path.mkdir()
    (path / "file").write_bytes(b"x" * 8192)
    path.chmod(mode)
    if old:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def of_dead_process() -> str:
    return subprocess.run(
        [sys.executable, "-c", "from aci.repository.process_owner import own_mark; print(own_mark())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_folders_of_dead_go_and_others_stay(temporary):
    gone = [folder(temporary / name) for name in ("swe-agent-abcd_123", "swe-agent-base-abcd_123")]
    dead = folder(temporary / "swe-agent-local-dead", old=False)
    (dead / "owner").write_text(of_dead_process())
    mine = folder(temporary / "swe-agent-local-mine")
    (mine / "owner").write_text(process_owner.own_mark())
    kept = [
        mine,
        folder(temporary / "swe-agent-fresh_12", old=False),
        folder(temporary / "swe-agent-checkout", mode=0o755),
        folder(temporary / "swe-agent-my-notes-2"),
    ]
    (temporary / "swe-agent-linklink").symlink_to(kept[0])
    removed = clean_folders(temporary / "locks")[0]
    assert (removed.what, removed.count) == ("temporary folders", 3)
    assert removed.bytes >= 3 * 8192
    assert not any(path.exists() for path in (*gone, dead))
    assert all(path.exists() for path in kept)


def test_folder_that_others_can_write_is_not_taken_for_dead_workspace(temporary):
    """Another user could have linked an owner's file of ours into it."""
    dead = folder(temporary / "dead", old=False)
    (dead / "owner").write_text(of_dead_process())
    theirs = folder(temporary / "swe-agent-local-theirs", mode=0o777, old=False)
    (theirs / "owner").symlink_to(dead / "owner")
    link = temporary / "swe-agent-local-link"
    link.symlink_to(dead)
    assert clean_folders(temporary / "locks")[0].count == 0
    assert theirs.exists()
    assert link.is_symlink()


def test_lock_that_is_held_or_new_stays(temporary):
    locks = temporary / "locks"
    locks.mkdir()
    old, held, new = (locks / f"{name}.lock" for name in ("old", "held", "new"))
    for lock in (old, held, new):
        lock.touch()
    with FileLock(held):
        for lock in (old, held):
            os.utime(lock, (LONG_AGO, LONG_AGO))
        assert clean_folders(locks)[1].count == 1
        assert {lock.name for lock in locks.iterdir()} == {"held.lock", "new.lock"}


@pytest.mark.slow
@pytest.mark.docker
def test_containers_and_images(monkeypatch):
    """One of a dead process, one of an earlier boot that stands still, and one in use."""
    daemon = connect()
    try:
        monkeypatch.setattr(process_owner, "own_mark", lambda: "an-earlier-boot:1:1")
        earlier = daemon.start(IMAGE)
        running = daemon.start(IMAGE)
        monkeypatch.undo()
        used = daemon.start(IMAGE)
        make = "import sys; from aci.docker.docker_daemon import connect; print(connect().start(sys.argv[1]).id)"
        dead = subprocess.run([sys.executable, "-c", make, IMAGE], capture_output=True, text=True, check=True)
        earlier.kill()
        half_made = earlier.commit()
        monkeypatch.setattr(leftover_cleanup, "_HOUR", 0.0)
        monkeypatch.setattr(leftover_cleanup, "BASE", "swe-agent.no-such-label")  # those of others stay
        monkeypatch.setattr(aci.docker.network_files, "LABEL", f"swe-agent.test-{uuid.uuid4().hex}")
        names = [uuid.uuid4().hex, uuid.uuid4().hex]
        unused, mounted = (network_files(daemon, IMAGE, [name])[0]["Source"].split("/")[-3] for name in names)
        mounting = daemon.start(IMAGE, names=names[1:])
        time.sleep(1.1)  # both were made a whole second ago
        found = leftover_cleanup.clean_daemon(daemon)
        assert [each.what for each in found] == ["containers", "half-made images", "base images", "volumes"]
        assert found[0].count >= 1  # another process may be faster with the dead one's
        assert found[1].count >= 1
        assert found[3].count == 1
        volumes = {each["Name"] for each in daemon.client.api.volumes()["Volumes"]}
        assert (unused in volumes, mounted in volumes) == (False, True)
        there = {each.id for each in daemon.client.containers.list(all=True, ignore_removed=True)}
        assert {used.id, running.id} <= there
        assert not {earlier.id, dead.stdout.strip()} & there
        assert half_made.id not in daemon.client.api.images(all=True, quiet=True)
    finally:
        for container in (running, used, mounting):
            container.remove(force=True)
        daemon.client.volumes.get(mounted).remove()
        daemon.rest()
