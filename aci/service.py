"""Our own shell in a workspace, beside the sessions of the agent: it moves files, takes snapshots, ends processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aci.shell import Shell
from aci.workspace import Ran
from trajectories.errors import WorkspaceError

_PATIENCE = 900.0
_BLOCK = 30_000
_PRINTF = {0: b"\\0000", 0x5C: b"\\\\"}


class Service:
    """A POSIX shell with an environment that no command of the agent can change."""

    def __init__(self, prefix: Sequence[str], cwd: str, env: Mapping[str, str] | None) -> None:
        self._shell = Shell(prefix, cwd=cwd, env=env, program="sh")

    def run(self, command: str | bytes, cap: int = 16_000_000) -> Ran:
        """Run `command`; any exit status is an answer. Raises WorkspaceError when the shell is gone."""
        ran = self._shell.run(command, _PATIENCE, cap)
        if ran.timed_out:
            raise WorkspaceError(
                f"The workspace did not answer within {_PATIENCE:.0f} s.", "`swe-agent resume` goes on in a new one."
            )
        return ran

    def ask(self, command: str | bytes, what: str) -> bytes:
        """The output of `command`. Raises WorkspaceError that says `what` failed, when it did."""
        ran = self.run(command)
        if ran.code:
            raise WorkspaceError(
                f"The workspace could not {what}: {ran.text.strip()[-500:] or f'exit status {ran.code}'}.",
                "See that its disk is not full; `swe-agent resume` goes on in a new workspace.",
            )
        return ran.output

    def put(self, path: bytes, data: bytes) -> Ran:
        """Write `data` to the file whose quoted name is `path`, keeping its mode, with no process started."""
        ran = self._print(data[:_BLOCK], b"> " + path)
        for start in range(_BLOCK, len(data), _BLOCK):
            if ran.code:
                break
            ran = self._print(data[start : start + _BLOCK], b">> " + path)
        return ran

    def close(self) -> None:
        self._shell.close()

    def _print(self, data: bytes, where: bytes) -> Ran:
        text = data.replace(b"\\", _PRINTF[0x5C]).replace(b"\0", _PRINTF[0]).replace(b"'", b"'\\''")
        return self.run(b"\\command printf '%b' '" + text + b"' " + where)
