"""Remember a fact for later turns and runs, in all projects with --all; without TEXT, list the facts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.run_state.checkouts import claim_stored, stored_identity
from trajectories.errors import UsageError
from trajectories.plugins import extension_module

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[--all] [TEXT]"
GROUP = "how"
ALL = "--all"


def run(session: Session, words: str) -> None:
    memory = extension_module("extensions.interactive.memory", "`/remember`", "memory")
    everywhere, text = words.split()[:1] == [ALL], words.removeprefix(ALL).strip()
    source, state = session.start.source, session.settings.state
    identity = None if everywhere else stored_identity(state, source, source.commit())
    files = memory.memory_files(state, identity)
    if not text:
        lines = [f"- {fact.text} ({fact.source})" for file in files for fact in file.facts()]
        session.show("\n".join(lines or ["Nothing is remembered."]), title="Memory")
        return
    if not session.settings.user_memory:
        raise UsageError("The setting user_memory is off, so nothing is remembered.", "Set it to true in your config.")
    file = memory.choose_file(files, everywhere, "Write `/remember --all TEXT` to remember it in all projects.")
    if identity:
        claim_stored(state, source, identity)
    run_name = session.engine.run.id if session.engine else ""
    fact = file.add(text, f"session {run_name}".strip(), time.strftime("%Y-%m-%d"))
    session.show(f"Remembered in {file.path}, which you can edit: {fact.text}")


def completions(session: Session, words: str) -> list[str]:
    return [ALL]
