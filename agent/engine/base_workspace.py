"""A base of the user's repository with its environment and a workspace, for commands that start no run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trajectories.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from aci.environments.environment_plan import EnvironmentOptions
    from aci.repository.user_repository import Repository
    from aci.runtime.workspace import Workspace, WorkspaceOptions
    from agent.config.settings import Settings


@contextmanager
def open_base(
    source: Repository, rev: str | None, settings: Settings, say: Callable[[str], None]
) -> Iterator[tuple[WorkspaceOptions, EnvironmentOptions]]:
    """Yield the options of a workspace and of its environment at `rev`, or at the working tree, as `fix` uses them.

    The environment's `test` is the test command of the settings, or else the one that AGENTS.md or a similar file
    documents; its `named` says which. Without isolation, a documented command is not used.
    """
    from aci.runtime.workspace import WorkspaceOptions
    from agent.config.environment_options import environment_options, option_source
    from agent.engine.base_instructions import BaseInstructions
    from trajectories.git_store.trees import Trees

    own = source.file(".swe-agent.toml", rev) or b""
    with temporary_folder() as folder, Trees(Path(folder) / "trees.git") as trees:
        base = source.base(trees, rev, settings.copy_files)
        options = WorkspaceOptions(
            source, base, trees, settings.image, serve=settings.serve, say=say, **settings.limits
        )
        found = environment_options(settings, option_source(settings, own))
        notes = BaseInstructions(trees, base.tree, lambda: settings)
        if settings.workspace != "local" and (documented := notes.offered_test(settings)):
            found = replace(found, test=documented.text, named={**found.named, "test": documented.where})
        yield options, found


def open_in_environment(kind: str, options: WorkspaceOptions, environment: EnvironmentOptions) -> Workspace:
    """Open a workspace of this kind with the environment of the base, which is made if it does not exist."""
    from aci.environments.preparation import prepare_environment
    from aci.runtime.workspace import open_workspace

    prepared, _ = prepare_environment(options, environment, kind)
    return open_workspace(kind, prepared)
