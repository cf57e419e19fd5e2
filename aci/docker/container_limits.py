"""What a container of ours may not do, and how much it may take; the same for solving and for set-up."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from aci.workspace import Options

PREPARED_FILE_BYTES = 20 << 30
"""The largest single file while a base is made."""

OPEN_FILES = 16_384
"""Without a limit some programs, and every Java, walk through a thousand million descriptors when they start."""

CPU_WEIGHT = 512
"""Half the weight of the user's own processes. It is a weight and no cap: a cap stalls a lone run for nothing."""

RIGHTS = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
"""Capabilities of root in set-up and in services: package managers and the images of databases give files to users of
their own, and become them."""

PREPARING = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
"""Capabilities of the user root while files are put into a base image; no session has any."""

ADDR_NO_RANDOMIZE = 0x0040000
PROCESSORS = ("x86_64", "aarch64", "arm64")
"""Those that `seccomp.json` is written for, by Linux's and by macOS's names."""

COUNTERS = Path("/sys/bus/event_source/devices/cpu")
"""There where the machine's processor counts instructions for us."""

READ_ONLY: dict[str, Any] = {
    "read_only": True,
    "tmpfs": {"/tmp": "exec,size=2g", "/var/tmp": "exec,size=2g", "/run": "size=64m"},
}
"""The image's own files cannot be written; the repository lies on a volume that goes with the container."""


def confinement(options: Options, root: str = "", counting: bool = False) -> dict[str, Any]:
    """Arguments for `Daemon.start`, for a container with the repository in `root`.

    `counting` allows the system calls that counting instructions needs.
    """
    limits: dict[str, Any] = {
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": options.memory,
        "memswap_limit": options.memory,  # with the same, there is no swap
        "pids_limit": options.processes,
        "cpu_shares": CPU_WEIGHT,
        "ulimits": [_ulimit("fsize", size(options.disk)), _ulimit("nofile", OPEN_FILES), _ulimit("core", 0)],
        "init": True,
    }
    if has_seccomp_profile():
        limits["security_opt"].append(f"seccomp={json.dumps(_seccomp_profile(counting))}")
    if options.cpus:
        limits["nano_cpus"] = int(options.cpus * 1e9)
    if options.runtime:
        limits["runtime"] = options.runtime
    if options.read_only:
        limits |= {**READ_ONLY, "volumes": [path for path in ("/workspace", "/swe-agent", root) if path]}
    return limits


def preparation(options: Options) -> dict[str, Any]:
    """The same for making a base image, as root and where the image's own files may change.

    One file may exceed `disk` there: the size of the image and of the repository comes on top of it.
    """
    limits = confinement(replace(options, read_only=False))
    fewer = [limit for limit in limits["ulimits"] if limit.name != "fsize"]
    fewer.append(_ulimit("fsize", max(size(options.disk), PREPARED_FILE_BYTES)))
    limits["ulimits"] = fewer
    return {**limits, "cap_add": list(PREPARING), "init": False}  # an init would hide that there is no shell


def has_seccomp_profile() -> bool:
    """Whether containers get our profile; on other processors they have the daemon's own."""
    return platform.machine() in PROCESSORS


def _seccomp_profile(counting: bool) -> dict[str, Any]:
    """The same on each daemon: an older one's own profile allows AF_VSOCK, AF_ALG and io_uring.

    It is moby's default (github.com/moby/profiles, Apache-2.0) for a container without capabilities that switch rules
    on, without those of other processors. It also denies socketpair(2) of families other than AF_UNIX, socketcall(2),
    which no filter of socket(2) sees through, and what allocates space beyond a file's size (fallocate(2) with
    FALLOC_FL_KEEP_SIZE, and the ioctls of XFS for it, type 'X', which every file system answers): neither the daemon
    nor RLIMIT_FSIZE counts it.
    Hardware counters are of use only where the machine has them.
    """
    profile: dict[str, Any] = json.loads(files("aci").joinpath("seccomp.json").read_bytes())
    if counting:
        fixed = {"index": 0, "value": ADDR_NO_RANDOMIZE, "op": "SCMP_CMP_EQ"}
        profile["syscalls"].append({"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [fixed]})
        if COUNTERS.exists():
            profile["syscalls"].append({"names": ["perf_event_open"], "action": "SCMP_ACT_ALLOW"})
    return profile


def size(text: str) -> int:
    """The bytes of `512m` or `4g`."""
    return int(text.rstrip("kmg")) << {"k": 10, "m": 20, "g": 30}.get(text[-1:], 0)


def _ulimit(name: str, limit: int) -> Any:
    from docker.types import Ulimit

    return Ulimit(name=name, soft=limit, hard=limit)
