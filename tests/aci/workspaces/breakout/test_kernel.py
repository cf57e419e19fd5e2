"""Attacks through the kernel: /proc, /sys, mounts, devices, namespaces, set-uid and the Docker socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.aci.workspaces.breakout.hostile import assert_refused, python


def test_core_pattern_cannot_be_changed(ws, marker):
    path = Path("/proc/sys/kernel/core_pattern")
    before = path.read_text()
    assert_refused(ws, f"echo '|/bin/touch {marker}' > {path}", f"echo x > {path.with_name('modprobe')}")
    assert path.read_text() == before


def test_release_agent_and_cgroup_limits_cannot_be_changed(ws, marker):
    assert_refused(
        ws,
        f"for f in $(find /sys/fs/cgroup -name release_agent); do echo {marker} > $f && exit 0; done; false",
        "mkdir -p /tmp/cg; mount -t cgroup -o memory cgroup /tmp/cg",
        "unshare -UrmC sh -c 'mkdir -p /tmp/cg; mount -t cgroup -o rdma cgroup /tmp/cg'",
        "echo max > /sys/fs/cgroup/memory.max",
        "echo -1 > /sys/fs/cgroup/memory/memory.limit_in_bytes",
    )
    assert not marker.exists()


def test_devices_cannot_be_created_or_read(ws):
    major, minor = divmod(Path("/").stat().st_dev, 256)
    assert_refused(
        ws,
        f"mknod /tmp/disk b {major} {minor}",
        "mknod /tmp/mem c 1 1",
        "cat /dev/mem",
        "cat /dev/kmsg",
        "dmesg",
        "ls /dev/sd* /dev/vd* /dev/nvme* /dev/dm-*",
    )


def test_set_uid_program_has_no_capabilities(ws):
    ws.run("cp $(command -v cat) /tmp/cat; chmod 4755 /tmp/cat")
    status = ws.run("/tmp/cat /proc/self/status").text
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


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

JOIN_NAMESPACE = (
    "import ctypes, os, sys; libc = ctypes.CDLL(None)\nsys.exit(not any(libc.setns(os.open(f'/proc/1/ns/{n}', 0), 0)"
)
ATTACKS = {
    "sysrq and kernel settings": [
        "echo h > /proc/sysrq-trigger",
        "echo 1 > /proc/sys/kernel/sysrq",
        "echo 1 > /proc/sys/vm/drop_caches",
        "echo -17 > /proc/1/oom_adj",
    ],
    "mounts": [
        "mkdir -p /tmp/m; mount -t tmpfs none /tmp/m",
        "mount --bind / /tmp/m",
        "mount -t proc proc /tmp/m",
        "mount -o remount,rw /proc/sys",
        "unshare -m true",
        "unshare -Urm true",
        "umount /proc/sysrq-trigger",
        "cd /tmp/m && mkdir -p old && pivot_root . old",
    ],
    "chroot": ["chroot /proc/1/root/.. true", python("import os; os.chroot('/tmp')")],
    "Docker socket": [
        "find / -xdev -name 'docker*.sock' -o -xdev -name 'containerd*.sock' -o -xdev -name 'podman*.sock' | grep .",
        "env | grep -i docker_host",
        python("import socket; socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')"),
    ],
    "kernel modules and system calls": ["echo > /tmp/x.ko; insmod /tmp/x.ko", "modprobe dummy", python(SYSCALLS)],
    "files of /proc and /sys": [python(OPEN_ALL)],
    "namespaces": [
        python(JOIN_NAMESPACE + " == 0 for n in ('mnt', 'pid', 'uts', 'ipc')))"),
        "unshare -Ur true",
        "unshare -p true",
    ],
    "clock and host name": [
        "date -s 2001-01-01",
        "hostname owned",
        "sysctl -w kernel.hostname=owned",
        "renice -n -5 -p $$",
    ],
}


@pytest.mark.parametrize("commands", ATTACKS.values(), ids=ATTACKS)
def test_attack_on_kernel_interface_is_refused(ws, commands):
    assert_refused(ws, *commands)


FORBIDDEN_SOCKETS = """
import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
made = []
for family, kind in ((38, 5), (40, 1)):
    if libc.socket(family, kind, 0) >= 0 or ctypes.get_errno() != 1:
        made.append(f"socket of family {family}")
    if libc.socketpair(family, kind, 0, (ctypes.c_int * 2)()) == 0 or ctypes.get_errno() != 1:
        made.append(f"pair of family {family}")  # any other error comes from the family itself
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

COMMON_SOCKETS = """
import socket
pairs = [("AF_UNIX", 1), ("AF_UNIX", 2), ("AF_INET", 1), ("AF_INET", 2), ("AF_INET6", 1), ("AF_NETLINK", 3)]
for family, kind in pairs:
    socket.socket(getattr(socket, family), kind).close()
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    socket.socketpair(socket.AF_UNIX, kind)
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
"""


def test_hypervisor_sockets_and_io_uring_are_refused(ws):
    assert_refused(ws, python(FORBIDDEN_SOCKETS))
    assert ws.run(python(COMMON_SOCKETS)).code == 0
