"""Removal of what dead processes left; anything in use stays."""

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
from aci.docker.docker_daemon import connect
from aci.repository import process_owner
from extensions.housekeeping import leftover_cleanup
from extensions.housekeeping.leftover_cleanup import clean_folders
from tests.conftest import IMAGE

LONG_AGO = time.time() - 200_000


@pytest.fixture
def temp_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def make_folder(path: Path, mode: int = 0o700, old: bool = True) -> Path:
    path.mkdir()
    (path / "file").write_bytes(b"x" * 8192)
    path.chmod(mode)
    if old:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def mark_of_dead_process() -> str:
    return subprocess.run(
        [sys.executable, "-c", "from aci.repository.process_owner import own_mark; print(own_mark())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_folders_of_dead_processes_are_removed_and_others_stay(temp_folder):
    old = [make_folder(temp_folder / name) for name in ("swe-agent-abcd_123", "swe-agent-base-abcd_123")]
    dead = make_folder(temp_folder / "swe-agent-local-dead", old=False)
    (dead / "owner").write_text(mark_of_dead_process())
    own = make_folder(temp_folder / "swe-agent-local-mine")
    (own / "owner").write_text(process_owner.own_mark())
    others = [
        own,
        make_folder(temp_folder / "swe-agent-fresh_12", old=False),
        make_folder(temp_folder / "swe-agent-checkout", mode=0o755),
        make_folder(temp_folder / "swe-agent-my-notes-2"),
    ]
    (temp_folder / "swe-agent-linklink").symlink_to(others[0])
    removed = clean_folders(temp_folder / "locks")[0]
    assert (removed.what, removed.count) == ("temporary folders", 3)
    assert removed.bytes >= 3 * 8192
    assert not any(path.exists() for path in (*old, dead))
    assert all(path.exists() for path in others)


HOLDER = """
import os
from pathlib import Path
from trajectories.git_store.trees import EMPTY_TREE, Trees

trees = Trees(Path("trees.git"))
os.utime(Path(trees.env["GIT_DIR"]).parent, (1, 1))
print(trees.env["GIT_DIR"], flush=True)
input()
print(trees.write({"x y": b"1"}, EMPTY_TREE))  # with git, for a name with a space
"""


@pytest.mark.parametrize("end", ["ends", "is killed"])
def test_folder_of_a_process_that_works_for_days_stays(temp_folder: Path, end: str) -> None:
    environment = {**os.environ, "TMPDIR": str(temp_folder), "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=temp_folder, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        folder = Path(process.stdout.readline().strip())
        assert clean_folders(temp_folder / "locks")[0].count == 0
        assert (folder / "HEAD").exists()
        if end == "ends":
            tree, _ = process.communicate("\n")
            assert (process.returncode, len(tree.strip())) == (0, 40)
        process.kill()
    assert clean_folders(temp_folder / "locks")[0].count == (end == "is killed")
    assert not folder.exists()


def test_folder_writable_by_others_is_not_removed(temp_folder):
    """Another user could have linked one of our owner files into it."""
    dead = make_folder(temp_folder / "dead", old=False)
    (dead / "owner").write_text(mark_of_dead_process())
    writable = make_folder(temp_folder / "swe-agent-local-theirs", mode=0o777, old=False)
    (writable / "owner").symlink_to(dead / "owner")
    link = temp_folder / "swe-agent-local-link"
    link.symlink_to(dead)
    assert clean_folders(temp_folder / "locks")[0].count == 0
    assert writable.exists()
    assert link.is_symlink()


def test_held_and_new_locks_stay(temp_folder):
    locks = temp_folder / "locks"
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
def test_unowned_containers_images_and_volumes_are_removed(monkeypatch):
    """Containers: of a dead process, a stopped one of an earlier boot, and running ones."""
    daemon = connect()
    try:
        monkeypatch.setattr(process_owner, "own_mark", lambda: "an-earlier-boot:1:1")
        earlier = daemon.start(IMAGE)
        running = daemon.start(IMAGE)
        monkeypatch.undo()
        used = daemon.start(IMAGE)
        script = "import sys; from aci.docker.docker_daemon import connect; print(connect().start(sys.argv[1]).id)"
        dead = subprocess.run([sys.executable, "-c", script, IMAGE], capture_output=True, text=True, check=True)
        earlier.kill()
        half_made = earlier.commit()
        monkeypatch.setattr(leftover_cleanup, "_HOUR", 0.0)
        monkeypatch.setattr(leftover_cleanup, "BASE", "swe-agent.no-such-label")  # images of other processes stay
        monkeypatch.setattr(aci.docker.network_files, "LABEL", f"swe-agent.test-{uuid.uuid4().hex}")
        names = [uuid.uuid4().hex, uuid.uuid4().hex]
        unused, mounted = (daemon.network_files(IMAGE, [name])[0]["Source"].split("/")[-3] for name in names)
        mounting = daemon.start(IMAGE, names=names[1:])
        time.sleep(1.1)  # images and volumes have whole seconds as their time
        results = leftover_cleanup.clean_daemon(daemon)
        assert [each.what for each in results] == ["containers", "half-made images", "base images", "volumes"]
        assert results[0].count >= 1  # another process may remove the dead process's container first
        assert results[1].count >= 1
        assert results[3].count == 1
        volumes = {each["Name"] for each in daemon.client.api.volumes()["Volumes"]}
        assert (unused in volumes, mounted in volumes) == (False, True)
        remaining = {each.id for each in daemon.client.containers.list(all=True, ignore_removed=True)}
        assert {used.id, running.id} <= remaining
        assert not {earlier.id, dead.stdout.strip()} & remaining
        assert half_made.id not in daemon.client.api.images(all=True, quiet=True)
    finally:
        for container in (running, used, mounting):
            container.remove(force=True)
        daemon.client.volumes.get(mounted).remove()
        daemon.rest()
