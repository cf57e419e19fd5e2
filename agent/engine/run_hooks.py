"""The hooks of a run: programs of the user that may reject the run, an action or a patch.

An extension runs them in a subclass of RunHooks, by the plug-in kind `agent.engine.run_hooks`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from trajectories.plugins import extension_module, installed_module

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.limits.cancellation import CancellationToken
    from tools.base import Tool
    from trajectories.journal import Journal
    from trajectories.records import Action, Exit, Observation, Run

KIND = "agent.engine.run_hooks"
HOOKS = "The runner of your hooks (`[hooks]`)"
ANSWER = "hook "
"""Prefix of the names of recorded answers."""


class HookedRun(Protocol):
    """The parts of an engine that its hooks depend on."""

    settings: Settings
    journal: Journal
    run: Run

    @property
    def secrets(self) -> tuple[str, ...]: ...

    def report(self, kind: str, branch: str, text: str) -> None: ...


class HookedBranch(Protocol):
    """The parts of a branch that hooks about its actions depend on."""

    name: str
    cancel: CancellationToken


class RunHooks:
    """The hooks of a run. This class runs none, and refuses a run that has hooks or recorded answers of hooks, which it
    cannot apply."""

    def __init__(self, engine: HookedRun) -> None:
        self._table, self._journal = engine.settings.hooks, engine.journal

    def start(self, resumed: bool, interrupted: Callable[[], bool]) -> None:
        """Run the hooks of the start, once for each process that works on the run.

        Raises UsageError if one rejects the run, ConfigError if any hook cannot be executed, and Cancelled.
        """
        self._check()

    def before_tool(self, branch: HookedBranch, tool: Tool, action: Action, step: int, number: int) -> str:
        """Return why `action`, the one with this number in its step, must not run; "" if it may. Raises Cancelled."""
        self._check()
        return ""

    def after_tool(self, branch: HookedBranch, tool: Tool, action: Action, seen: Observation) -> Observation:
        """Return the observation of an action that has run, with the reason of a hook that objects to it. Raises
        Cancelled."""
        return seen

    def reject_patch(self, tree: str, diff: Callable[[], str], interrupted: Callable[[], bool]) -> str:
        """Return why a tree must not count as a verified patch, as a sentence; "" if it may. `diff` returns the whole
        patch of the run. Raises Cancelled."""
        self._check()
        return ""

    def end(self, exit: Exit | None, interrupted: Callable[[], bool]) -> None:
        """Run the hooks of the end, if those of the start were run. `exit` is the end of the last turn, or None if it
        has not ended. A failure or an interrupt is only shown."""

    def _check(self) -> None:
        """Raise UsageError if the extension is needed, which is not installed."""
        if self._table.all or any(name.startswith(ANSWER) for _, name in self._journal.trajectory.results):
            extension_module(KIND, HOOKS, "hooks")


def check_hooks(settings: Settings) -> None:
    """Raise UsageError if the settings name hooks and the extension that runs them is not installed."""
    if settings.hooks.all:
        extension_module(KIND, HOOKS, "hooks")


def run_hooks(engine: HookedRun) -> RunHooks:
    """Return the hooks of an engine, of the extension if it is installed."""
    module = installed_module(KIND)
    hooks: RunHooks = module.ProgramHooks(engine) if module else RunHooks(engine)
    return hooks
