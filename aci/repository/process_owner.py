"""Who opened a workspace, so that what a dead process left behind can be told from what a living one uses."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def me() -> str:
    """`<machine>:<pid>:<start>`; the machine is this boot of it and this process namespace."""
    return name_of(os.getpid())


def name_of(pid: int) -> str:
    """The same of a process of this machine."""
    return f"{_machine()}:{pid}:{_fields(pid)[1]}"


def gone(owner: str) -> bool:
    """Whether the process has certainly ended. A zombie counts as ended; a process of another machine never does."""
    found = _parse(owner)
    if not found:
        return False
    pid, start = found
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    state, began = _fields(pid)
    # without a start nothing is known: there is no /proc, or no more files can be opened
    return bool(began) and (began != start or state in "ZX")


def lives(owner: str) -> bool:
    """Whether the process named by `me()` is one of this machine that runs."""
    return _parse(owner) is not None and not gone(owner)


def _parse(owner: str) -> tuple[int, str] | None:
    """The id and the start of a process of this machine; None for any other text."""
    machine, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    valid = machine == _machine() and re.fullmatch("[0-9]{1,9}", pid)  # larger numbers overflow os.kill
    return (int(pid), start) if valid else None


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}".replace(":", "")
    except OSError:
        return platform.node()


def _fields(pid: int) -> tuple[str, str]:
    """The state of a process, a letter, and its start in ticks since the boot; both empty if they cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""
