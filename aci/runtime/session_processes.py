"""Which processes belong to a session of a workspace, and how they end. Needs no `ps` where there is a /proc."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from aci.service import Service
from aci.shell import quote
from aci.workspace import Ran
from trajectories.errors import WorkspaceError

MARK = "SWE_AGENT_SESSION"
"""In the environment of all that a session starts; its value is `<workspace>.<session>`."""

_TICKS = 100.0  # of /proc/*/stat a second, on every Linux
_SLACK = 0.05  # seconds; times are known to a tick
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
    """`start` in seconds of the place's clock; `marked`: it has the mark that was asked for in its environment."""

    pid: int
    parent: int
    start: float
    marked: bool


class Processes:
    """The processes of the session `mark`, seen and ended from `service`: a shell's `Helper`.

    `inbox` is the path of a file for commands that are too big for a shell's stdin.
    """

    def __init__(self, service: Service, mark: str, inbox: str) -> None:
        self._service, self._mark, self._inbox = service, mark, inbox

    def alive(self, pid: int) -> bool:
        return self._run(f"kill -0 {pid} 2>/dev/null").code == 0

    def deliver(self, data: bytes) -> str:
        if self._service.put(quote(self._inbox), data, heed=False).code:
            raise WorkspaceError("A command could not be put into the workspace.", "See that its disk is not full.")
        return self._inbox

    def end(self, pid: int, seconds: float) -> None:
        """End the shell `pid`, and of its descendants those that began in the last `seconds`.

        The shell is stopped first, so that it does not go on with the rest of its command meanwhile.
        """
        began = time.monotonic() - seconds
        self._run(f"kill -STOP {pid} 2>/dev/null")
        since = began + self._clock() - _SLACK
        self._kill(_begun(self.table(marks=False), pid, since))  # needs no new process
        self._end_until_none(lambda found: _begun(found, pid, since))
        self._run(f"kill -KILL {pid} 2>/dev/null")

    def end_all(self) -> None:
        """End everything that has the mark, whatever its age."""
        self._end_until_none(lambda found: {each.pid for each in found if each.marked})

    def table(self, marks: bool = True) -> list[Process]:
        """The processes that can be seen. Without `marks` none is marked, and no process is started to find out."""
        clock, *rows = self._run(_TABLE).text.splitlines() or ["0"]
        found = self._run(_MARKED.format(mark=f"{MARK}={self._mark}")).text if marks else ""
        marked = {int(digits) for line in found.splitlines() if (digits := "".join(filter(str.isdigit, line)))}
        fields = [row.split() for row in rows]
        return [
            Process(int(pid), int(parent), _start(float(clock), start), int(pid) in marked)
            for pid, parent, start in (field for field in fields if len(field) == 3)
        ]

    def _clock(self) -> float:
        """The place's clock less ours; of several answers the quickest is the truest."""
        answers = []
        for _ in range(3):
            before = time.monotonic()
            theirs = float(self._run(_CLOCK).text)
            after = time.monotonic()
            answers.append((after - before, theirs - (before + after) / 2))
        return min(answers)[1]

    def _end_until_none(self, choose: Callable[[list[Process]], set[int]]) -> None:
        for _ in range(_ROUNDS):
            doomed = choose(self.table())
            if not doomed:
                return
            self._kill(doomed)

    def _run(self, command: str) -> Ran:
        """Run a command of ours even when the session was cancelled: that is when processes are to be ended."""
        return self._service.run(command, heed=False)

    def _kill(self, pids: set[int]) -> None:
        if pids:
            self._run(f"kill -KILL {' '.join(map(str, sorted(pids)))} 2>/dev/null")


def _begun(found: list[Process], shell: int, since: float) -> set[int]:
    """The descendants of `shell`, and what has its mark, that began at `since` or later."""
    family = {shell}
    while grown := {each.pid for each in found if each.parent in family} - family:
        family |= grown
    wrappers = {each.parent for each in found if each.pid == shell}
    ours = {each.pid for each in found if each.marked or each.pid in family} - {shell} - wrappers
    return {each.pid for each in found if each.pid in ours and each.start >= since}


def _start(clock: float, text: str) -> float:
    """When a process began: from /proc's ticks since the boot, or ps's age as [[days-]hours:]minutes:seconds."""
    if ":" not in text:
        return int(text) / _TICKS
    days, _, hours = text.rpartition("-")
    age = 0.0
    for part in hours.split(":"):
        age = age * 60 + float(part)
    return clock - age - 86400 * int(days or 0)
