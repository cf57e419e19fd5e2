"""Programs that take all there is: processes, memory, disk, inodes, descriptors. Always bounded by the program too."""

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

from aci.docker import disk_space
from aci.docker.container_limits import has_seccomp_profile
from aci.docker.docker_daemon import connect
from aci.runtime.workspace import HARNESS_SESSION
from tests.aci.workspaces.breakout.hostile import host_mounts, python, refused
from tests.conftest import IMAGE
from trajectories.errors import WorkspaceError

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(400)]


def alive(ws) -> None:
    """It answers, or says in one sentence that it ended."""
    try:
        ws.run("true")
        assert ws.run("echo alive").text.endswith("alive\n")
    except WorkspaceError as error:
        assert error.fix  # noqa: PT017  (either way will do)


@pytest.mark.slow
def test_fork_bomb(hostile):
    ws = hostile(processes=128)
    before = len(list(Path("/proc").glob("[0-9]*")))
    ws.run("bomb() { [ $1 -gt 0 ] && { bomb $(($1 - 1)) & bomb $(($1 - 1)) & } ; sleep 5; }; bomb 10", timeout=3)
    assert len(list(Path("/proc").glob("[0-9]*"))) < before + 300
    alive(ws)
    assert ws.snapshot().tree == ws.options.base.tree


def test_memory(hostile):
    ws = hostile(memory="256m")
    ran = ws.run(python("held = [bytearray(1 << 20) for _ in range(1500)]; print('had it all')"), timeout=60)
    assert ran.code != 0
    assert "had it all" not in ran.text.splitlines()
    assert ws.run("echo alive").text.endswith("alive\n")


def test_shared_memory_is_small(ws):
    ran = ws.run("head -c 1500000000 /dev/zero > /dev/shm/full", timeout=60)
    assert ran.code != 0
    ws.run("rm -f /dev/shm/full")
    alive(ws)


@pytest.mark.slow
def test_full_disk(hostile, tmp_path):
    ws = hostile(disk="200m")
    free = shutil.disk_usage("/").free
    ws.run("i=0; while [ $i -lt 60 ]; do head -c 50000000 /dev/zero > f$i || break; i=$((i+1)); done", timeout=90)
    assert free - shutil.disk_usage("/").free < 3_000_000_000
    used = ws.run("du -sm --exclude=./.git . | cut -f1")
    assert not used.text.strip().isdigit() or int(used.text) < 2000
    alive(ws)


@pytest.mark.slow
def test_many_small_files(hostile):
    ws = hostile(disk="200m")
    make = "import os\nfor d in range(400):\n os.mkdir(f'd{d}')\n for n in range(5000): open(f'd{d}/{n}', 'w').close()"
    before = os.statvfs("/").f_ffree
    ran = ws.run(python(make + "\nprint('made them all')"), timeout=120)
    assert "made them all" not in ran.text
    assert before - os.statvfs("/").f_ffree < 1_500_000
    alive(ws)


REMOVED_FILES = """\
import os, tempfile, time
held = [tempfile.TemporaryFile(dir='/tmp') for _ in range(4)]
for each in held:
    os.writev(each.fileno(), [bytes(1 << 20)] * 80)
time.sleep(30)
print('holds', sum(os.fstat(each.fileno()).st_blocks for each in held) * 512)
"""


@pytest.mark.slow
def test_removed_files_that_are_still_open(hostile, monkeypatch):
    """The daemon does not count them, the free space of its disk shows them."""
    ws = hostile(disk="100m")
    monkeypatch.setattr(disk_space, "reserve", lambda free: free - (150 << 20))
    text = ws.run(python(REMOVED_FILES), timeout=60).text
    assert "The disk is full: only" in text
    assert "holds" not in text.splitlines()[-1]


