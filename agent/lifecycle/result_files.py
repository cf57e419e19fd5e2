"""The files of a run's result in its folder: the patch, and the script that repeats its proof."""

from __future__ import annotations

from collections.abc import Sequence

from agent.engine.engine import Engine
from trajectories.errors import WorkspaceError
from trajectories.journal import write_durably
from trajectories.plugins import installed_module
from trajectories.records import Patch


def write_result_files(engine: Engine, patch: Patch, commands: Sequence[str]) -> None:
    """Write `patch.diff`, and `proof.sh` if the verdict has commands that repeat the proof and the extension `bundles`,
    which makes the script, is installed. Raises WorkspaceError."""
    folder = engine.journal.directory
    scripts = installed_module("agent.lifecycle.proof_script") if commands else None
    try:
        write_durably(folder / "patch.diff", patch.diff.encode("utf-8", "surrogateescape"))
        if scripts:
            script: str = scripts.script_of_run(engine, folder / "patch.diff", commands)
            write_durably(folder / "proof.sh", script.encode("utf-8", "surrogateescape"))
        else:
            (folder / "proof.sh").unlink(missing_ok=True)  # an existing script belongs to an earlier turn's patch
    except OSError as error:
        raise WorkspaceError(
            f"The patch cannot be written: {error.strerror}.", "Free space on the disk, then resume."
        ) from error
