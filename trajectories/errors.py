"""Exceptions for every failure that the model did not cause.

A model's mistake is not raised; it becomes an observation. Mistakes of the user, the machine or this program are
raised:

    SweAgentError                   message: what is wrong; fix: what to do; code: the exit code
    ├── UsageError            2     a flag, path, revision or text of the user's that cannot be used
    │   ├── NewerRun          2     a run written by a newer version of this program
    │   └── NoRepository      2     a folder without a git repository, or with one that has no commit
    ├── ConfigError           3     configuration, credentials, price
    ├── WorkspaceError        5     Docker missing or stopped, no image, disk full, container gone
    │   ├── RunBroken         5     a run's journal or trees cannot be read
    │   └── GitFailed         5     git on the host ended with an error (`trajectories/git_store/git_commands.py`)
    ├── PackRefused           1     objects from a workspace were rejected; an observation (`pack_reader.py`)
    ├── TryLater             75     another process works on this run, or the provider asks to wait
    ├── ModelError            1     a request to a model failed
    │   └── Refused           3     credentials, permissions or the model's name: the user fixes them and resumes
    └── Stop                        ends an attempt; raised through strategies, caught by `solve` and `map`
        ├── BudgetStop        4     the budget (dollars or tokens) is used up
        ├── LimitStop         1     steps or time are used up
        ├── Stuck             1     the model repeats itself, or replies without acting
        ├── GivenUp           1     the model confirmed, when asked again, that there is no fix to make
        └── Cancelled       130     the user interrupted; the run can be resumed
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from trajectories.records import Usage


class SweAgentError(Exception):
    """Base class of all errors. `message` describes the error in one sentence, and `fix` says what you can do."""

    code = 1

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def error_reason(error: Exception) -> str:
    """Return what an error says, of an error of the operating system without its number and file."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


@contextmanager
def advice_in_traceback() -> Iterator[None]:
    """Add to an error what to do about it, which a traceback would not show."""
    try:
        yield
    except SweAgentError as error:
        if error.fix not in ("", *getattr(error, "__notes__", ())):
            error.add_note(error.fix)
        raise


class UsageError(SweAgentError):
    code = 2


class NewerRun(UsageError):
    pass


class NoRepository(UsageError):
    pass


class ConfigError(SweAgentError):
    code = 3


class WorkspaceError(SweAgentError):
    code = 5


class RunBroken(WorkspaceError):
    pass


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise WorkspaceError instead of OSError if a file or folder of a run cannot be written in this context."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            fix = "Make it writable for your user, or set SWE_AGENT_STATE to a folder that is."
        elif error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            fix = "Free some disk space, then resume the run."
        else:
            fix = "Check the disk, then resume the run."
        raise WorkspaceError(f"{path} cannot be written: {error.strerror}.", fix) from error


class TryLater(SweAgentError):
    code = 75


class ModelError(SweAgentError):
    """A request to a model failed. `retryable`: a retry may succeed, after `wait` seconds if given.

    `billed`: the provider may have charged for the request, for example after a timeout or an interrupted stream; the
    whole reservation is then charged unless `usage` is known. `overflow`: the request exceeds the model's context
    window. `limited`: the provider is rate limiting or busy, so other requests to the same model would fail too.
    """

    def __init__(
        self,
        message: str,
        fix: str = "",
        *,
        retryable: bool = False,
        wait: float | None = None,
        billed: bool = True,
        usage: Usage | None = None,
        overflow: bool = False,
        limited: bool = False,
    ) -> None:
        super().__init__(message, fix)
        self.retryable = retryable
        self.wait = wait
        self.billed = billed
        self.usage = usage
        self.overflow = overflow
        self.limited = limited


class Refused(ModelError):
    code = 3


class Stop(SweAgentError):
    """Base class of the exceptions that end an attempt. `kind` is recorded as the kind of exit."""

    kind = "stopped"


class BudgetStop(Stop):
    code = 4
    kind = "budget"


class LimitStop(Stop):
    code = 1
    kind = "limit"


class Stuck(Stop):
    code = 1
    kind = "stuck"


class GivenUp(Stop):
    code = 1
    kind = "not_found"


class WaitsForUser(Stop):
    code = 1
    kind = "asked"


class Cancelled(Stop):
    code = 130
    kind = "interrupted"
