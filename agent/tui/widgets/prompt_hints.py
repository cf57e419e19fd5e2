"""What the prompt says of itself: what can be done as the session stands, and what waits."""

from __future__ import annotations

from collections.abc import Sequence

from agent.session.status import Status

LEAVE = "ctrl-c again ends the session"
WAITING = 3
"""Queued requests that are shown."""


STOPPED = ("Stopped. Enter goes on, words go with it, /undo takes it back", "Stopped. Enter or words go on")
WORKING = ("Enter queues, ctrl-s tells it now, esc stops it", "Enter queues, ctrl-s tells now")
NO_MODEL = ("No model yet: /help. !command, /locate, /test work", "No model yet: /help")
PLAN = ("Ask, or say what to plan. Nothing is changed", "Ask, or say what to plan")
BUILD = ("Say what to do, or ask. / commands  @ files  ! shell", "Say what to do, or ask. f1 helps")
"""What an empty prompt says, and what where that does not fit."""


def placeholder(status: Status | None, width: int) -> str:
    """What an empty prompt of so many columns says."""
    if status is None:
        return ""
    if status.state == "paused":
        words = STOPPED
    elif status.state in ("working", "asking"):
        words = WORKING
    elif not status.model:
        words = NO_MODEL
    else:
        words = PLAN if status.mode == "plan" else BUILD
    return next((text for text in words if len(text) < width), words[-1])


def waiting(queued: Sequence[str]) -> str:
    """The requests that wait, a line each, the last ones where they are many."""
    lines = [f"waits: {words.strip().partition(chr(10))[0]}" for words in queued[-WAITING:]]
    if len(queued) > WAITING:
        lines.insert(0, f"{len(queued) - WAITING} more wait")
    if lines:
        lines.append("up takes the last one back")
    return "\n".join(lines)
