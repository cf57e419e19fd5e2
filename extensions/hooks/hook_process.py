"""The process of one hook: its input, environment, time limit and answer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from agent.config.hook_table import WORKING_DIRECTORY
from agent.config.settings import secret_reason
from trajectories.errors import ConfigError

TICK = 0.05
"""Seconds between two checks whether the hook has ended or must end."""
MOST_OUTPUT = 16 << 20
"""Maximum number of bytes that a hook may print on stderr."""
MOST_SAID = 4_000
"""Maximum number of bytes of a hook's stderr that are used, from its start."""


@dataclass(frozen=True, slots=True)
class HookEnd:
    """How a hook ended: with an exit code, which is negative for a signal, or with a `problem` for which it was
    stopped. `stderr` is the start of what it printed there."""

    code: int
    stderr: str = ""
    problem: str = ""


def find_program(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the full path of a hook's program. Raises ConfigError if it cannot be executed."""
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which(command[0], path=os.pathsep.join(each for each in folders if each.startswith("/")))
    if found is None:
        what = f"The hook {command[0]} cannot be run: there is no such program, or it is not executable."
        raise ConfigError(what, "Correct it in [hooks] of your config.")
    return found


def hook_environment(secrets: Sequence[str]) -> dict[str, str]:
    """Return the environment of hooks: that of this process without variables that are named like a secret or contain
    one."""
    return {
        name: value
        for name, value in os.environ.items()
        if not secret_reason(name, value) and not any(each in value for each in secrets)
    }


def run_hook(
    command: Sequence[str],
    given: bytes,
    environment: Mapping[str, str],
    seconds: float,
    interrupted: Callable[[], bool],
) -> HookEnd:
    """Run a hook with `given` on its stdin, and return how it ended.

    After `seconds`, too much output, or when `interrupted` returns true, it is stopped with its process group. A
    process that it leaves running when it ends by itself is not waited for.

    Raises ConfigError if it cannot be executed.
    """
    # Files, not pipes: the hook need not read, and a process that it leaves running would keep a pipe open.
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                [find_program(command, environment), *command[1:]],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=WORKING_DIRECTORY,
                env=dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            what = f"The hook {command[0]} cannot be run: {error.strerror}."
            raise ConfigError(what, "Correct it in [hooks] of your config.") from None
        problem = _wait(process, stderr.fileno(), seconds, interrupted)
        stderr.seek(0)
        said = stderr.read(MOST_SAID).decode("utf-8", "replace")
    return HookEnd(process.returncode, said, problem)


def _wait(process: subprocess.Popen[bytes], stderr: int, seconds: float, interrupted: Callable[[], bool]) -> str:
    """Wait for the end of a hook; return why it was stopped, or ""."""
    end, problem = time.monotonic() + seconds, ""
    try:
        while not problem:
            with suppress(subprocess.TimeoutExpired):
                process.wait(TICK)
                return ""
            if os.fstat(stderr).st_size > MOST_OUTPUT:
                problem = f"it printed more than {MOST_OUTPUT >> 20} MB"
            elif time.monotonic() > end:
                problem = f"it did not end within {seconds:g} s"
            elif interrupted():
                problem = "it was interrupted"
        return problem
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):  # macOS refuses a signal to a group of zombies
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
