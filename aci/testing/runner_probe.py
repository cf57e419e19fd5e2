"""Commands that show whether a test runner starts."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass

PYTEST = ("pytest", "py.test")


@dataclass(frozen=True, slots=True)
class RunnerProbe:
    """A shell command that succeeds if a test runner starts, and whether the runner is pytest."""

    command: str
    is_pytest: bool


def runner_probe(command: str) -> RunnerProbe | None:
    """Return a probe of the runner that a test command names; None if it names no module of Python or pytest.

    Many runners exit with 1 both for a failed test and if a module of theirs is missing.
    """
    parts = command.split(" && ")
    folders = [part for part in parts if part.startswith("cd ")]
    runner = next((part for part in parts if not part.startswith("cd ")), "")
    words = runner.split(" ")
    names = [posixpath.basename(word).strip("'\"") for word in words]
    end = next((place for place, name in enumerate(names) if name in PYTEST), None)
    if end is None and names[0].startswith("python") and "-m" in words[:-1]:
        end = words.index("-m") + 1
    if end is None:
        return None
    probe = " && ".join([*folders, f"{' '.join(words[: end + 1])} --help"])
    try:
        shlex.split(probe)
    except ValueError:  # the runner is started within a quoted word
        return None
    return RunnerProbe(probe, names[end] in PYTEST)
