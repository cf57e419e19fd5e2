"""Opens runs for reading: by name, by folder, or from another program's trajectory file; finds a step by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from aci.issue_text.vulnerability import is_vulnerability
from aci.repository.patch import split_patch, split_text
from agent.config.settings import Settings
from agent.limits.run_budget import Ledger
from agent.run_state.run_ownership import is_own
from agent.run_state.turn_state import current_tree
from trajectories import importers
from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.trees import Trees
from trajectories.journal import first_record, read, recall_output
from trajectories.plugins import extension_module
from trajectories.records import Patch, Step
from trajectories.trajectory import Requests, RunView, Trajectory

MOST_NAMED = 12
"""Maximum number of branches that an error names."""
PRIVATE = "{} is about a vulnerability: its tests and conversation show how to exploit it. Keep the output private."


def open_run(name: str, settings: Settings) -> RunView:
    """Open the run or trajectory file that a user named.

    Raises UsageError if there is no such run or file or it cannot be read, RunBroken if the run was not started.
    """
    if importers.is_file_name(name):
        theirs = importers.load(Path(name))
        return replace(theirs, patch=lambda: split_text(theirs.patch().diff))
    run = open_own_run(settings.run_directory(name))
    assert run.directory is not None
    return replace(run, untrusted=not is_own(run.directory, run.trajectory, settings.state))


def open_own_run(directory: Path) -> RunView:
    """Open a run from its folder in its current state, even while another process works on it."""
    trajectory = read(directory)
    run = first_record(trajectory, directory)
    ledger = Ledger(None)
    ledger.replay(trajectory.holds.values(), trajectory.settles)
    folder = directory / "trees.git"
    trees = Trees(folder, read_only=True) if folder.is_dir() or folder.is_symlink() else None

    @cache
    def rebuilt_requests() -> Requests:
        module = extension_module("agent.runs.requests", "Rebuilding the requests of a run", "lab")
        requests: Requests = module.requests_of(trajectory, lambda number: recall_output(directory, number))
        return requests

    return RunView(
        name=run.id,
        trajectory=trajectory,
        spent=ledger.spent,
        directory=directory,
        trees=trees,
        requests=lambda branch: rebuilt_requests()(branch),
        patch=lambda: _patch(trajectory, trees),
    )


def _patch(trajectory: Trajectory, trees: Trees | None) -> Patch:
    """Return the submitted patch, or the current one if none was submitted. Raises RunBroken if the run's trees are
    missing."""
    base = trajectory.run.base.tree if trajectory.run else ""
    tree = (trajectory.exit.tree if trajectory.exit else "") or current_tree(trajectory, base)
    if trees is None:
        raise RunBroken("The trees of the run are missing.", "Copy the run's whole folder, including trees.git.")
    return split_patch(trees, base, tree)


def find_step(trajectory: Trajectory, name: str, run: str) -> Step:
    """Return the step with this name (`main#7`, or `7` for short); for a model request (`main?3`), return the step of
    its reply.

    Raises UsageError if there is no such step; the message lists the existing steps.
    """
    asked, mark, ask = name.rpartition("?")
    if mark:
        branch = asked or "main"
        for step in trajectory.steps.get(branch, []):
            if str(step.reply) == ask:
                return step
        raise UsageError(
            f"{name} is a model request, but no step of {run} has its reply.",
            f"Steps have names like {branch}#7; `swe-agent show {run}` shows them.",
        )
    branch, _, number = name.rpartition("#")
    branch = branch or "main"
    steps = trajectory.steps.get(branch, [])
    for step in steps:
        if str(step.n) == number:
            return step
    if steps:
        there = f"{branch} has the steps 1 to {steps[-1].n}"
    else:
        branches = sorted(branch for branch, steps in trajectory.steps.items() if steps)
        more = " …" if len(branches) > MOST_NAMED else ""
        there = f"its branches with steps are {', '.join(branches[:MOST_NAMED])}{more}" if branches else "it has none"
    raise UsageError(f"The run {run} has no step {branch}#{number}; {there}.", f"`swe-agent show {run}` shows them.")


def warn_of_exploit(run: RunView, say: Callable[[str], object]) -> None:
    """Say that what is made of a run must stay private, if the run is about a vulnerability."""
    if run.trajectory.run is not None and is_vulnerability(run.trajectory.run.issue):
        say(PRIVATE.format(run.name))
