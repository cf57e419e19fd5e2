"""The user's hooks: programs that swe-agent runs on this machine at fixed points of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

HookEvent = Literal["session_start", "pre_tool_use", "post_tool_use", "patch", "session_end"]
HOOK_EVENTS: tuple[HookEvent, ...] = get_args(HookEvent)
WORKING_DIRECTORY = "/"
"""The working directory of the user's programs: no repository, so that none takes code or configuration from one."""


def check_program(command: tuple[str, ...]) -> tuple[str, ...]:
    """Reject a program whose place depends on the current folder, which may be a stranger's repository."""
    if not command or not command[0]:
        raise ValueError("it has no program")
    if any("\0" in word for word in command):
        raise ValueError("it contains a NUL character")
    program = _without_tilde(command[0])
    if "/" in program and not program.startswith("/"):
        raise ValueError(f"{command[0]} is a relative path; give an absolute one, or a name on the PATH")
    return (program, *command[1:])


def _without_tilde(program: str) -> str:
    """Replace `~` at the start by the user's home."""
    try:
        return str(Path(program).expanduser()) if program.startswith("~") else program
    except RuntimeError:
        raise ValueError(f"{program} names a home that does not exist") from None


class Hook(BaseModel):
    """A hook: the program and its arguments, which no shell reads, and its time limit in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: Annotated[tuple[str, ...], AfterValidator(check_program)]
    timeout: float = Field(default=60.0, gt=0, le=3600)

    @property
    def name(self) -> str:
        """The hook's name in messages: that of its program."""
        return Path(self.command[0]).name


class HookTable(BaseModel):
    """`[hooks]` of the user's config or of the administrator's policy: the hooks of each event, in order.

    Each key is a point in a run and contains the list of hooks for this point, which run in the order of the list.
    `command` is a program with its arguments, which runs without a shell. `timeout` is the time limit of the hook, in
    seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    session_start: tuple[Hook, ...] = ()
    pre_tool_use: tuple[Hook, ...] = ()
    post_tool_use: tuple[Hook, ...] = ()
    patch: tuple[Hook, ...] = ()
    session_end: tuple[Hook, ...] = ()

    def of(self, event: HookEvent) -> tuple[Hook, ...]:
        found: tuple[Hook, ...] = getattr(self, event)
        return found

    @property
    def all(self) -> tuple[Hook, ...]:
        return tuple(hook for event in HOOK_EVENTS for hook in self.of(event))
