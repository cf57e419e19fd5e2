"""What every count goes through: a place to count in, the choice of a way, a job for `aci/inside/counted.py`."""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from aci.counters import Desk, Tool, Unusable
from aci.workspace import Workspace
from trajectories.errors import Cancelled, UsageError
from trajectories.plugins import names

SESSION = "counting"
PATIENCE = 60.0
"""Seconds for a word of ours in the place where something is counted."""

MOST = 1 << 62
"""Instructions that no count reaches."""

INSIDE = ("meters", "meters_told", "counted")
"""Files of `aci/inside/` that every way to count needs in the desk's folder."""

Run = Callable[[str, float], tuple[int, str]]
"""Shell line, seconds -> (exit status, output)."""

_SITE = """\
import sys
import swe_agent_regions
folder = __file__.rpartition("/")[0]
sys.path = [each for each in sys.path if each != folder]
del sys.modules["sitecustomize"]
try:
    import sitecustomize
except ImportError:
    pass
sys.path.insert(0, folder)
swe_agent_regions.whole()
"""


@dataclass(frozen=True, slots=True)
class Room:
    """A workspace in which only commands of ours run, as a place to count in."""

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
class Here:
    """This machine as it is, for a command of the user's own; `folder` is a throw-away one."""

    folder: str

    def run(self, line: str, timeout: float) -> tuple[int, str]:
        out, error = subprocess.PIPE, subprocess.STDOUT
        try:
            ran = subprocess.run(["/bin/sh", "-c", line], stdout=out, stderr=error, timeout=timeout)
        except subprocess.TimeoutExpired:
            return 124, f"It took more than {timeout:g} s."  # as a room says it
        return ran.returncode, ran.stdout.decode("utf-8", "replace")

    def write(self, path: str, data: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data)

    def read(self, path: str) -> bytes:
        return Path(path).read_bytes()


@dataclass(slots=True)
class Job:
    """What is handed to `aci/inside/counted.py` by one meter; `line(file)` is the shell line that runs it there."""

    desk: Desk
    backend: str
    tool: Tool
    line: Callable[[str], str]
    environment: dict[str, str] = field(default_factory=dict)

    def ask(self, timeout: float, tool: Sequence[str] = (), run: Run | None = None, **job: Any) -> dict[str, Any]:
        """The answer to it, as `sound` leaves it, had by `run` where the desk's own is not wanted.

        Raises UsageError where there is none.
        """
        at = f"{self.desk.folder}/{secrets.token_hex(4)}"
        out = f"{at}.out"
        words = [*self.tool.words, *tool, f"--callgrind-out-file={out}/%p"] if self.tool.words else []
        meter = {"SWE_AGENT_COUNTED": out, "SWE_AGENT_METER": self.backend}
        environment = {**self.environment, **self.tool.environment, **meter, **job.pop("environment", {})}
        whole = {**job, "out": out, "answer": f"{at}.answer", "meter": self.backend, "tool": words}
        self.desk.write(f"{at}.job", json.dumps({**whole, "environment": environment}).encode())
        code, said = (run or self.desk.run)(self.line(f"{at}.job"), timeout)
        try:
            answer = json.loads(self.desk.read(f"{at}.answer"))
        except (OSError, ValueError, RecursionError):
            why = "it took too long" if code == 124 else said.strip()[-300:] or f"exit status {code}"
            raise UsageError(f"Nothing could be counted: {why}.", "Give it more time, or less to do.") from None
        finally:
            self.desk.run(f"rm -rf {shlex.quote(at)}.*", PATIENCE)
        return sound(answer)


def sound(answer: object) -> dict[str, Any]:
    """An answer of `aci/inside/counted.py`, every part there and of its type; a stranger's code may have written it.

    Raises UsageError where a part is of another type, a number is negative or beyond all counts, or it tells an error.
    """
    if isinstance(answer, dict) and "error" in answer:
        raise UsageError(f"Nothing could be counted: {str(answer['error'])[:300]}.", "See that the command runs.")
    if not isinstance(answer, dict) or not _is_sound(answer):
        raise UsageError("Nothing could be counted: the answer is none of ours.", "See what the code does to it.")
    empty: dict[str, Any] = {"values": {}, "in_c": {}, "conditions": {}, "died": [], "said": ""}
    return {**empty, "code": 0, "entries": 0, "nested": 0, **answer}


def _is_sound(answer: dict[str, Any]) -> bool:
    values, died = answer.get("values", {}), answer.get("died", [])
    texts = [answer.get(name, {}) for name in ("in_c", "conditions")]
    if not isinstance(values, dict) or not isinstance(died, list) or not all(isinstance(each, dict) for each in texts):
        return False
    numbers = [*values.values(), *(answer.get(name, 0) for name in ("code", "entries", "nested"))]
    words = [answer.get("said", ""), *died, *(word for each in texts for word in each.values())]
    return all(type(each) is int and 0 <= each < MOST for each in numbers) and all(
        isinstance(each, str) for each in words
    )


def choose(desk: Desk, backend: str = "") -> tuple[str, Tool]:
    """The first way to count that works in a place, or the one that is named. Raises UsageError where it does not."""
    parts = {name: import_module(module) for name, module in names("aci.counters").items()}
    if backend and backend not in parts:
        raise UsageError(f"There is no way to count named {backend!r}.", f"Choose one of: {', '.join(sorted(parts))}.")
    refused = {}
    for name, part in sorted(parts.items(), key=lambda pair: int(pair[1].ORDER)):
        if backend in ("", name):
            try:
                tool: Tool = part.ready(desk)
            except Unusable as error:
                refused[f"not {name}"] = str(error)
                continue
            return name, Tool(tool.words, tool.environment, {**tool.conditions, **refused})
    raise UsageError(f"{backend} cannot count here: {'; '.join(refused.values())}.", "Leave the choice to us.")


def place_regions(desk: Desk, folder: str, backend: str) -> list[str]:
    """Put there what marks regions in a program's own code; where Python has to look for it if all is to be counted."""
    parts = {"regions": "swe_agent_regions", "meters": "parts/meters", "meters_told": "parts/meters_told"}
    for name, put in parts.items():
        desk.write(f"{folder}/{put}.py", inside(name))
    if backend != "opcodes":
        return [folder]
    desk.write(f"{folder}/site/sitecustomize.py", _SITE.encode())
    return [f"{folder}/site", folder]


def inside(name: str) -> bytes:
    """A file of `aci/inside/`."""
    return files("aci.inside").joinpath(f"{name}.py").read_bytes()


def told(answer: dict[str, Any], tool: Tool) -> dict[str, str]:
    """Under what conditions an answer was had."""
    return {**tool.conditions, **{k: v[:200] for k, v in answer["conditions"].items()}}


def spread(counts: Sequence[int]) -> float:
    """The range of these counts, relative to the least."""
    return (max(counts) - min(counts)) / max(min(counts), 1)
