"""The workspaces of a run: its own, opened at the base when it is first used, and forks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from aci.environments.environment import environment_for
from aci.proof.contamination import find_installed_copies
from aci.runtime.background_task import BackgroundTask
from aci.runtime.workspace import HARNESS_SESSION, Workspace, WorkspaceOptions, open_workspace
from agent.config.environment_options import environment_options
from agent.config.named_environment import option_source

if TYPE_CHECKING:
    from aci.environments.environment_plan import EnvironmentOptions
    from agent.config.settings import Settings
    from agent.limits.cancellation import CancellationToken


class RunWorkspaces:
    """The workspaces of a run. `options` returns the options and the settings of the current turn. Thread-safe."""

    def __init__(self, options: Callable[[], tuple[WorkspaceOptions, Settings]]) -> None:
        self._options = options
        self._root: Workspace | None = None
        self._copies: BackgroundTask[tuple[str, ...]] | None = None
        self._lock = Lock()

    @property
    def opened(self) -> bool:
        """Whether the run's workspace is open. The workspace may still contain files of an earlier or interrupted
        turn."""
        return self._root is not None

    def root(self) -> Workspace:
        """Return the run's own workspace, opened at the base on first use."""
        with self._lock:
            if self._root is None:
                self._root = self._open()
            return self._root

    def fork(self, tree: str, cancel: CancellationToken) -> Workspace:
        """Return a fresh workspace at `tree` for a proof or a branch. The workspace stops when `cancel` is set."""
        return self.root().fork(tree, cancel)

    @property
    def copies(self) -> tuple[str, ...]:
        """Messages about copies of the package under test that are installed outside the repository."""
        return self._copies.answer() if self._copies else ()

    def close(self) -> None:
        """Close the run's workspace, even if it is broken.

        The next use opens a new workspace, without the ignored files and running processes of the old one.
        """
        with self._lock:
            root, copies = self._root, self._copies
            self._root = None
        if root is None:
            return
        if copies:
            copies.wait()
        root.close()

    def _open(self) -> Workspace:
        options, settings = self._options()
        if settings.workspace == "docker":
            options = replace(options, image=environment_for(options, _environment_options(options, settings)))
        elif options.services:
            options.say("Services are not started: they need a workspace in a container.")
        workspace = open_workspace(settings.workspace, options)
        workspace.expect(HARNESS_SESSION)
        self._copies = BackgroundTask(lambda: _find_copies(workspace, options), "copies")
        return workspace


def _find_copies(workspace: Workspace, options: WorkspaceOptions) -> tuple[str, ...]:
    found = find_installed_copies(workspace, options.trees, options.base.tree)
    for copy in found:
        options.say(copy)
    return found


def _environment_options(options: WorkspaceOptions, settings: Settings) -> EnvironmentOptions:
    """Return the environment options from the settings and from the base's `.swe-agent.toml`, if it has one."""
    try:
        repository_config = options.trees.read(options.base.tree, ".swe-agent.toml")
    except FileNotFoundError:
        repository_config = b""
    return environment_options(settings, option_source(settings, repository_config))
