"""The process in the workspace that has collected the tests and tries candidates: the host's end of it.

The work is done by files of `aci/inside/` under the target's own Python. They are put into the workspace and begin with
the test command, as a pytest plug-in or instead of unittest; then requests and answers go as JSON lines through its
pipes. Everything that comes back was said beside code that is not trusted: its shape is checked.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from threading import Event
from typing import Any

from aci.commands import importing
from aci.conversation import Conversation
from aci.target import place
from aci.workspace import Workspace
from trajectories.errors import Cancelled, UsageError, WorkspaceError

PACKAGE = "swe_agent_repair"
FILES = (
    *("sandbox", "swap", "restless", "canary", "surroundings", "runners", "trying", "workers", "serving"),
    *("repair", "plugin", "trace", "observing", "probing", "behave", "calling", "variants", "shape", "lines_run"),
)
START_SECONDS = 90.0
TICK = 0.1
MOST_CPU = 1e9
SPARE = 30.0
"""Seconds beyond its own that a mode may take to say that it has ended."""
SILENT = START_SECONDS
"""Seconds without a line after which the process is ended: it says something four times a second."""
MOST_ENDS = 5
"""How often the process may end before that is an error."""


class ProcessEnded(WorkspaceError):
    """The process has ended with all requests that were under way; the next request begins another."""


class CandidateServer:
    """Begins with the first request; where it has to begin anew, on the files of `tree`, if that is given. `cpu`:
    seconds that the target's processes have used, running ones included.

    `tick` is called at least each 0.25 s while an answer is waited for. Raises UsageError where the tests cannot be run
    in one process, Cancelled when `cancel` is set, ProcessEnded when the process is gone, WorkspaceError when that was
    once too often.
    """

    def __init__(self, workspace: Workspace, command: str, names: Sequence[str], cancel: Event, tree: str = "") -> None:
        self.workspace, self.command, self.names, self.cancel, self.tree = workspace, command, names, cancel, tree
        self.cpu = 0.0
        self.tick: Callable[[], None] = lambda: None
        self._talk: Conversation | None = None
        self._log = f"{workspace.harness}/repair-log.txt"
        self._last = 0
        self._answers: dict[int, deque[dict[str, Any]]] = {}
        self._ends = 0
        self._earlier = self._heard = 0.0

    def close(self) -> None:
        """End the process with all that it started. May be called twice."""
        if self._talk:
            self._talk.close()
            self._talk = None

    def request(self, job: dict[str, Any]) -> int:
        """Ask for a job; the answers come under the number."""
        talk = self._begun()
        self._heard = time.monotonic()
        self._last += 1
        self._answers[self._last] = deque()
        talk.send(json.dumps({**job, "id": self._last}).encode())
        return self._last

    def next(self, number: int, until: float) -> dict[str, Any] | None:
        """The next answer under that number; None where there is none before `until` on the monotonic clock.

        One with `end` is the last.
        """
        while True:
            if number not in self._answers:
                raise ProcessEnded("The process that tries edits has ended.")
            answers = self._answers[number]
            if answers:
                break
            left = until - time.monotonic()
            if left <= 0:
                return None
            self._hear(min(left, TICK))
            self.tick()
        answer = answers.popleft()
        if "end" in answer:
            del self._answers[number]
        return answer

    def drop(self, number: int) -> None:
        """Say that no answer is wanted any more."""
        if self._answers.pop(number, None) is not None and self._talk:
            self._talk.send(json.dumps({"mode": "drop", "id": number}).encode())

    def ask(self, job: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
        """What a mode of the target's answers within so many seconds, or until the process ends."""
        number = self.request({**job, "seconds": seconds})
        until = time.monotonic() + seconds + SPARE
        found = []
        try:
            while (answer := self.next(number, until)) is not None:
                if isinstance(answer.get("answer"), dict):
                    found.append(answer["answer"])
                if "end" in answer:
                    break
        except ProcessEnded:
            pass
        finally:
            self.drop(number)
        return found

    def _begun(self) -> Conversation:
        if self._talk is None:
            if self._ends and self.tree:
                self.workspace.restore(self.tree)
            self._install()
            self._talk = self.workspace.converse(self._line(), "repair")
            self._answers[0] = deque()
            self._heard = time.monotonic()
            hello = self.next(0, time.monotonic() + START_SECONDS)
            self._answers.pop(0, None)
            if hello is None:
                self.close()
                raise UsageError(f"The tests were not collected within {START_SECONDS:.0f} s.", _CHECK)
        return self._talk

    def _hear(self, seconds: float) -> None:
        """Take what has come, and put it where it is waited for."""
        if self.cancel.is_set():
            raise Cancelled("The search for a repair was interrupted.")
        assert self._talk
        lines = self._talk.receive(seconds)
        if lines:
            self._heard = time.monotonic()
        if lines is None or time.monotonic() - self._heard > SILENT:
            self.close()
            raise self._gone()
        for line in lines:
            answer = _object(line)
            cpu = answer.get("cpu")
            if isinstance(cpu, float | int) and 0 <= cpu <= MOST_CPU:
                self.cpu = max(self.cpu, self._earlier + cpu)
            number = 0 if "workers" in answer else answer.get("id")
            if isinstance(number, int) and number in self._answers:
                self._answers[number].append(answer)

    def _gone(self) -> Exception:
        try:
            said = self.workspace.read(self._log).decode("utf-8", "replace").strip()[-500:]
        except (OSError, UsageError):
            said = ""
        if 0 in self._answers:
            return UsageError(f"The tests cannot be run in one process: {said}", _CHECK)
        self._answers.clear()
        self._earlier = self.cpu
        self._ends += 1
        kind = ProcessEnded if self._ends <= MOST_ENDS else WorkspaceError
        return kind(f"The process that tries edits has ended: {said}", "See that it has enough memory.")

    def _install(self) -> None:
        place(self.workspace, "__init__", *FILES, inside=PACKAGE)
        spec = {"root": self.workspace.root, "names": list(self.names), "folders": unittest_folders(self.command)}
        self.workspace.write(self._spec, json.dumps(spec).encode())

    @property
    def _spec(self) -> str:
        return f"{self.workspace.harness}/repair-job.json"

    def _line(self) -> str:
        """The shell's commands: our lines go to and from descriptors 7 and 8, all other output into a file."""
        harness = shlex.quote(self.workspace.harness)
        settings = [
            f"PYTHONPATH={harness}${{PYTHONPATH:+:$PYTHONPATH}}",
            "PYTHONDONTWRITEBYTECODE=1",
            "PYTHONHASHSEED=0",
            f"SWE_AGENT_JOB={shlex.quote(self._spec)}",
            "SWE_AGENT_WIRE=$$",
        ]
        python = unittest_python(self.command)
        if python is None:
            settings += [
                f"PYTEST_PLUGINS=${{PYTEST_PLUGINS:+$PYTEST_PLUGINS,}}{PACKAGE}.plugin",
                'PYTEST_ADDOPTS="${PYTEST_ADDOPTS-} -s"',
            ]
        command = self.command if python is None else f"{python} -m {PACKAGE}.repair"
        command = importing(self.workspace.harness, command)
        root = shlex.quote(self.workspace.root)
        return (
            f"exec 7<&0 8>&1 </dev/null >{shlex.quote(self._log)} 2>&1\n"
            f"cd {root} && export {' '.join(settings)} && {command}\n"
            "exit $?\n"  # so that the shell stays: its descriptors are opened by its process id
        )


_CHECK = "Check the test command (--test); pytest and unittest are known here."


def unittest_python(command: str) -> str | None:
    """The interpreter of a command that runs unittest (`A=1 python3 -m unittest -q` -> `A=1 python3`), else None."""
    found = re.match(r"(.*\S)\s+-m\s+unittest\b", command.strip())
    return found[1] if found else None


def unittest_folders(command: str) -> list[str]:
    """The folders that `unittest discover` puts on the import path: start (-s) and top level (-t)."""
    try:
        words = shlex.split(command.partition(" discover ")[2])
    except ValueError:
        return []
    options = ("-s", "--start-directory", "-t", "--top-level-directory")
    pairs = [(word, after) for word, after in pairwise(words) if word in options]
    return [folder for _, folder in pairs] + [word for word in words[:1] if not word.startswith("-")]


def _object(line: bytes) -> dict[str, Any]:
    """The line's JSON object; an empty one where it is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
