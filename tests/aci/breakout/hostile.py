"""Words for hostile programs."""

from __future__ import annotations

from aci.posix import PosixWorkspace


def python(code: str) -> str:
    """A shell command that runs this code."""
    return f"python3 - <<'END_OF_PROGRAM'\n{code}\nEND_OF_PROGRAM"


def refused(ws: PosixWorkspace, *commands: str) -> None:
    """Each command fails, and the workspace goes on."""
    for command in commands:
        ran = ws.run(command, timeout=20)
        assert ran.code != 0, f"{command}: {ran.text}"
    assert ws.run("echo alive").text == "alive\n"
