"""Instructions of a command of the user's own, on this machine as it is."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO, NamedTuple

from aci.counting_job import INSIDE, Here, Job, choose, inside, place_regions, told
from trajectories.errors import UsageError


class Command(NamedTuple):
    """Instructions of a whole command by one way to count, its exit status, and what held while it was counted."""

    backend: str
    instructions: int
    code: int
    conditions: dict[str, str]


def count_command(words: Sequence[str], stdout: IO[bytes] | None = None, backend: str = "") -> Command:
    """Instructions of a command, with its own input; its output goes to `stdout`, or where ours goes.

    All threads and processes that it starts count. Raises UsageError where it cannot be run, or counted.
    """
    if not words or not shutil.which(words[0]):
        raise UsageError(f"There is no command {' '.join(words[:1])!r}.", "Give one as you would type it, behind `--`.")
    with tempfile.TemporaryDirectory() as folder:
        desk = Here(folder)
        for name in INSIDE:
            desk.write(f"{folder}/{name}.py", inside(name))
        way, tool = choose(desk, backend)
        environment = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED") or "0"}
        if way == "opcodes":
            paths = place_regions(desk, f"{folder}/regions", way)
            environment["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])

        def line(job: str) -> str:
            return shlex.join([sys.executable, "-B", f"{folder}/counted.py", job])

        def show(line: str, _: float) -> tuple[int, str]:
            return subprocess.run(["/bin/sh", "-c", line], stdout=stdout).returncode, ""

        answer = Job(desk, way, tool, line, environment).ask(0.0, run=show, command=list(words))
    whole = int(answer["values"].get("whole", 0))
    if not whole:
        fix = "Install valgrind, which counts any program." if way == "opcodes" else "See that it runs."
        raise UsageError(f"Nothing in this command could be counted by {way}.", fix)
    conditions = {**told(answer, tool), "hash seed": environment["PYTHONHASHSEED"]}
    for name in ("gc", "python"):  # the command's own business
        conditions.pop(name, None)
    return Command(way, whole, int(answer["code"]), conditions)
