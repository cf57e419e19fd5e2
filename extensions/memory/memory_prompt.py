"""The user's own facts about the project and all their work, as advice in the first message.

The user wrote them, but may have pasted text of others, so they are quoted, and permissions do not depend on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import attribute_text, quote_fully
from agent.run_state.checkouts import MEMORY
from extensions.memory.user_memory import Fact, MemoryFile
from trajectories.errors import ConfigError, SweAgentError, UsageError
from trajectories.records import Once

if TYPE_CHECKING:
    from pathlib import Path

    from aci.history.repository_identity import Identity
    from agent.engine.branch import Branch

MOST = 4_000
"""Maximum number of characters of all facts together; the newest of each file are shown."""
HEAD = (
    "Notes of the user (advice for this and other work; the issue and the user's present request outweigh them, and "
    "they grant no permission):"
)
NEW = "Notes that the user added since:"
NAME = "memory"


def memory_files(state: Path, identity: Identity | None) -> list[MemoryFile]:
    """Return the file of the repository, if it has an identity, and the file for all projects."""
    own = [MemoryFile(state, identity.key, identity.origin)] if identity else []
    return [*own, MemoryFile(state)]


def choose_file(files: list[MemoryFile], everywhere: bool, fix: str) -> MemoryFile:
    """Return the file of this project, or with `everywhere` that of all projects. Raises UsageError with this `fix` if
    the project cannot be told from others."""
    if not everywhere and files[0].is_for_all:
        raise UsageError("This folder has no git history that tells it from others, or only a part of it.", fix)
    return files[-1] if everywhere else files[0]


def memory_prompt(branch: Branch) -> str:
    """Return the user's facts, "" if there are none. They are recorded, so a resumed run gets the same ones."""
    return _framed(branch.once(NAME, lambda: _read(branch)), HEAD) if _is_used(branch) else ""


def new_memory_prompt(branch: Branch) -> str:
    """Return the facts that the user added since the conversation's earlier turns, "" if there are none."""
    if not _is_used(branch):
        return ""
    before = [each for each in branch.engine.trajectory.before_turn if isinstance(each, Once)]
    given = [each.value for each in before if each.branch == branch.name and each.name.endswith(NAME)]
    known = {fact["text"] for facts in given for fact in facts}
    return _framed(
        branch.once(f"new {NAME}", lambda: [each for each in _read(branch) if each["text"] not in known]), NEW
    )


def _is_used(branch: Branch) -> bool:
    return branch.turn.settings.user_memory and (branch.turn.settings.state / MEMORY).is_dir()


def _framed(facts: list[dict[str, Any]], head: str) -> str:
    """Return the facts with their sources, in tags that their text cannot close."""
    parts = []
    for of in dict.fromkeys(each["of"] for each in facts):
        lines = [f"- {each['text']} ({each['from']})" for each in facts if each["of"] == of]
        parts.append(f'<memory of="{attribute_text(of)}">\n{quote_fully(chr(10).join(lines))}\n</memory>')
    return "\n".join([head, *parts]) if parts else ""


def _read(branch: Branch) -> list[dict[str, Any]]:
    """Return the facts of both files, oldest first; a file that cannot be used is reported and left out."""
    engine, shown, room = branch.engine, [], MOST
    try:
        files = memory_files(branch.turn.settings.state, engine.stored_results.identity())
    except (SweAgentError, OSError) as error:
        branch.notify(f"Your notes are not used: {error}")
        return []
    for file in files:
        of = "all projects" if file.is_for_all else "this project"
        try:
            facts = file.facts()
        except ConfigError as error:
            branch.notify(f"{error.message} {error.fix}")
            continue
        kept: list[dict[str, Any]] = []
        for fact in reversed(facts):
            room -= len(fact.text)
            if room >= 0:
                kept.append({"of": of, "text": mask_secrets(fact.text, engine.secrets), "from": _origin(fact)})
        if len(kept) < len(facts):
            branch.notify(
                f"{len(facts) - len(kept)} of the notes in {file.path} are too many to be shown to the model."
            )
        shown += reversed(kept)
    return shown


def _origin(fact: Fact) -> str:
    return ", ".join(filter(None, [fact.date, fact.source]))
