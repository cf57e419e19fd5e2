"""Owner marks of workspaces and locks, which show whether the process that created them still runs."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def own_mark() -> str:
    """Return the mark of this process, `<machine>:<pid>:<start>`; `<machine>` identifies the boot and the PID
    namespace."""
    return owner_mark(os.getpid())


def owner_mark(pid: int) -> str:
    """Return the mark of a process of this machine."""
    return f"{_machine()}:{pid}:{_fields(pid)[1]}"


def has_ended(owner: str) -> bool:
    """Whether the process is known to have ended. A zombie counts as ended, a process on another machine as running."""
    found = _parse(owner)
    if not found:
        return False
    pid, start = found
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # another user's process: its start time can be read all the same
    state, began = _fields(pid)
    # without a start time (no /proc, or too many open files), the process may still be running
    return bool(began) and (began != start or state in "ZX")


def is_running(owner: str) -> bool:
    """Whether `owner` is a running process of this machine."""
    return _parse(owner) is not None and not has_ended(owner)


def _parse(owner: str) -> tuple[int, str] | None:
    """Return the pid and start time in a mark of this machine, or None for any other text."""
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
    """Return a process's state letter and its start time in ticks since boot, or two empty strings if they cannot be
    read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""
