"""Explanation of a failure to read the user's repository: what git reported, and what the user can do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from trajectories.errors import UsageError
from trajectories.git_store.git_commands import GitFailed

_FILTER = re.compile(r"^fatal: (.*: (?:clean|smudge) filter '(.+)' failed)$", re.MULTILINE)
_HUNG_UP = "the remote end hung up unexpectedly"
"""What git reports if a filter's process ends before git has written to it."""
_MISSING = re.compile(
    r"^(?:fatal|error): (?:could not fetch \w+ from promisor remote|invalid object |unable to read |bad object )",
    re.MULTILINE,
)


def read_failure(root: Path, error: GitFailed, setting: Callable[..., str]) -> UsageError:
    """Return the error for users if the files of the repository at `root` cannot be read.

    `setting` returns the value of a git setting, given its name and options of `git config`, or "" if it is not set.
    """
    if _FILTER.search(error.stderr) or error.reason == _HUNG_UP:
        return _filter_failure(root, error, setting)
    remote = setting(r"^remote\..*\.promisor$", "--get-regexp").partition(".promisor")[0].removeprefix("remote.")
    if remote and _MISSING.search(error.stderr):
        fetch = shlex.join(["git", "-C", str(root), "fetch", "--refetch", "--no-filter", remote])
        return UsageError(
            f"The files of {root} cannot be read, because this partial clone lacks objects: {error.reason}.",
            f"Fetch them: {fetch}",
        )
    return UsageError(f"The files of {root} cannot be read: {error.reason}.", "Check `git status` and `git fsck`.")


def _filter_failure(root: Path, error: GitFailed, setting: Callable[..., str]) -> UsageError:
    """Return the error for a filter of `.gitattributes` whose program failed or is missing, such as git-lfs."""
    failed = _FILTER.search(error.stderr)
    by_program = (line for line in error.stderr.splitlines() if not line.startswith(("fatal:", "error:", "warning:")))
    said = next(by_program, "")
    settings = setting(r"^filter\..*\.(process|clean|smudge)$", "--get-regexp").splitlines()
    for name, _, command in (each.partition(" ") for each in settings):
        program = next(iter(command.split()), "")
        if program and (program in said or (failed and name.startswith(f"filter.{failed[2]}."))):
            break
    else:
        program = "the program of the filter"
    what = (failed[1] if failed else error.reason) + (f" ({said})" if said else "")
    return UsageError(
        f"The files of {root} cannot be read: {what}.", f"Install {program} or repair it, so that `git status` works."
    )
