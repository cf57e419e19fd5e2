"""Restrictions and resource limits of containers, the same for workspaces and for set-up."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from aci.runtime.workspace import WorkspaceOptions

PREPARED_FILE_BYTES = 20 << 30
"""The maximum size of a single file while a base is made."""

OPEN_FILES = 16_384
"""The limit on open files. Without one, some programs, such as Java, check a billion descriptors when they start."""

CPU_WEIGHT = 512
"""The CPU weight of containers: half that of the user's own processes. It is not a cap, which would slow down a run on
an idle machine."""

SETUP_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
"""Capabilities of root in set-up and in services: package managers and database images change the owners of files and
switch to other users."""

PREPARATION_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
"""Capabilities of root while files are copied into a base image. Sessions have no capabilities."""

ADDR_NO_RANDOMIZE = 0x0040000
PROCESSORS = ("x86_64", "aarch64", "arm64")
"""The processors that `seccomp.json` supports, by their names on Linux and macOS."""

COUNTERS = Path("/sys/bus/event_source/devices/cpu")
"""A folder that exists if the machine's processor has hardware counters."""

READ_ONLY: dict[str, Any] = {
    "read_only": True,
    "tmpfs": {"/tmp": "exec,size=2g", "/var/tmp": "exec,size=2g", "/run": "size=64m"},
}
"""Arguments that make the image's own files read-only. The repository is on a volume that the container owns."""


def container_limits(options: WorkspaceOptions, root: str = "", counting: bool = False) -> dict[str, Any]:
    """Return arguments for `Daemon.start` for a container with the repository in `root`.

    `counting` allows the system calls for counting instructions.
    """
    limits: dict[str, Any] = {
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": options.memory,
        "memswap_limit": options.memory,  # equal to the memory limit, which disables swap
        "pids_limit": options.processes,
        "cpu_shares": CPU_WEIGHT,
        "ulimits": [_ulimit("fsize", parse_size(options.disk)), _ulimit("nofile", OPEN_FILES), _ulimit("core", 0)],
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


def preparation_limits(options: WorkspaceOptions) -> dict[str, Any]:
    """Return arguments for a container in which a base image is made, as root and with a writable image.

    There, a single file may be larger than `disk`, up to PREPARED_FILE_BYTES, since the sizes of the image and the
    repository add to its size.
    """
    limits = container_limits(replace(options, read_only=False))
    fewer = [limit for limit in limits["ulimits"] if limit.name != "fsize"]
    fewer.append(_ulimit("fsize", max(parse_size(options.disk), PREPARED_FILE_BYTES)))
    limits["ulimits"] = fewer
    return {
        **limits,
        "cap_add": list(PREPARATION_CAPABILITIES),
        "init": False,
    }  # an init process would hide that the image has no shell


def has_seccomp_profile() -> bool:
    """Return whether `seccomp.json` applies to this machine. On other processors, the daemon's profile is used."""
    return platform.machine() in PROCESSORS


def _seccomp_profile(counting: bool) -> dict[str, Any]:
    """Return the seccomp profile for every daemon, since the default profiles of older daemons allow AF_VSOCK, AF_ALG
    and io_uring.

    It is moby's default profile (github.com/moby/profiles, Apache-2.0), without the rules that depend on capabilities
    or apply to other processors. It also denies socketpair(2) of families other than AF_UNIX, and socketcall(2), whose
    arguments a filter of socket(2) cannot check. And it denies allocating space beyond a file's size, which neither the
    daemon nor RLIMIT_FSIZE counts: fallocate(2) with FALLOC_FL_KEEP_SIZE, and the XFS ioctls (type 'X'), which every
    file system supports. perf_event_open(2) is allowed only if the machine has hardware counters.
    """
    profile: dict[str, Any] = json.loads(files("aci.docker").joinpath("seccomp.json").read_bytes())
    if counting:
        fixed = {"index": 0, "value": ADDR_NO_RANDOMIZE, "op": "SCMP_CMP_EQ"}
        profile["syscalls"].append({"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [fixed]})
        if COUNTERS.exists():
            profile["syscalls"].append({"names": ["perf_event_open"], "action": "SCMP_ACT_ALLOW"})
    return profile


def parse_size(text: str) -> int:
    """Return the number of bytes of a size such as `512m` or `4g`."""
    return int(text.rstrip("kmg")) << {"k": 10, "m": 20, "g": 30}.get(text[-1:], 0)


def _ulimit(name: str, limit: int) -> Any:
    from docker.types import Ulimit

    return Ulimit(name=name, soft=limit, hard=limit)
