"""Programs that exhaust processes, memory, disk, inodes or descriptors. Each program also limits itself."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import time
import uuid
from pathlib import Path

import docker
import pytest

from aci.docker import disk_quota
from aci.docker.container_limits import has_seccomp_profile
from aci.docker.docker_daemon import connect
from aci.runtime.workspace import HARNESS_SESSION
from tests.aci.workspaces.breakout.hostile import assert_refused, host_mounts, python
from tests.conftest import IMAGE
from trajectories.errors import WorkspaceError

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(400)]
IN_DOCKER = pytest.mark.parametrize("isolated_kind", ["docker"], indirect=True)


def assert_alive(ws) -> None:
    """Check that the workspace answers, or raises an error that says how to continue."""
    try:
        ws.run("true")
        assert ws.run("echo alive").text.endswith("alive\n")
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (both outcomes are allowed)


@pytest.mark.slow
def test_fork_bomb_is_bounded(open_container):
    ws = open_container(processes=128)
    before = len(list(Path("/proc").glob("[0-9]*")))
    ws.run("bomb() { [ $1 -gt 0 ] && { bomb $(($1 - 1)) & bomb $(($1 - 1)) & } ; sleep 5; }; bomb 10", timeout=3)
    assert len(list(Path("/proc").glob("[0-9]*"))) < before + 300
    assert_alive(ws)
    assert ws.snapshot().tree == ws.options.base.tree


def test_memory_is_limited(open_container):
    ws = open_container(memory="256m")
    result = ws.run(python("held = [bytearray(1 << 20) for _ in range(1500)]; print('allocated all')"), timeout=60)
    assert result.code != 0
    assert "allocated all" not in result.text.splitlines()
    assert ws.run("echo alive").text.endswith("alive\n")


@IN_DOCKER
def test_shared_memory_is_limited(ws):
    result = ws.run("head -c 1500000000 /dev/zero > /dev/shm/full", timeout=60)
    assert result.code != 0
    ws.run("rm -f /dev/shm/full")
    assert_alive(ws)


@pytest.mark.slow
def test_disk_usage_is_limited(open_container, tmp_path):
    ws = open_container(disk="200m")
    free = shutil.disk_usage("/").free
    ws.run("i=0; while [ $i -lt 60 ]; do head -c 50000000 /dev/zero > f$i || break; i=$((i+1)); done", timeout=90)
    assert free - shutil.disk_usage("/").free < 3_000_000_000
    used = ws.run("du -sm --exclude=./.git . | cut -f1")
    assert not used.text.strip().isdigit() or int(used.text) < 2000
    assert_alive(ws)


@pytest.mark.slow
def test_number_of_files_is_limited(open_container):
    ws = open_container(disk="200m")
    program = (
        "import os\nfor d in range(400):\n os.mkdir(f'd{d}')\n for n in range(5000): open(f'd{d}/{n}', 'w').close()"
    )
    before = os.statvfs("/").f_ffree
    result = ws.run(python(program + "\nprint('created all')"), timeout=120)
    assert "created all" not in result.text
    assert before - os.statvfs("/").f_ffree < 1_500_000
    assert_alive(ws)


REMOVED_FILES = """\
import os, tempfile, time
held = [tempfile.TemporaryFile(dir='/tmp') for _ in range(4)]
for each in held:
    os.writev(each.fileno(), [bytes(1 << 20)] * 80)
time.sleep(30)
print('holds', sum(os.fstat(each.fileno()).st_blocks for each in held) * 512)
"""


@pytest.mark.slow
def test_removed_but_open_files_count_towards_disk_limit(open_container, monkeypatch):
    """The daemon does not count these files, but the free space of the disk shows them."""
    ws = open_container(disk="100m")
    monkeypatch.setattr(disk_quota, "reserve", lambda free: free - (150 << 20))
    text = ws.run(python(REMOVED_FILES), timeout=60).text
    assert "The disk is full: only" in text
    assert "holds" not in text.splitlines()[-1]


@pytest.mark.slow
def test_harness_command_ended_by_full_disk_has_no_result(open_container, monkeypatch):
    """Another program may have filled the disk, so the tests that ran prove nothing."""
    ws = open_container()
    ws.run("true", session=HARNESS_SESSION)
    monkeypatch.setattr(disk_quota, "free_bytes", lambda folder: 0)
    with pytest.raises(WorkspaceError, match=r"disk .* was nearly full"):
        ws.run("sleep 30", timeout=60, session=HARNESS_SESSION)
    assert ws.run("echo alive", session=HARNESS_SESSION).text == "alive\n"


@pytest.mark.slow
def test_harness_command_that_exceeds_disk_limit_fails(open_container):
    ws = open_container(disk="20m")
    result = ws.run("head -c 30000000 /dev/zero > f; sleep 30", timeout=60, session=HARNESS_SESSION)
    assert result.code
    assert result.restarted
    assert "The disk is full" in ws.run("true").text


@pytest.mark.slow
def test_workspace_is_removed_if_disk_keeps_filling(open_container, monkeypatch):
    """Ending all processes did not help, so the files of the container are removed too."""
    ws = open_container()
    monkeypatch.setattr(disk_quota, "reserve", lambda free: free + 1)
    with pytest.raises(WorkspaceError, match=r"disk is full: only .*The workspace was removed"):
        [ws.run("sleep 5", timeout=60) for _ in range(3)]


@pytest.mark.slow
def test_containers_are_ended_one_at_a_time_to_free_space(open_container, monkeypatch):
    ws = open_container()
    other = ws.fork(ws.options.base.tree)
    for workspace in (ws, other):
        workspace.run("true")
    watches = [workspace._host._watch for workspace in (ws, other)]

    def count_ended() -> int:
        return sum(watch._ended > 0 for watch in watches)

    monkeypatch.setattr(disk_quota, "free_bytes", lambda folder: 10 << 30 if count_ended() else 0)
    for _ in range(100):
        if not count_ended():
            time.sleep(0.05)
    for watch in watches:
        watch.stop()
    assert count_ended() == 1
    outputs = [workspace.run("echo alive").text for workspace in (ws, other)]
    other.close()
    assert sorted("disk is full: only" in text for text in outputs) == [False, True]


ALLOCATE = """\
import ctypes, fcntl, os, struct, tempfile
fallocate = ctypes.CDLL(None, use_errno=True).fallocate
fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
file = tempfile.TemporaryFile(dir='/tmp')
fd = file.fileno()
for mode in (0x01, 0x11, 0x41):
    print(fallocate(fd, mode, 0, 50 << 20), os.strerror(ctypes.get_errno()))
