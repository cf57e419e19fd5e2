"""Everything that can go wrong and is not the model's fault, in one tree.

What a model gets wrong is an observation. What a user, the machine or we get wrong is raised:

    SweAgentError                   message: what is wrong; fix: what to do; code: the exit code
    ├── UsageError            2     a flag, path, revision or text of the user's that cannot be used
    │   ├── NewerRun          2     a run that a newer version of this program wrote
    │   └── NoRepository      2     a folder without a git repository, or with one that has no commit
    ├── ConfigError           3     configuration, credentials, price
    ├── WorkspaceError        5     Docker missing or stopped, no image, disk full, container gone
    │   ├── RunBroken         5     a run's journal or trees cannot be read
    │   └── GitFailed         5     git on the host ended with an error (`trajectories/plumbing.py`)
    ├── PackRefused           1     what came from a workspace is not taken; becomes an observation (`packs.py`)
    ├── TryLater             75     another process works on this run; the provider asks to wait
    ├── ModelError            1     a request to a model failed
    │   └── Refused           3     credentials, rights or the model's name: the user mends it and resumes
    └── Stop                        ends an attempt; raised through strategies, caught by `solve` and `map`
        ├── BudgetStop        4     the purse (dollars or tokens) is empty
        ├── LimitStop         1     steps or time are used up
        ├── Stuck             1     the conversation goes round in circles, or only talks
        ├── GivenUp           1     the model says, asked again, that no fix is to be made
        └── Cancelled       130     the user interrupted; the run is resumable
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trajectories.records import Usage


class SweAgentError(Exception):
    """`message` says in one sentence what is wrong, `fix` what to do about it."""

    code = 1

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


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


class TryLater(SweAgentError):
    code = 75


class ModelError(SweAgentError):
    """A request failed. `retryable`: another try may succeed, after `wait` seconds if given.

    `billed`: the provider may have charged for it (a stream that was cut, a time-out); then the
    whole hold is charged unless `usage` is known. `overflow`: the request is longer than the model takes.
    `limited`: it was one too many, so that others to the same model would be, too.
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
    """Ends an attempt. `kind` is what the exit record says."""

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


class Cancelled(Stop):
    code = 130
    kind = "interrupted"
