"""The processes of a workspace's session: listing and ending them. On systems with /proc, no `ps` is needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from aci.runtime.control_shell import ControlShell
from aci.runtime.shell_session import quote
from aci.runtime.workspace import CommandResult
from trajectories.errors import WorkspaceError

SESSION_VARIABLE = "SWE_AGENT_SESSION"
"""The environment variable that marks all processes of a session; its value is `<workspace>.<session>.`."""

_TICKS = 100.0  # ticks of /proc/*/stat per second, on every Linux
_SLACK = 0.05  # tolerance in seconds: times are accurate to one tick
_ROUNDS = 5
_CLOCK = 'if [ -r /proc/uptime ]; then read -r up rest </proc/uptime; echo "$up"; else date +%s; fi\n'
_TABLE = (
    _CLOCK
    + """\
if [ -r /proc/uptime ]; then
    for stat in /proc/[0-9]*/stat; do
        { IFS= read -r line <"$stat"; } 2>/dev/null || continue
        pid=${line%% *}
        set -- ${line##*) }
        [ "$1" = Z ] || echo "$pid $2 ${20}"
    done
else
    ps -axo pid=,ppid=,etime=
fi
"""
)
_MARKED = """\
if [ -r /proc/uptime ]; then
    grep -lzF {mark} /proc/[0-9]*/environ 2>/dev/null
else
    ps -axEww -o pid=,command= | grep -F {mark} | while read -r pid rest; do echo "$pid"; done
fi
:"""


@dataclass(frozen=True, slots=True)
class Process:
    """A process. `start` is in seconds of the host's clock; `marked` means that its environment has the session's
    mark."""

    pid: int
    parent: int
    start: float
    marked: bool


class SessionProcesses:
    """The processes of the session `mark`, listed and ended through the control shell `service`.

    It implements `ShellHelper` for a shell. `inbox` is the path of a file for commands that are too big for a shell's
    stdin.
    """

    def __init__(self, service: ControlShell, mark: str, inbox: str) -> None:
        self._service, self._mark, self._inbox = service, mark, inbox

    def alive(self, pid: int) -> bool:
        return self._run(f"kill -0 {pid} 2>/dev/null").code == 0

    def deliver(self, data: bytes) -> str:
        if self._service.put(quote(self._inbox), data, cancellable=False).code:
            raise WorkspaceError("A command could not be sent to the workspace.", "Check that its disk is not full.")
        return self._inbox

    def end(self, pid: int, seconds: float) -> None:
        """End the shell `pid` and those of its descendants that started in the last `seconds`.

        The shell is stopped first, so that it does not run the rest of its command meanwhile.
        """
        began = time.monotonic() - seconds
        self._run(f"kill -STOP {pid} 2>/dev/null")
        since = began + self._clock() - _SLACK
        self._kill(_recent_descendants(self.table(marks=False), pid, since))  # this listing starts no process
        self._end_until_none(lambda found: _recent_descendants(found, pid, since))
        self._run(f"kill -KILL {pid} 2>/dev/null")

    def end_all(self) -> None:
        """End all processes with the mark, whatever their age."""
        self._end_until_none(lambda found: {each.pid for each in found if each.marked})

    def table(self, marks: bool = True) -> list[Process]:
        """Return the visible processes. If `marks` is false, the processes are listed without starting one, and none of
        them is `marked`."""
        clock, *rows = self._run(_TABLE).text.splitlines() or ["0"]
        found = self._run(_MARKED.format(mark=f"{SESSION_VARIABLE}={self._mark}")).text if marks else ""
        marked = {int(digits) for line in found.splitlines() if (digits := "".join(filter(str.isdigit, line)))}
        fields = [row.split() for row in rows]
        return [
            Process(int(pid), int(parent), _start_time(float(clock), start), int(pid) in marked)
            for pid, parent, start in (field for field in fields if len(field) == 3)
        ]

    def _clock(self) -> float:
        """Return the host's clock minus this machine's clock, in seconds. Of three measurements, the quickest is used,
        since it is the most accurate."""
        answers = []
        for _ in range(3):
            before = time.monotonic()
            host_time = float(self._run(_CLOCK).text)
            after = time.monotonic()
            answers.append((after - before, host_time - (before + after) / 2))
        return min(answers)[1]

    def _end_until_none(self, choose: Callable[[list[Process]], set[int]]) -> None:
        for _ in range(_ROUNDS):
            pids = choose(self.table())
            if not pids:
                return
            self._kill(pids)

    def _run(self, command: str) -> CommandResult:
        """Run a command even if the session was cancelled, since its processes must still be ended."""
        return self._service.run(command, cancellable=False)

    def _kill(self, pids: set[int]) -> None:
        if pids:
            self._run(f"kill -KILL {' '.join(map(str, sorted(pids)))} 2>/dev/null")


def _recent_descendants(found: list[Process], shell: int, since: float) -> set[int]:
    """Return the pids of all descendants of `shell` and all marked processes that started at or after `since`."""
    family = {shell}
    while grown := {each.pid for each in found if each.parent in family} - family:
        family |= grown
    wrappers = {each.parent for each in found if each.pid == shell}
    members = {each.pid for each in found if each.marked or each.pid in family} - {shell} - wrappers
    return {each.pid for each in found if each.pid in members and each.start >= since}


def _start_time(clock: float, text: str) -> float:
    """Return a process's start time, computed from /proc's ticks since boot or from ps's age
    ([[days-]hours:]minutes:seconds)."""
    if ":" not in text:
        return int(text) / _TICKS
    days, _, hours = text.rpartition("-")
    age = 0.0
    for part in hours.split(":"):
        age = age * 60 + float(part)
    return clock - age - 86400 * int(days or 0)
