"""Helpers for tests with hostile programs."""

from __future__ import annotations

from aci.runtime.posix_workspace import PosixWorkspace


def python(code: str) -> str:
    """Return a shell command that runs this Python code."""
    return f"python3 - <<'END_OF_PROGRAM'\n{code}\nEND_OF_PROGRAM"


def assert_refused(ws: PosixWorkspace, *commands: str) -> None:
    """Check that each command fails and that the workspace still answers."""
    for command in commands:
        result = ws.run(command, timeout=20)
        assert result.code != 0, f"{command}: {result.text}"
    assert ws.run("echo alive").text == "alive\n"


def host_mounts(mountinfo: str) -> list[str]:
    """Return the mounts of a container, except its root, through which it can write to a disk of the host."""
    mounts = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        path, options = before.split()[4:6]
        on_disk = after.split()[0] not in ("tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2")
        if path != "/" and on_disk and "ro" not in options.split(","):
            mounts.append(path)
    return mounts
