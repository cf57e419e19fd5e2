"""Who opened a workspace, so that what a dead process left behind can be told from what a living one uses."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def me() -> str:
    """`<machine>:<pid>:<start>`; the machine is this boot of it and this process namespace."""
    return name_of(os.getpid())


def name_of(pid: int) -> str:
    """The same of a process of this machine."""
    return f"{_machine()}:{pid}:{_start(pid)}"


def gone(owner: str) -> bool:
    """Whether the process named by `me()` has surely ended; one of another machine never has. One that ended and that
    its parent has not asked for counts: the first process of many a container asks for none."""
    machine, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    if machine != _machine() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    began = _start(int(pid))
    return bool(began) and (
        began != start or _fields(int(pid))[0] in "ZX"
    )  # what cannot be read, as where no file can be opened, says nothing


def lives(owner: str) -> bool:
    """Whether the process named by `me()` is one of this machine that runs."""
    return owner.partition(":")[0] == _machine() and not gone(owner)


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}".replace(":", "")
    except OSError:
        return platform.node()


def _start(pid: int) -> str:
    """When a process began, in ticks since the boot; empty where there is no /proc."""
    return _fields(pid)[1]


def _fields(pid: int) -> tuple[str, str]:
    """The state of a process, a letter, and its start."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""
