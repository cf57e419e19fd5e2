"""The command line of bubblewrap, its seccomp filters, and the causes of its failures.

`SandboxContents` collects what a sandbox contains: nothing but what it names is visible there.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from contextlib import ExitStack
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from trajectories.errors import WorkspaceError

FilterKind = Literal["plain", "counting"]

NAMESPACES = (
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--disable-userns", "--die-with-parent", "--as-pid-1"),
)
KEPT_CAPABILITY = "CAP_NET_BIND_SERVICE"
"""The capability that protects the harness's programs from being traced by the agent's; see `sandbox_init`. In the
sandbox's own network it allows nothing but ports below 1024."""

SHARED_MEMORY = 256 << 20
"""Number of bytes of /dev/shm."""

PROCESSORS = ("x86_64", "aarch64")

_INSTEAD = "Use `--workspace docker`, or `--workspace local`, which has no isolation."
_FAILURES = (
    (
        r"No permissions to create new namespace|Can't mount proc on",
        "this container or the kernel does not allow user namespaces",
        "Run swe-agent outside of the container, or use `--workspace local` if the container is the boundary.",
    ),
    (
        r"Creating new namespace failed.*(?:nesting depth|ENOSPC)|max_\w+_namespaces exceeded",
        "the limit of user namespaces is reached, as inside of another sandbox",
        f"Ask your administrator for more user namespaces. {_INSTEAD}",
    ),
    (
        r"setting up uid map: Permission denied|Failed RTM_NEWADDR",
        "AppArmor does not allow bubblewrap to use user namespaces",
        "Install your distribution's bubblewrap and its AppArmor profile: on Ubuntu 25.04 and later in the package "
        f"`apparmor`, on 24.04 `bwrap-userns-restrict` in `apparmor-profiles`. {_INSTEAD}",
    ),
    (
        r"cannot open /proc/sys/user/max_user_namespaces: Permission denied|setuid use of bubblewrap",
        "bubblewrap is installed setuid, which is not used here",
        f"Install your distribution's bubblewrap without the setuid bit. {_INSTEAD}",
    ),
    (
        r"Unknown option",
        "this bubblewrap is older than 0.8",
        f"Install bubblewrap 0.8 or later. {_INSTEAD}",
    ),
)


def unavailable_reason() -> WorkspaceError | None:
    """Return why a sandbox is impossible here, without starting one; None if it may work."""
    if platform.system() != "Linux":
        return _unavailable("bubblewrap needs Linux", _INSTEAD)
    if os.geteuid() == 0:
        return _unavailable(
            "a sandbox of root could change settings of the kernel",
            "Run swe-agent as an ordinary user, or use `--workspace docker`.",
        )
    if platform.machine() not in PROCESSORS:
        return _unavailable(f"there is no seccomp filter for {platform.machine()}", _INSTEAD)
    if not _program():
        return _unavailable("bubblewrap is not installed", f"Install the package `bubblewrap`. {_INSTEAD}")
    return None


def failure(output: str) -> WorkspaceError:
    """Return the error for a sandbox that did not start and printed `output`."""
    for pattern, reason, fix in _FAILURES:
        if re.search(pattern, output, re.DOTALL):
            return _unavailable(reason, fix)
    text = output.strip()[-300:] or "bubblewrap did not answer"
    return _unavailable(text.removesuffix("."), _INSTEAD)


class SandboxContents:
    """The contents of a sandbox, in the order in which they are mounted."""

    def __init__(self) -> None:
        self._arguments: list[str] = []
        self._files: list[tuple[str, bytes]] = []

    def add(self, *arguments: str) -> None:
        """Add arguments of bubblewrap."""
        self._arguments += arguments

    def show(self, source: str | Path, target: str | Path = "") -> None:
        """Show a file or folder of the host, read-only, under the same path or as `target`."""
        self.add("--ro-bind", str(source), str(target or source))

    def share(self, source: str | Path, target: str | Path) -> None:
        """Show a folder of the host so that programs may write to it."""
        self.add("--bind", str(source), str(target))

    def put(self, path: str, content: str) -> None:
        """Put a read-only file with this content there."""
        self._files.append((path, content.encode()))

    def command(self, kind: FilterKind, stack: ExitStack) -> tuple[list[str], list[int]]:
        """Return the words that start a program in the sandbox, whose own words follow, and the descriptors that
        bubblewrap inherits, which `stack` closes."""
        uid, gid = os.getuid(), os.getgid()
        words = [_program() or "bwrap", *NAMESPACES, "--hostname", "sandbox", "--uid", str(uid), "--gid", str(gid)]
        words += ["--cap-drop", "ALL", "--cap-add", KEPT_CAPABILITY, "--clearenv", *self._arguments]
        descriptors = []
        for path, content in self._files:
            descriptors.append(_open_content(content, stack))
            words += ["--ro-bind-data", str(descriptors[-1]), path]
        words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]
        for program in _filters(kind):
            descriptors.append(_open_content(program, stack))
            words += ["--add-seccomp-fd", str(descriptors[-1])]
        return [*words, "--"], descriptors


def _filters(kind: FilterKind) -> list[bytes]:
    """Return the seccomp filters. `counting` allows counting instructions."""
    processor = platform.machine()
    names = [f"{processor}{'-counting' if kind == 'counting' else ''}.bpf", f"{processor}-denied.bpf", "newer.bpf"]
    folder = files("extensions.sandbox").joinpath("seccomp")
    return [folder.joinpath(name).read_bytes() for name in names]


def _open_content(content: bytes, stack: ExitStack) -> int:
    descriptor = os.memfd_create("swe-agent")
    stack.callback(os.close, descriptor)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@cache
def _program() -> str | None:
    return shutil.which("bwrap")


def _unavailable(reason: str, fix: str) -> WorkspaceError:
    return WorkspaceError(f"The sandbox cannot be used: {reason}.", fix)
