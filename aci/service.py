"""Our own shell in a workspace, beside the sessions of the agent: it moves files, takes snapshots, ends processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event

from aci.shell import Shell
from aci.workspace import Ran
from trajectories.errors import WorkspaceError

PATIENCE = 900.0
_BLOCK = 30_000
_PRINTF = {0: b"\\0000", 0x5C: b"\\\\"}


class NoAnswer(WorkspaceError):
    """A command of ours took too long and was ended; the shell answers again."""


class Service:
    """A POSIX shell with an environment that no command of the agent can change. `cancel` ends what runs in it."""

    def __init__(
        self, prefix: Sequence[str], cwd: str, env: Mapping[str, str] | None, cancel: Event | None = None
    ) -> None:
        self._shell = Shell(prefix, cwd=cwd, env=env, cancel=cancel, program="sh")

    def run(self, command: str | bytes, cap: int = 16_000_000, patience: float = PATIENCE, heed: bool = True) -> Ran:
        """Run `command`; any exit status is an answer.

        Raises WorkspaceError when the shell is gone or does not answer within `patience` seconds, and Cancelled unless
        told not to `heed` that.
        """
        ran = self._shell.run(command, patience, cap, heed)
        if ran.timed_out:
            raise NoAnswer(
                f"The workspace did not answer within {patience:.0f} s.", "`swe-agent resume` goes on in a new one."
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

    def put(self, path: bytes, data: bytes, patience: float = PATIENCE, heed: bool = True) -> Ran:
        """Write `data` to the file whose quoted name is `path`, keeping its mode, with no process started."""
        ran = self._print(data[:_BLOCK], b"> " + path, patience, heed)
        for start in range(_BLOCK, len(data), _BLOCK):
            if ran.code:
                break
            ran = self._print(data[start : start + _BLOCK], b">> " + path, patience, heed)
        return ran

    def close(self) -> None:
        self._shell.close()

    def _print(self, data: bytes, where: bytes, patience: float, heed: bool) -> Ran:
        text = data.replace(b"\\", _PRINTF[0x5C]).replace(b"\0", _PRINTF[0]).replace(b"'", b"'\\''")
        return self.run(b"\\command printf '%b' '" + text + b"' " + where, patience=patience, heed=heed)
