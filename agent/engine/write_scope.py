"""The paths that a turn may change. Other changes are refused in advance where possible, and reverted otherwise."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aci.proof.proof_run import format_names
from trajectories.records import Action, Observation

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from tools.base import Tool
    from trajectories.git_store.trees import Trees


@dataclass(frozen=True, slots=True)
class Scope:
    """The files that may be changed: those under `folder` of the repository ("" for all), or none if `nothing` is set;
    `because` is the reason.

    `tools` lists the tools that may be called; if it is empty, all may be called.
    """

    folder: str = ""
    nothing: bool = False
    because: str = "plan mode does not allow changes"
    tools: tuple[str, ...] = ()

    @property
    def is_limited(self) -> bool:
        return self.keeps or self.tools != ()

    @property
    def keeps(self) -> bool:
        """Whether some files may not be changed."""
        return self.nothing or self.folder != ""

    @property
    def why(self) -> str:
        return self.because if self.nothing else f"only {self.folder}/ may be changed"

    def offered(self, schemas: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
        """Return the schemas of the tools that the model is offered."""
        return tuple(one for one in schemas if not self.tools or one["function"]["name"] in self.tools)

    def outside(self, paths: Sequence[str]) -> list[str]:
        """Return those of the paths, relative to the repository, that may not be changed."""
        inside = f"{self.folder}/"
        return [path for path in paths if self.nothing or (self.folder and not path.startswith(inside))]

    def refusal(self, tool: Tool, action: Action, root: str) -> str:
        """Return why an action of this tool is not run; "" if it may run. `root` is the repository's folder."""
        if self.tools and tool.name not in self.tools:
            return f"Not run: the tools here are {', '.join(self.tools)}."
        if self.nothing and tool.metadata.when_limited == "refuse":
            return f"Not run: {self.why}. Answer in words."
        if not self.is_limited or tool.metadata.when_limited != "check_path":
            return ""
        path = posixpath.normpath(str(action.arguments.get("path", "")).removeprefix(f"{root}/"))
        if not self.outside([path]):
            return ""
        return f"Not changed: {self.why}.{' Answer in words.' if self.nothing else ''}"


def snapshot_within_scope(
    workspace: Workspace, observations: tuple[Observation, ...]
) -> tuple[str, tuple[Observation, ...]]:
    """Take a snapshot of the files. Files that could not be included are named in the last observation."""
    snapshot = workspace.snapshot()
    if not snapshot.skipped or not observations:
        return snapshot.tree, observations
    last = observations[-1]
    text = f"{last.text}\n[Not recorded; the last recorded state is used: {', '.join(snapshot.skipped)}]"
    return snapshot.tree, (*observations[:-1], replace(last, text=text))


def revert_out_of_scope(
    scope: Scope, trees: Trees, workspace: Workspace, before: str, tree: str, observations: tuple[Observation, ...]
) -> tuple[str, tuple[Observation, ...]]:
    """Revert the changes outside the scope of a step that changed the tree `before` to `tree`. The last observation
    lists the reverted files."""
    paths = [change.path for change in trees.changed(before, tree)] if scope.keeps else []
    outside = scope.outside(paths)
    if not outside or not observations:
        return tree, observations
    tree = trees.overlay(tree, before, outside)
    workspace.restore(tree)
    last = observations[-1]
    text = f"{last.text}\n[Restored, since {scope.why}: {format_names(outside)}]"
    return tree, (*observations[:-1], replace(last, text=text))
