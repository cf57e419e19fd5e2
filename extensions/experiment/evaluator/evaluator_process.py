"""Host side of the process in the workspace that collects the tests and runs candidates.

The work is done by the programs in `guest` under the target's own Python. They are written into the workspace and start
with the test command, as a pytest plug-in, instead of unittest, or within Django's runner; then requests and
answers go through pipes as JSON lines. The process also runs untrusted code, so that the form of every answer is
checked.
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

from aci.runtime.guest_programs import PACKAGE, install_programs, parse_object, program_source
from aci.runtime.workspace import LineConversation, Workspace
from aci.testing.command_files import django_labels, is_django_command, prepend_python_path
from aci.testing.project_commands import choose_project
from trajectories.errors import Cancelled, UsageError, WorkspaceError

START_SECONDS = 90.0
TICK = 0.1
MOST_CPU = 1e9
SPARE = 30.0
"""Seconds beyond its own time limit that a job may take to report that it has ended."""
SILENT = START_SECONDS
"""Number of seconds without a line of output after which the process is ended; normally it writes four lines a
second."""
MOST_ENDS = 5
"""Maximum number of times that the process may end before an error is raised."""


class NotCollected(UsageError):
    """Raised when the process has not collected its tests in time; another attempt would take as long."""


class ProcessEnded(WorkspaceError):
    """Raised when the process has ended, which also ends all open requests; the next request starts another process."""


class CandidateServer:
    """Connection to the process; it starts with the first request.

    It knows only the tests `names` in the project of the first one if the command runs several projects. Before a
    restart, the files of `tree` are restored, if it is given. `cpu` is the number of CPU seconds used by the
    target's processes, including running ones. `tick` is called at least every 0.25 s while waiting for an answer.

    Raises UsageError if the tests cannot be run in one process, Cancelled when `cancel` is set, ProcessEnded if the
    process has ended, and WorkspaceError if that happened too often.
    """

    def __init__(self, workspace: Workspace, command: str, names: Sequence[str], cancel: Event, tree: str = "") -> None:
        self.workspace, self.cancel, self.tree = workspace, cancel, tree
        self.command, self.names = choose_project(command, names)
        self.cpu = 0.0
        self.tick: Callable[[], None] = lambda: None
        self._conversation: LineConversation | None = None
        self._log = f"{workspace.harness}/repair-log.txt"
        self._last = 0
        self._answers: dict[int, deque[dict[str, Any]]] = {}
        self._ends = 0
        self._earlier = self._last_line = 0.0

    def close(self) -> None:
        """End the process and its child processes. May be called twice."""
        if self._conversation:
            self._conversation.close()
            self._conversation = None

    def request(self, job: dict[str, Any]) -> int:
        """Send a job, and return the number under which its answers arrive."""
        talk = self._start()
        self._last_line = time.monotonic()
        self._last += 1
        self._answers[self._last] = deque()
        talk.send(json.dumps({**job, "id": self._last}).encode())
        return self._last

    def next(self, number: int, until: float) -> dict[str, Any] | None:
        """Return the next answer with that number; None if there is none before `until` on the monotonic clock.

        An answer that contains `end` is the last one.
        """
        while True:
            if number not in self._answers:
                raise ProcessEnded("The process that runs edits has ended.")
            answers = self._answers[number]
            if answers:
                break
            left = until - time.monotonic()
            if left <= 0:
                return None
            self._receive(min(left, TICK))
            self.tick()
        answer = answers.popleft()
        if "end" in answer:
            del self._answers[number]
        return answer

    def drop(self, number: int) -> None:
        """Cancel a request."""
        if self._answers.pop(number, None) is not None and self._conversation:
            self._conversation.send(json.dumps({"mode": "drop", "id": number}).encode())

    def ask(self, job: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
        """Return the answers to a job within `seconds`, or until the process ends."""
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

    def _start(self) -> LineConversation:
        if self._conversation is None:
            if self._ends and self.tree:
                self.workspace.restore(self.tree)
            self._install()
            self._conversation = self.workspace.converse(self._line(), "repair")
            self._answers[0] = deque()
            self._last_line = time.monotonic()
            hello = self.next(0, time.monotonic() + START_SECONDS)
            self._answers.pop(0, None)
            if hello is None:
                self.close()
                raise NotCollected(f"The tests were not collected within {START_SECONDS:.0f} s.", _CHECK)
        return self._conversation

    def _receive(self, seconds: float) -> None:
        """Receive answers and sort them by the number of their request."""
        if self.cancel.is_set():
            raise Cancelled("The search for a repair was interrupted.")
        assert self._conversation
        lines = self._conversation.receive(seconds)
        if lines:
            self._last_line = time.monotonic()
        if lines is None or time.monotonic() - self._last_line > SILENT:
            self.close()
            raise self._end_error()
        for line in lines:
            answer = parse_object(line) or {}
            cpu = answer.get("cpu")
            if isinstance(cpu, float | int) and 0 <= cpu <= MOST_CPU:
                self.cpu = max(self.cpu, self._earlier + cpu)
            number = 0 if "workers" in answer else answer.get("id")
            if isinstance(number, int) and number in self._answers:
                self._answers[number].append(answer)

    def _end_error(self) -> Exception:
        """Return the exception to raise for the end of the process."""
        try:
            log = self.workspace.read(self._log).decode("utf-8", "replace").strip()[-500:]
        except (OSError, UsageError):
            log = ""
        if 0 in self._answers:
            return UsageError(f"The tests cannot be run in one process: {log}", _CHECK)
        self._answers.clear()
        self._earlier = self.cpu
        self._ends += 1
        kind = ProcessEnded if self._ends <= MOST_ENDS else WorkspaceError
        return kind(f"The process that runs edits has ended: {log}", "Check that it has enough memory.")

    def _install(self) -> None:
        install_programs(
            self.workspace.write,
            self.workspace.harness,
            "experiment.evaluator_main",
            "experiment.evaluator_plugin",
            "experiment.evaluator_runner",
        )
        if is_django_command(self.command):
            self.workspace.write(f"{self.workspace.harness}/sitecustomize.py", program_source("results/site_hook.py"))
        spec = {"root": self.workspace.root, "names": list(self.names), "folders": unittest_folders(self.command)}
        self.workspace.write(self._spec, json.dumps(spec).encode())

    @property
    def _spec(self) -> str:
        return f"{self.workspace.harness}/repair-job.json"

    def _line(self) -> str:
        """Return the shell commands that start the process: JSON lines use descriptors 7 and 8, and all other output
        goes into a file."""
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
                f"PYTEST_PLUGINS=${{PYTEST_PLUGINS:+$PYTEST_PLUGINS,}}{PACKAGE}.experiment.evaluator_plugin",
                'PYTEST_ADDOPTS="${PYTEST_ADDOPTS-} -s"',
            ]
        command = self.command if python is None else f"{python} -m {PACKAGE}.experiment.evaluator_main"
        command = prepend_python_path(self.workspace.harness, command) + django_labels(command, self.names)
        root = shlex.quote(self.workspace.root)
        return (
            f"exec 7<&0 8>&1 </dev/null >{shlex.quote(self._log)} 2>&1\n"
            f"cd {root} && export {' '.join(settings)} && {command}\n"
            "exit $?\n"  # keeps the shell alive, because its descriptors are opened through its process id
        )


_CHECK = "Check the test command (--test); it must run pytest or unittest."


def unittest_python(command: str) -> str | None:
    """Return the interpreter of a unittest command (`A=1 python3 -m unittest -q` -> `A=1 python3`), else None."""
    found = re.match(r"(.*\S)\s+-m\s+unittest\b", command.strip())
    return found[1] if found else None


def unittest_folders(command: str) -> list[str]:
    """Return the folders that `unittest discover` adds to the import path: start (-s) and top level (-t)."""
    try:
        words = shlex.split(command.partition(" discover ")[2])
    except ValueError:
        return []
    options = ("-s", "--start-directory", "-t", "--top-level-directory")
    pairs = [(word, after) for word, after in pairwise(words) if word in options]
    return [folder for _, folder in pairs] + [word for word in words[:1] if not word.startswith("-")]
