"""The files of a run's result in its folder: the patch, and the script that repeats its proof."""

from __future__ import annotations

from collections.abc import Sequence

from agent.engine.engine import Engine
from agent.evidence.proof_script import container_guard, local_script, proof_environment
from agent.run_state.proposed_tree import find_proposal
from agent.run_state.run_settings import has_untrusted_origin
from trajectories.errors import WorkspaceError
from trajectories.journal import write_durably
from trajectories.records import Patch


def write_result_files(engine: Engine, patch: Patch, commands: Sequence[str]) -> None:
    """Write `patch.diff`, and `proof.sh` if the verdict has commands that repeat the proof. Raises WorkspaceError."""
    folder = engine.journal.directory
    try:
        write_durably(folder / "patch.diff", patch.diff.encode("utf-8", "surrogateescape"))
        if commands:
            environment, programs = proof_environment(engine.trajectory), engine.workspaces.programs
            guard = _guard(engine, commands)
            script = local_script(engine.run.base, folder / "patch.diff", commands, guard, environment, programs)
            write_durably(folder / "proof.sh", script.encode("utf-8", "surrogateescape"))
        else:
            (folder / "proof.sh").unlink(missing_ok=True)  # an existing script belongs to an earlier turn's patch
    except OSError as error:
        raise WorkspaceError(
            f"The patch cannot be written: {error.strerror}.", "Free space on the disk, then resume."
        ) from error


def _guard(engine: Engine, commands: Sequence[str]) -> Sequence[str]:
    """Return what the script checks first: code that ran in isolation, or came with a patch or a run from elsewhere,
    needs a container again."""
    is_strangers = has_untrusted_origin(engine.trajectory)
    is_own = not is_strangers and find_proposal(engine.trajectory).get("own", True) is True
    if is_own and engine.settings.workspace == "local":
        return ()
    return container_guard(commands if is_strangers else ())
