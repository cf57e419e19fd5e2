"""Show commands and keys, or what COMMAND does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extensions.interactive.session import commands
from extensions.interactive.session.prompt_input.key_help import TYPED, key_labels
from extensions.interactive.session.session_events import FrontEndRequested

if TYPE_CHECKING:
    from collections.abc import Iterable

    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[COMMAND]"
GROUP = "session"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    if words:
        command = commands.find(name := words.removeprefix("/"), session.custom_commands)
        what = (command.__doc__ or "").strip().partition("\n")[0]
        session.show(f"`/{name} {getattr(command, 'USAGE', '')}`".replace(" `", "`") + f": {what}", "markdown")
        return
    parts = [("You type", TYPED), ("Keys", key_labels()), *commands.grouped_summaries()]
    if own := [(f"/{name}", command.summary) for name, command in session.custom_commands.items()]:
        parts.append(("Your own commands", own))
    text = "\n\n".join(f"**{title}**\n\n{_listed(lines)}" for title, lines in parts)
    session.hear(FrontEndRequested("help", text))


def completions(session: Session, words: str) -> list[str]:
    return [usage.partition(" ")[0][1:] for usage, _ in commands.summaries()]


def _listed(lines: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- `{usage}`: {what}" for usage, what in lines)
