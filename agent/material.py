"""Runs opened to be read: by name, by folder, or from the file of another program's trajectory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.context import Reader, requests
from agent.ledger import Ledger
from agent.settings import Settings
from trajectories.journal import first_record, read
from trajectories.material import Material, Message
from trajectories.records import Run
from trajectories.trajectory import Trajectory
from trajectories.trees import Trees


def opened(name: str, settings: Settings) -> Material:
    """The run that a user names. Raises UsageError where there is none, RunBroken for one that was not begun."""
    return of_run(settings.run_directory(name))


def of_run(directory: Path) -> Material:
    """A run on disk as it stands, also while another process works on it."""
    trajectory = read(directory)
    run = first_record(trajectory, directory)
    ledger = Ledger(None)
    ledger.replay(trajectory.holds.values(), trajectory.settles)
    trees = directory / "trees.git"
    return Material(
        name=run.id,
        trajectory=trajectory,
        spent=ledger.spent,
        directory=directory,
        trees=Trees(trees) if trees.is_dir() else None,
        requests=lambda branch: _requests(trajectory, run, branch),
    )


def _requests(trajectory: Trajectory, run: Run, branch: str) -> Iterator[Sequence[Message]]:
    last = trajectory.last_replies.get(branch)
    system = run.prompts.get("coder", "")
    return requests(system, trajectory.steps[branch], trajectory.replies, Reader(last.model if last else ""))
