"""Runs opened to be read: by name, by folder, or from the file of another program's trajectory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aci.patch import split, split_text
from agent.ledger import Ledger
from agent.ownership import is_own
from agent.sent import readers, sent
from agent.settings import Settings
from agent.standing import stands_at
from trajectories import foreign
from trajectories.errors import RunBroken
from trajectories.journal import first_record, read
from trajectories.material import Material
from trajectories.records import Patch
from trajectories.trajectory import Trajectory
from trajectories.trees import Trees


def opened(name: str, settings: Settings) -> Material:
    """The run that a user names, or the trajectory in a file. Raises UsageError where there is none that can be read,
    RunBroken for a run that was not begun."""
    if foreign.is_file_name(name):
        theirs = foreign.load(Path(name))
        return replace(theirs, patch=lambda: split_text(theirs.patch().diff))
    run = of_run(settings.run_directory(name))
    assert run.directory is not None
    return replace(run, untrusted=not is_own(run.directory, run.trajectory, settings.state))


def of_run(directory: Path) -> Material:
    """A run of the user's own on disk as it stands, also while another process works on it."""
    trajectory = read(directory)
    run = first_record(trajectory, directory)
    ledger = Ledger(None)
    ledger.replay(trajectory.holds.values(), trajectory.settles)
    folder = directory / "trees.git"
    trees = Trees(folder, read_only=True) if folder.is_dir() or folder.is_symlink() else None
    reader = readers(run, trajectory.turns)
    return Material(
        name=run.id,
        trajectory=trajectory,
        spent=ledger.spent,
        directory=directory,
        trees=trees,
        requests=lambda branch: sent(trajectory, branch, reader),
        patch=lambda: _patch(trajectory, trees),
    )


def _patch(trajectory: Trajectory, trees: Trees | None) -> Patch:
    """What was handed in, or what there is by now. Raises RunBroken where the run's trees are not there."""
    base = trajectory.run.base.tree if trajectory.run else ""
    tree = (trajectory.exit.tree if trajectory.exit else "") or stands_at(trajectory, base)
    if trees is None:
        raise RunBroken("The trees of the run are not there.", "Copy the whole folder of the run, trees.git too.")
    return split(trees, base, tree)
