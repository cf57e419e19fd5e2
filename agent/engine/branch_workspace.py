"""The workspace of a branch: the run's own workspace or a fork of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from agent.engine.engine import RunWorkspaces
    from agent.limits.cancellation import CancellationToken


class BranchWorkspace:
    """The workspace of a branch, opened when it is first used. Phases share the workspace of their branch.

    `base` is the tree at which the run's own workspace is opened.
    """

    def __init__(self, workspaces: RunWorkspaces, base: str, cancel: CancellationToken, apart: bool) -> None:
        self._workspaces, self._base, self._cancel, self._is_forked = workspaces, base, cancel, apart
        self._workspace: Workspace | None = None
        self._is_outdated = False

    @property
    def opened(self) -> bool:
        return self._workspace is not None

    def at(self, tree: str) -> Workspace:
        if self._workspace is None and self._is_forked:
            self._workspace = self.fork(tree)
        elif self._workspace is None:
            was_open = self._workspaces.opened
            self._workspace = self._workspaces.root()
            if was_open or tree != self._base:
                self._workspace.restore(tree)
        elif self._is_outdated:
            self._workspace.restore(tree)
        self._is_outdated = False
        return self._workspace

    def fork(self, tree: str) -> Workspace:
        """Return a fresh workspace at `tree`, for example for tests. It stops when the branch is cancelled."""
        return self._workspaces.fork(tree, self._cancel)

    def skip(self) -> None:
        """Mark an open workspace as out of date, because a step that changed files was read from the records instead of
        being run."""
        self._is_outdated = self.opened

    def close(self) -> None:
        if self._workspace is not None and self._is_forked:
            self._workspace.close()
