"""Where a branch of a run works: the run's own workspace, or a fork of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aci.workspace import Workspace
    from agent.engine import Engine, Token


class Place:
    """The workspace of a branch, opened at the first command and not before; phases share their task's."""

    def __init__(self, engine: Engine, cancel: Token, apart: bool) -> None:
        self._engine, self._cancel, self._apart = engine, cancel, apart
        self._workspace: Workspace | None = None
        self._behind = False

    @property
    def opened(self) -> bool:
        return self._workspace is not None

    def at(self, tree: str) -> Workspace:
        if self._workspace is None and self._apart:
            self._workspace = self._engine.fork(tree, self._cancel)
        elif self._workspace is None:
            lived_in = self._engine.opened
            self._workspace = self._engine.root()
            if lived_in or tree != self._engine.run.base.tree:
                self._workspace.restore(tree)
        elif self._behind:
            self._workspace.restore(tree)
        self._behind = False
        return self._workspace

    def skip(self) -> None:
        """A recorded step that changed files is not acted again: an open workspace is without its changes."""
        self._behind = self.opened

    def close(self) -> None:
        if self._workspace is not None and self._apart:
            self._workspace.close()
