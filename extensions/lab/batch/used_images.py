"""The languages' images on which a batch's runs depend."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from aci.environments.environment_plan import EnvironmentOptions, Files, Plan
from aci.environments.tree_files import TreeFiles
from agent.config.environment_options import environment_options
from agent.config.settings import Settings
from extensions.environments.environment_sources import plan_environment
from trajectories.errors import RunBroken, UsageError, WorkspaceError
from trajectories.git_store.trees import Trees
from trajectories.journal import read


def used_images(runs: Path, settings: Settings, before: Mapping[str, str]) -> set[str]:
    """Return the entries of `images` that differ from those `before` and that a run which has begun depends on: with
    the other value, its environment would be another one. A run that cannot be read depends on all of them."""
    after = settings.images
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    used: set[str] = set()
    for folder in sorted(runs.iterdir()) if changed and runs.is_dir() else ():
        if folder.is_dir() and changed - used:
            used |= _used_by(folder, settings, before, changed - used)
    return used


def _used_by(folder: Path, settings: Settings, before: Mapping[str, str], changed: Collection[str]) -> set[str]:
    try:
        if (run := read(folder).run) is None:
            return set()
        options = replace(environment_options(settings), image=str(run.settings.get("image") or ""))
        with Trees(folder / "trees.git", read_only=True) as trees:
            files = TreeFiles(trees, run.base.tree)
            now = _images_of(files, options)
            return {name for name in changed if _images_of(files, _with_entry(options, name, before)) != now}
    except (OSError, UsageError, RunBroken, WorkspaceError):
        return set(changed)


def _with_entry(options: EnvironmentOptions, name: str, before: Mapping[str, str]) -> EnvironmentOptions:
    others = {other: image for other, image in options.images.items() if other != name}
    return replace(options, images=others | ({name: before[name]} if name in before else {}))


def _images_of(files: Files, options: EnvironmentOptions) -> list[str]:
    """Return the images that the environment of these files may start from."""
    plan: Plan | None = plan_environment(files, options)
    found: list[str] = []
    while plan:
        found += [plan.image, *plan.alternatives]
        plan = plan.instead
    return found
