"""What the prompt says of itself: what can be done as the session stands, and what waits."""

from __future__ import annotations

from collections.abc import Sequence

from agent.session.status import Status

LEAVE = "ctrl-c again ends the session"
WAITING = 3
"""Queued requests that are shown."""


def placeholder(status: Status | None) -> str:
    """What an empty prompt says."""
    if status is None:
        return ""
    if status.state == "paused":
        return "Stopped. Enter goes on, words go with it, /undo takes it back"
    if status.state in ("working", "asking"):
        return "Enter queues, ctrl-s tells it now, esc stops it"
    if not status.model:
        return "No model yet: /help. !command, /locate, /test work"
    if status.mode == "plan":
        return "Ask, or say what to plan. Nothing is changed"
    return "Say what to do, or ask. / commands  @ files  ! shell"


def waiting(queued: Sequence[str]) -> str:
    """The requests that wait, a line each, the last ones where they are many."""
    lines = [f"waits: {words.strip().partition(chr(10))[0]}" for words in queued[-WAITING:]]
    if len(queued) > WAITING:
        lines.insert(0, f"{len(queued) - WAITING} more wait")
    if lines:
        lines.append("up takes the last one back")
    return "\n".join(lines)