@pytest.mark.slow
def test_command_of_ours_that_full_disk_ended_has_no_result(hostile, monkeypatch):
    """Another program may have filled the disk: the tests that ran say nothing."""
    ws = hostile()
    ws.run("true", session=HARNESS_SESSION)
    monkeypatch.setattr(disk_space, "free_bytes", lambda folder: 0)
    with pytest.raises(WorkspaceError, match=r"disk .* was nearly full"):
        ws.run("sleep 30", timeout=60, session=HARNESS_SESSION)
    assert ws.run("echo alive", session=HARNESS_SESSION).text == "alive\n"


@pytest.mark.slow
def test_command_of_ours_that_wrote_too_much_has_failed(hostile):
    ws = hostile(disk="20m")
    ran = ws.run("head -c 30000000 /dev/zero > f; sleep 30", timeout=60, session=HARNESS_SESSION)
    assert ran.code
    assert ran.restarted
    assert "The disk is full" in ws.run("true").text


@pytest.mark.slow
def test_disk_that_goes_on_to_fill_up(hostile, monkeypatch):
    """Ending all processes did not help: the files of the container go too."""
    ws = hostile()
    monkeypatch.setattr(disk_space, "reserve", lambda free: free + 1)
    with pytest.raises(WorkspaceError, match=r"disk is full: only .*The workspace was removed"):
        [ws.run("sleep 5", timeout=60) for _ in range(3)]


@pytest.mark.slow
def test_one_container_at_time_is_ended_to_free_space(hostile, monkeypatch):
    ws = hostile()
    other = ws.fork(ws.options.base.tree)
    for each in (ws, other):
        each.run("true")
    watches = [each._host._watch for each in (ws, other)]

    def ended() -> int:
        return sum(watch._ended > 0 for watch in watches)

    monkeypatch.setattr(disk_space, "free_bytes", lambda folder: 10 << 30 if ended() else 0)
    for _ in range(100):
        if not ended():
            time.sleep(0.05)
    for watch in watches:
        watch.stop()
    assert ended() == 1
    said = [each.run("echo alive").text for each in (ws, other)]
    other.close()
    assert sorted("disk is full: only" in text for text in said) == [False, True]


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


@pytest.mark.skipif(not has_seccomp_profile(), reason="no profile for this processor")
def test_space_beyond_files_size(ws):
    """Neither the daemon nor the limit of one file counts it; it stays when all processes are ended."""
    said = ws.run(python(ALLOCATE)).text.splitlines()
    assert said[:3] == ["-1 Operation not supported"] * 3
    assert said[3:6] == ["Inappropriate ioctl for device"] * 3
    assert said[6:] == ["0", "0 True True"]


def test_one_file_of_terabyte(ws):
    ran = ws.run("truncate -s 1T huge; head -c 1 /dev/zero >> huge; ls -l huge")
    assert "1099511627777" not in ran.text
    ws.snapshot()
    alive(ws)


def test_descriptors(ws):
    opened = "import os\nfor n in range(2_000_000): os.open('/dev/null', 0)\nprint('opened them all')"
    ran = ws.run(python(opened), timeout=60)
    assert ran.code != 0
    assert "opened them all" not in ran.text
    alive(ws)


def test_files_that_docker_mounts_cannot_be_filled(hostile):
    """They lie on the host's disk, and no size that the daemon reports includes them."""
    ws = hostile(disk="200m")
    for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname"):
        refused(
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
def test_base_whose_git_fills_disk(hostile):
    """The image may come from a set-up, so its programs are not trusted when the base is made either."""
    name = f"swe-agent-test-{uuid.uuid4().hex[:8]}:latest"
    client = docker.from_env()
    made = client.containers.create(IMAGE, ["true"], labels={"swe-agent": "1"})
    try:
        with io.BytesIO() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                entry = tarfile.TarInfo("usr/local/bin/git")
                entry.mode, entry.size = 0o755, len(FILLING_GIT)
                tar.addfile(entry, io.BytesIO(FILLING_GIT.encode()))
            made.put_archive("/", archive.getvalue())
        made.commit(*name.split(":"))
        with pytest.raises(WorkspaceError, match=r"could not be prepared\. The disk is full: .* may be\.$"):
            hostile(disk="100m", image=name)
    finally:
        made.remove(force=True)
        client.images.remove(name, force=True)
        client.close()
