"""Owner marks of workspaces and locks, which show whether the process that created them still runs."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def own_mark() -> str:
    """Return the mark of this process, `<machine>:<pid>:<start>`; the machine is identified by its boot and the process
    namespace."""
    return owner_mark(os.getpid())


def owner_mark(pid: int) -> str:
    """Return the mark of a process of this machine."""
    return f"{_machine()}:{pid}:{_fields(pid)[1]}"


def has_ended(owner: str) -> bool:
    """Whether the process has certainly ended. A zombie counts as ended; a process on another machine never does."""
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
    # without a start time nothing is known: there is no /proc, or the limit of open files is reached
    return bool(began) and (began != start or state in "ZX")


def is_running(owner: str) -> bool:
    """Whether `owner` is a running process of this machine."""
    return _parse(owner) is not None and not has_ended(owner)


def _parse(owner: str) -> tuple[int, str] | None:
    """Return the id and start of a process of this machine; None for any other text."""
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
    """Return the state letter of a process and its start in ticks since the boot; both empty if unreadable."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""
