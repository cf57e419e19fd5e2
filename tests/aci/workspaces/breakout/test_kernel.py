# ruff: noqa: E501  (programs are read more easily unbroken)
"""Ways through the kernel: /proc, /sys, mounts, devices, namespaces, set-uid, the Docker socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.docker.docker_daemon import connect
from aci.environments.setup_container import SetupContainer
from tests.aci.workspaces.breakout.hostile import python, refused
from tests.conftest import IMAGE

pytestmark = pytest.mark.docker


def test_core_pattern(ws, marker):
    path = Path("/proc/sys/kernel/core_pattern")
    before = path.read_text()
    refused(ws, f"echo '|/bin/touch {marker}' > {path}", f"echo x > {path.with_name('modprobe')}")
    assert path.read_text() == before


def test_sysrq_and_panic(ws):
    refused(
        ws,
        "echo h > /proc/sysrq-trigger",
        "echo 1 > /proc/sys/kernel/sysrq",
        "echo 1 > /proc/sys/vm/drop_caches",
        "echo -17 > /proc/1/oom_adj",
    )


def test_release_agent(ws, marker):
    refused(
        ws,
        f"for f in $(find /sys/fs/cgroup -name release_agent); do echo {marker} > $f && exit 0; done; false",
        "mkdir -p /tmp/cg; mount -t cgroup -o memory cgroup /tmp/cg",
        "unshare -UrmC sh -c 'mkdir -p /tmp/cg; mount -t cgroup -o rdma cgroup /tmp/cg'",
        "echo max > /sys/fs/cgroup/memory.max",
        "echo -1 > /sys/fs/cgroup/memory/memory.limit_in_bytes",
    )
    assert not marker.exists()


def test_mounts(ws):
    refused(
        ws,
        "mkdir -p /tmp/m; mount -t tmpfs none /tmp/m",
        "mount --bind / /tmp/m",
        "mount -t proc proc /tmp/m",
        "mount -o remount,rw /proc/sys",
        "unshare -m true",
        "unshare -Urm true",
        "umount /proc/sysrq-trigger",
        "cd /tmp/m && mkdir -p old && pivot_root . old",
    )


def test_chroot_does_not_leave(ws):
    refused(ws, "chroot /proc/1/root/.. true", python("import os; os.chroot('/tmp')"))


def test_devices(ws):
    major, minor = divmod(Path("/").stat().st_dev, 256)
    refused(
        ws,
        f"mknod /tmp/disk b {major} {minor}",
        "mknod /tmp/mem c 1 1",
        "cat /dev/mem",
        "cat /dev/kmsg",
        "dmesg",
        "ls /dev/sd* /dev/vd* /dev/nvme* /dev/dm-*",
    )


def test_docker_socket(ws):
    refused(
        ws,
        "find / -xdev -name 'docker*.sock' -o -xdev -name 'containerd*.sock' -o -xdev -name 'podman*.sock' | grep .",
        "env | grep -i docker_host",
        python("import socket; socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')"),
    )


def test_set_uid_program_gives_nothing(ws):
    ws.run("cp $(command -v cat) /tmp/cat; chmod 4755 /tmp/cat")
    status = ws.run("/tmp/cat /proc/self/status").text
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_no_module_and_no_bpf(ws):
    refused(ws, "echo > /tmp/x.ko; insmod /tmp/x.ko", "modprobe dummy", python(SYSCALLS))


SYSCALLS = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
bpf, userfault, keyctl, open_by_handle, kexec = 321, 323, 250, 304, 246
worked = [n for n in (bpf, userfault, keyctl, open_by_handle, kexec) if libc.syscall(n, 0, 0, 0, 0, 0) >= 0]
print(worked)
sys.exit(not worked)
"""


OPEN_ALL = """
import os, sys
opened = []
for top in ("/proc/sys", "/sys", "/proc/irq", "/proc/bus", "/proc/fs"):
    for folder, _, files in os.walk(top):
        for name in files:
            try:
                os.close(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_NONBLOCK))
                opened.append(os.path.join(folder, name))
            except OSError:
                pass
print(opened[:20])
sys.exit(not opened)
"""


def test_nothing_of_proc_sys_and_sys_can_even_be_opened(ws):
    refused(ws, python(OPEN_ALL))


def test_no_namespace_of_another_is_joined(ws):
    join = "import ctypes, os, sys; libc = ctypes.CDLL(None)\nsys.exit(not any(libc.setns(os.open(f'/proc/1/ns/{n}', 0), 0)"
    refused(ws, python(join + " == 0 for n in ('mnt', 'pid', 'uts', 'ipc')))"), "unshare -Ur true", "unshare -p true")


def test_clock_and_host_name_stay(ws):
    refused(ws, "date -s 2001-01-01", "hostname owned", "sysctl -w kernel.hostname=owned", "renice -n -5 -p $$")


SOCKETS = """
import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
made = []
for family, kind in ((38, 5), (40, 1)):
    if libc.socket(family, kind, 0) >= 0 or ctypes.get_errno() != 1:
        made.append(f"socket of family {family}")
    if libc.socketpair(family, kind, 0, (ctypes.c_int * 2)()) == 0 or ctypes.get_errno() != 1:
        made.append(f"pair of family {family}")  # any other error is the answer of the family
for number in (425, 426, 427):
    if libc.syscall(number, 1, 0, 0, 0, 0, 0) >= 0 or ctypes.get_errno() not in (1, 38):
        made.append(f"io_uring by call {number}")
if platform.machine() == "x86_64":
    page = libc.mmap(None, 4096, 7, 0x62, -1, 0)  # below 4 GiB; the 32-bit call socketcall(SYS_SOCKET, page + 64)
    code = b"\\x53\\xb8\\x66\\0\\0\\0\\xbb\\x01\\0\\0\\0\\xb9" + struct.pack("<I", page + 64) + b"\\xcd\\x80\\x5b\\xc3"
    ctypes.memmove(page, code, len(code))
    for family, kind in ((38, 5), (40, 1)):
        ctypes.memmove(page + 64, struct.pack("<III", family, kind, 0), 12)
        if ctypes.CFUNCTYPE(ctypes.c_int)(page)() not in (-1, -38):
            made.append(f"socket of family {family} by socketcall")
print(made)
sys.exit(not made)
"""

USUAL = """
import socket
pairs = [("AF_UNIX", 1), ("AF_UNIX", 2), ("AF_INET", 1), ("AF_INET", 2), ("AF_INET6", 1), ("AF_NETLINK", 3)]
for family, kind in pairs:
    socket.socket(getattr(socket, family), kind).close()
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    socket.socketpair(socket.AF_UNIX, kind)
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
"""


def test_sockets_to_hypervisor_and_io_uring(ws):
    refused(ws, python(SOCKETS))
    assert ws.run(python(USUAL)).code == 0


@pytest.mark.slow
def test_set_up_has_same_system_calls(ws):
    daemon = connect()
    with SetupContainer(daemon, IMAGE, ws.options) as room:
        assert room.run(python(SOCKETS), {}, 20, where="/").output.strip() == "[]"
        assert room.run(python(USUAL), {}, 20, where="/").code == 0
    daemon.rest()
