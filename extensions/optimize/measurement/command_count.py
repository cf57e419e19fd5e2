"""Instruction counting of a user's command that runs directly on this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO, NamedTuple

from aci.runtime.guest_programs import install_programs
from extensions.optimize.measurement.count_job import (
    CountJob,
    LocalHost,
    choose_backend,
    count_conditions,
    install_program_meter,
)
from trajectories.errors import UsageError


class CommandCount(NamedTuple):
    """The instruction count of a whole command by one backend, its exit status, and the conditions of the
    measurement."""

    backend: str
    instructions: int
    code: int
    conditions: dict[str, str]


def count_command(words: Sequence[str], stdout: IO[bytes] | None = None, backend: str = "") -> CommandCount:
    """Count the instructions of a command, with all threads and processes that it starts.

    The command inherits this process's stdin; its output goes to `stdout`, by default to this process's stdout. Raises
    UsageError if the command cannot run or be counted.
    """
    if not words or not shutil.which(words[0]):
        raise UsageError(f"There is no command {' '.join(words[:1])!r}.", "Give one as you would type it, after `--`.")
    with tempfile.TemporaryDirectory() as folder:
        desk = LocalHost(folder)
        programs = install_programs(desk.write, folder, "optimize.count_runner")
        way, tool = choose_backend(desk, backend)
        environment = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED") or "0"}
        if way == "opcodes":
            paths = install_program_meter(desk, f"{folder}/program")
            environment["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])

        def line(job: str) -> str:
            return shlex.join([sys.executable, "-B", programs, "optimize.count_runner", job])

        def show(line: str, _: float) -> tuple[int, str]:
            return subprocess.run(["/bin/sh", "-c", line], stdout=stdout).returncode, ""

        answer = CountJob(desk, way, tool, line, environment).ask(0.0, run=show, command=list(words))
    whole = int(answer["values"].get("whole", 0))
    if not whole:
        fix = "Install valgrind, which counts any program." if way == "opcodes" else "Check that it runs."
        raise UsageError(f"Nothing in this command could be counted by {way}.", fix)
    conditions = {**count_conditions(answer, tool), "hash seed": environment["PYTHONHASHSEED"]}
    for name in ("gc", "python"):  # these depend on the command
        conditions.pop(name, None)
    return CommandCount(way, whole, int(answer["code"]), conditions)
