"""Words for hostile programs."""

from __future__ import annotations

from aci.runtime.posix_workspace import PosixWorkspace


def python(code: str) -> str:
    """A shell command that runs this code."""
    return f"python3 - <<'END_OF_PROGRAM'\n{code}\nEND_OF_PROGRAM"


def refused(ws: PosixWorkspace, *commands: str) -> None:
    """Each command fails, and the workspace goes on."""
    for command in commands:
        ran = ws.run(command, timeout=20)
        assert ran.code != 0, f"{command}: {ran.text}"
    assert ws.run("echo alive").text == "alive\n"


def host_mounts(mountinfo: str) -> list[str]:
    """The folders and files of a container, other than its root, by which it can write to a disk of the host."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        path, options = before.split()[4:6]
        on_disk = after.split()[0] not in ("tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2")
        if path != "/" and on_disk and "ro" not in options.split(","):
            found.append(path)
    return found
