"""Export the session in another program's format; without a format, list the formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trajectories.errors import UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[FORMAT] [FILE]"
GROUP = "session"


def run(session: Session, words: str) -> None:
    from agent.runs.run_export import export_runs, file_extension, formats, write_export
    from agent.runs.run_lookup import open_own_run

    name, _, file = words.partition(" ")
    if not name:
        session.show("\n".join(f"`/export {format}`: {what}" for format, what in formats().items()), title="Formats")
        return
    if session.engine is None:
        raise UsageError("There is nothing to export yet.", "Ask something first.")
    material = open_own_run(session.engine.journal.directory)
    target = Path(file.strip()).expanduser() if file.strip() else Path(f"{material.name}.{file_extension(name)}")
    if target.exists():
        raise UsageError(f"{target} already exists.", f"Name another file: /export {name} FILE.")
    try:
        write_export(export_runs([material], name, session.engine.secrets), target)
    finally:
        material.close()
    session.show(f"Written to {target.absolute()}.")


def completions(session: Session, words: str) -> list[tuple[str, str]]:
    from agent.runs.run_export import formats

    return list(formats().items())
