"""Export the session in another program's format; without a format, list the formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trajectories.errors import UsageError
from trajectories.plugins import extension_module, installed_module

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[FORMAT] [FILE]"
GROUP = "session"
EXPORT = "agent.runs.export"


def run(session: Session, words: str) -> None:
    from agent.runs.run_lookup import open_own_run

    exports = extension_module(EXPORT, "`/export`", "lab")
    name, _, file = words.partition(" ")
    if not name:
        lines = (f"`/export {format}`: {what}" for format, what in exports.formats().items())
        session.show("\n".join(lines), title="Formats")
        return
    if session.engine is None:
        raise UsageError("There is nothing to export yet.", "Ask something first.")
    material = open_own_run(session.engine.journal.directory)
    target = Path(file.strip() or f"{material.name}.{exports.file_extension(name)}").expanduser()
    if target.exists():
        raise UsageError(f"{target} already exists.", f"Name another file: /export {name} FILE.")
    try:
        exports.write_export(exports.export_runs([material], name, session.engine.secrets), target)
    finally:
        material.close()
    session.show(f"Written to {target.absolute()}.")


def completions(session: Session, words: str) -> list[tuple[str, str]]:
    exports = installed_module(EXPORT)
    return list(exports.formats().items()) if exports else []
