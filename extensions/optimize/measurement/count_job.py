"""Instruction-counting jobs: the host, the choice of a backend, and the request to the guest program
`extensions/optimize/guest/count_runner.py`."""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from aci.runtime.guest_programs import PREFIX, install_programs
from aci.runtime.workspace import Workspace
from extensions.optimize.counters import CounterUnusable, CountHost, Tool
from trajectories.errors import Cancelled, UsageError
from trajectories.plugins import names

SESSION = "counting"
PATIENCE = 60.0
"""Maximum number of seconds for a helper command on the counting host."""

MOST = 1 << 62
"""Upper limit of plausible counts."""

Run = Callable[[str, float], tuple[int, str]]
"""Runs a shell line with a time limit in seconds; returns (exit status, output)."""

PROGRAM_PACKAGE = f"{PREFIX}program"
_SITE = f"""\
import sys
import {PROGRAM_PACKAGE}.optimize.metered_program
folder = __file__.rpartition("/")[0]
sys.path = [each for each in sys.path if each != folder]
del sys.modules["sitecustomize"]
try:
    import sitecustomize
except ImportError:
    pass
sys.path.insert(0, folder)
{PROGRAM_PACKAGE}.optimize.metered_program.count_program()
"""


@dataclass(frozen=True, slots=True)
class WorkspaceHost:
    """A workspace used as a counting host; no other commands run in it."""

    workspace: Workspace
    folder: str

    def run(self, line: str, timeout: float) -> tuple[int, str]:
        ran = self.workspace.run(line, timeout, SESSION)
        if ran.code == 130:
            raise Cancelled("The counting was interrupted.")
        return ran.code, ran.text

    def write(self, path: str, data: bytes) -> None:
        self.workspace.write(path, data)

    def read(self, path: str) -> bytes:
        return self.workspace.read(path)


@dataclass(frozen=True, slots=True)
class LocalHost:
    """This machine as the counting host, for a user's own command; `folder` is a temporary folder."""

    folder: str

    def run(self, line: str, timeout: float) -> tuple[int, str]:
        out, error = subprocess.PIPE, subprocess.STDOUT
        try:
            ran = subprocess.run(["/bin/sh", "-c", line], stdout=out, stderr=error, timeout=timeout)
        except subprocess.TimeoutExpired:
            return 124, f"It took more than {timeout:g} s."  # the same status as in a workspace
        return ran.returncode, ran.stdout.decode("utf-8", "replace")

    def write(self, path: str, data: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data)

    def read(self, path: str) -> bytes:
        return Path(path).read_bytes()


@dataclass(slots=True)
class CountJob:
    """A counting job for one backend, run by `extensions/optimize/guest/count_runner.py`.

    `line(file)` returns the shell line that runs this program for a job file.
    """

    desk: CountHost
    backend: str
    tool: Tool
    line: Callable[[str], str]
    environment: dict[str, str] = field(default_factory=dict)

    def ask(self, timeout: float, run: Run | None = None, **job: Any) -> dict[str, Any]:
        """Run the job and return its answer, checked by `validate_answer`; `run` replaces the host's own `run`.

        Raises UsageError if there is no valid answer.
        """
        at = f"{self.desk.folder}/{secrets.token_hex(4)}"
        out = f"{at}.out"
        words = [*self.tool.words, f"--callgrind-out-file={out}/%p"] if self.tool.words else []
        folder = {"SWE_AGENT_COUNTED": out}
        environment = {**self.environment, **self.tool.environment, **folder, **job.pop("environment", {})}
        whole = {**job, "out": out, "answer": f"{at}.answer", "meter": self.backend, "tool": words}
        self.desk.write(f"{at}.job", json.dumps({**whole, "environment": environment}).encode())
        code, output = (run or self.desk.run)(self.line(f"{at}.job"), timeout)
        try:
            answer = json.loads(self.desk.read(f"{at}.answer"))
        except (OSError, ValueError, RecursionError):
            why = "it took too long" if code == 124 else output.strip()[-300:] or f"exit status {code}"
            raise UsageError(f"Counting failed: {why}.", "Give it more time or less work.") from None
        finally:
            self.desk.run(f"rm -rf {shlex.quote(at)}.*", PATIENCE)
        return validate_answer(answer)


def validate_answer(answer: object) -> dict[str, Any]:
    """Check an answer of `extensions/optimize/guest/count_runner.py`, which untrusted code may have written.

    Returns it with defaults for missing parts. Raises UsageError if a part has the wrong type, a number is negative or
    too large, or the answer reports an error.
    """
    if isinstance(answer, dict) and "error" in answer:
        raise UsageError(f"Counting failed: {str(answer['error'])[:300]}.", "Check that the command runs.")
    if not isinstance(answer, dict) or not _is_sound(answer):
        raise UsageError("Counting failed: the answer is invalid.", "Check whether the code tampers with it.")
    empty: dict[str, Any] = {"values": {}, "in_c": {}, "conditions": {}, "died": [], "said": ""}
    return {**empty, "code": 0, **answer}


def _is_sound(answer: dict[str, Any]) -> bool:
    values, died = answer.get("values", {}), answer.get("died", [])
    texts = [answer.get(name, {}) for name in ("in_c", "conditions")]
    if not isinstance(values, dict) or not isinstance(died, list) or not all(isinstance(each, dict) for each in texts):
        return False
    numbers = [*values.values(), answer.get("code", 0)]
    words = [answer.get("said", ""), *died, *(word for each in texts for word in each.values())]
    return all(type(each) is int and 0 <= each < MOST for each in numbers) and all(
        isinstance(each, str) for each in words
    )


def choose_backend(desk: CountHost, backend: str = "") -> tuple[str, Tool]:
    """Return the first backend that works on the host, or the named one. Raises UsageError if no such backend works."""
    parts = {name: import_module(module) for name, module in names("extensions.optimize.counters").items()}
    if backend and backend not in parts:
        raise UsageError(f"Unknown counting backend {backend!r}.", f"Choose one of: {', '.join(sorted(parts))}.")
    refused = {}
    for name, part in sorted(parts.items(), key=lambda pair: int(pair[1].ORDER)):
        if backend in ("", name):
            try:
                tool: Tool = part.ready(desk)
            except CounterUnusable as error:
                refused[f"not {name}"] = str(error)
                continue
            return name, Tool(tool.words, tool.environment, {**tool.conditions, **refused})
    raise UsageError(
        f"Backend {backend} is not usable here: {'; '.join(refused.values())}.",
        "Leave out the backend to choose one automatically.",
    )


def install_program_meter(desk: CountHost, folder: str) -> list[str]:
    """Install start-up code that counts each Python program, and return the folders to add to PYTHONPATH."""
    install_programs(desk.write, folder, "optimize.metered_program", package=PROGRAM_PACKAGE)
    desk.write(f"{folder}/site/sitecustomize.py", _SITE.encode())
    return [f"{folder}/site", folder]


def count_conditions(answer: dict[str, Any], tool: Tool) -> dict[str, str]:
    """Return the conditions under which the instructions were counted."""
    return {**tool.conditions, **{k: v[:200] for k, v in answer["conditions"].items()}}


def relative_spread(counts: Sequence[int]) -> float:
    """Return the difference between the highest and the lowest count, relative to the lowest."""
    return (max(counts) - min(counts)) / max(min(counts), 1)
