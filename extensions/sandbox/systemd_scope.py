"""Scopes of the user's systemd, which limit the memory, processes and CPUs of a sandbox as a whole by a cgroup."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

CONTINUE = ("-p", "OOMPolicy=continue")
"""Keep a scope when the kernel ends one of its processes because memory is used up. The default of systemd ends all."""
_SECONDS = 10.0
_VARIABLES = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")


@dataclass(frozen=True, slots=True)
class ScopeLimits:
    """Limits of all processes of a sandbox together: bytes of memory, number of processes, number of CPUs (0 for all
    CPUs of the machine)."""

    memory: int
    processes: int
    cpus: float = 0.0


def scope_words(limits: ScopeLimits | None) -> tuple[list[str], dict[str, str]]:
    """Return the words that start a program in a new scope, with an empty environment, and the environment that they
    need themselves; nothing if there are no limits or the user's systemd does not grant these controllers."""
    if limits is None or not (start := systemd_run()):
        return [], {}
    properties = {
        "MemoryMax": str(limits.memory),
        "MemorySwapMax": "0",
        "TasksMax": str(limits.processes),
        "CPUQuota": f"{max(1, round(limits.cpus * 100))}%" if limits.cpus else "",
    }
    words = [*start, "--description=swe-agent: a sandbox"]
    for name, value in properties.items():
        words += ["-p", f"{name}={value}"] if value else []
    env = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    return [*words, shutil.which("env") or "/usr/bin/env", "-i"], env


@cache
def systemd_run() -> tuple[str, ...]:
    """Return the words that start a scope, with CONTINUE if systemd knows it for scopes; no words if the user has no
    systemd that can limit memory and processes."""
    program = shutil.which("systemd-run")
    if program is None or "XDG_RUNTIME_DIR" not in os.environ:
        return ()
    words = (program, "--user", "--scope", "--quiet", "--collect")
    return next((start for start in ((*words, *CONTINUE), words) if _can_limit(start)), ())


def _can_limit(start: tuple[str, ...]) -> bool:
    """Return whether a scope that these words start has limits."""
    script = 'grep -qs "[0-9]" "/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/memory.max"'
    words = [*start, "-p", "MemoryMax=100M", "-p", "TasksMax=10", "sh", "-c", script]
    try:
        return not subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False
