"""Which processes belong to a session of a workspace, and how they end. Needs no `ps` where there is a /proc."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from aci.service import Service
from aci.shell import quote
from trajectories.errors import WorkspaceError

MARK = "SWE_AGENT_SESSION"
"""In the environment of all that a session starts; its value is `<workspace>.<session>`."""

_TICKS = 100.0  # of /proc/*/stat a second, on every Linux
_SLACK = 0.05  # seconds; start times are known to a tick
_ROUNDS = 5
_TABLE = """\
if [ -r /proc/uptime ]; then
    while read -r up rest; do echo "$up"; done </proc/uptime
    for stat in /proc/[0-9]*/stat; do
        {{ IFS= read -r line <"$stat"; }} 2>/dev/null || continue
        pid=${{line%% *}}
        set -- ${{line##*) }}
        [ "$1" = Z ] || echo "$pid $2 ${{20}}"
    done
    echo marked
    grep -lF {mark} /proc/[0-9]*/environ 2>/dev/null
else
    echo 0
    ps -axo pid=,ppid=,etime=
    echo marked
    ps -axEww -o pid=,command= | grep -F {mark} | while read -r pid rest; do echo "$pid"; done
fi
:"""


@dataclass(frozen=True, slots=True)
class Process:
    """`age` in seconds; `marked`: it has the mark that was asked for in its environment."""

    pid: int
    parent: int
    age: float
    marked: bool


class Processes:
    """The processes of the session `mark`, seen and ended from `service`: a shell's `Helper`.

    `inbox` is the path of a file for commands that are too big for a shell's stdin.
    """

    def __init__(self, service: Service, mark: str, inbox: str) -> None:
        self._service, self._mark, self._inbox = service, mark, inbox

    def alive(self, pid: int) -> bool:
        return self._service.run(f"kill -0 {pid} 2>/dev/null").code == 0

    def deliver(self, data: bytes) -> str:
        if self._service.put(quote(self._inbox), data).code:
            raise WorkspaceError("A command could not be put into the workspace.", "See that its disk is not full.")
        return self._inbox

    def end(self, pid: int, seconds: float) -> None:
        """End the shell `pid`, and of its descendants those younger than `seconds`.

        The shell is stopped first, so that it does not go on with the rest of its command meanwhile.
        """
        began = time.monotonic() - seconds
        self._service.run(f"kill -STOP {pid} 2>/dev/null")
        self._end_until_none(lambda found: _younger(found, pid, time.monotonic() - began))
        self._service.run(f"kill -KILL {pid} 2>/dev/null")

    def end_all(self) -> None:
        """End everything that has the mark, whatever its age."""
        self._end_until_none(lambda found: {each.pid for each in found if each.marked})

    def table(self) -> list[Process]:
        """The processes that can be seen."""
        table, _, marks = self._service.run(_TABLE.format(mark=f"{MARK}={self._mark}")).text.partition("marked\n")
        uptime, *rows = table.splitlines() or ["0"]
        marked = {int(digits) for line in marks.splitlines() if (digits := "".join(filter(str.isdigit, line)))}
        fields = [row.split() for row in rows]
        return [
            Process(int(pid), int(parent), _age(float(uptime), start), int(pid) in marked)
            for pid, parent, start in (field for field in fields if len(field) == 3)
        ]

    def _end_until_none(self, choose: Callable[[list[Process]], set[int]]) -> None:
        for _ in range(_ROUNDS):
            doomed = choose(self.table())
            if not doomed:
                return
            self._service.run(f"kill -KILL {' '.join(map(str, sorted(doomed)))} 2>/dev/null")


def _younger(found: list[Process], shell: int, seconds: float) -> set[int]:
    """The descendants of `shell`, and what has its mark, that began with the present command."""
    family = {shell}
    while grown := {each.pid for each in found if each.parent in family} - family:
        family |= grown
    wrappers = {each.parent for each in found if each.pid == shell}
    ours = {each.pid for each in found if each.marked or each.pid in family} - {shell} - wrappers
    return {each.pid for each in found if each.pid in ours and each.age <= seconds + _SLACK}


def _age(uptime: float, start: str) -> float:
    """Seconds from /proc's ticks since the boot, or from ps's [[days-]hours:]minutes:seconds."""
    if ":" not in start:
        return uptime - int(start) / _TICKS
    days, _, clock = start.rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds + 86400 * int(days or 0)