for request in (0x40305828, 0x4030582a, 0x40305839):
    try:
        fcntl.ioctl(fd, request, struct.pack('hhqqiI16x', 0, 0, 0, 50 << 20, 0, 0))
    except OSError as error:
        print(error.strerror)
print(os.fstat(fd).st_blocks)
os.posix_fallocate(fd, 0, 1 << 20)
full = os.fstat(fd).st_blocks
print(fallocate(fd, 3, 0, 1 << 20), full >= 2048, os.fstat(fd).st_blocks < full)
"""


@pytest.mark.skipif(not has_seccomp_profile(), reason="no seccomp profile for this processor")
@IN_DOCKER
def test_space_beyond_file_size_cannot_be_allocated(ws):
    """Neither the daemon nor the file size limit counts this space, and ending all processes does not free it."""
    lines = ws.run(python(ALLOCATE)).text.splitlines()
    assert lines[:3] == ["-1 Operation not supported"] * 3
    assert lines[3:6] == ["Inappropriate ioctl for device"] * 3
    assert lines[6:] == ["0", "0 True True"]


@IN_DOCKER
def test_file_of_more_than_one_terabyte_is_refused(ws):
    result = ws.run("truncate -s 1T huge; head -c 1 /dev/zero >> huge; ls -l huge")
    assert "1099511627777" not in result.text
    ws.snapshot()
    assert_alive(ws)


@IN_DOCKER
def test_file_descriptors_are_limited(ws):
    program = "import os\nfor n in range(2_000_000): os.open('/dev/null', 0)\nprint('opened all')"
    result = ws.run(python(program), timeout=60)
    assert result.code != 0
    assert "opened all" not in result.text
    assert_alive(ws)


def test_files_that_docker_mounts_cannot_be_filled(open_container):
    """They are on the host's disk, and no size that the daemon reports includes them."""
    ws = open_container(disk="200m")
    for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname"):
        assert_refused(
            ws,
            f"head -c 1000000 /dev/zero >> {path}",
            f"chmod 666 {path} && echo more >> {path}",
            f"rm {path}",
            f"mount -o remount,rw {path}",
            python(f"import os; os.setxattr({path!r}, 'user.more', b'x' * 4000)"),
        )
    assert host_mounts(ws.run("cat /proc/self/mountinfo").text) == []
    assert ws.run("cat /etc/hostname; hostname").text.split() == ["workspace"] * 2
    assert ws.run(python("import socket; print(socket.gethostbyname('localhost'))")).text == "127.0.0.1\n"


@pytest.mark.parametrize("user", ["0", "1000"])
def test_no_container_has_writable_mount_of_host(user):
    daemon = connect()
    container = daemon.start(IMAGE, user=user)
    try:
        assert host_mounts(container.exec_run(["cat", "/proc/self/mountinfo"]).output.decode()) == []
    finally:
        container.remove(force=True)
        daemon.rest()


FILLING_GIT = """\
#!/bin/sh
[ -e /full ] || { for part in "" 2 3; do head -c 200000000 /dev/zero > /full$part; done; sleep 5; }
exec /usr/bin/git "$@"
"""


@pytest.mark.slow
def test_base_image_whose_git_fills_disk_is_refused(open_container):
    """The image may come from a set-up, so its programs are not trusted while the base is prepared."""
    name = f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest"
    client = docker.from_env()
    container = client.containers.create(IMAGE, ["true"], labels={"swe-agent": "1"})
    try:
        with io.BytesIO() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                entry = tarfile.TarInfo("usr/local/bin/git")
                entry.mode, entry.size = 0o755, len(FILLING_GIT)
                tar.addfile(entry, io.BytesIO(FILLING_GIT.encode()))
            container.put_archive("/", archive.getvalue())
        container.commit(*name.split(":"))
        with pytest.raises(WorkspaceError, match=r"could not be prepared\. The disk is full: .* files\.$"):
            open_container(disk="100m", image=name)
    finally:
        container.remove(force=True)
        client.images.remove(name, force=True)
        client.close()
