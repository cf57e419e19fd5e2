"""Text of the prompt: what the user can do now, and what is queued."""

from __future__ import annotations

from collections.abc import Sequence

from extensions.interactive.session.session_status import Status
from extensions.interactive.tui.rendering.line_renderer import can_unicode

LEAVE = "ctrl-c again ends the session"
MORE_BELOW = "{arrow}more below, {key} jumps there"
WAITING = 3
"""Maximum number of queued requests that are shown."""


STOPPED = ("Stopped. Enter resumes, words are sent with it, /undo reverts", "Stopped. Enter or words resume")
WORKING = ("Enter queues, ctrl-s sends now, esc stops the turn", "Enter queues, ctrl-s sends now")
NO_MODEL = ("No model yet: /help. !command, /locate, /test work", "No model yet: /help")
PLAN = ("Ask, or say what to plan. No files are changed", "Ask, or say what to plan")
BUILD = ("Say what to do, or ask. / commands  @ files  ! shell", "Say what to do, or ask. f1 help")
"""Placeholders, each with a shorter text for narrow prompts."""


def placeholder(status: Status | None, width: int) -> str:
    """Return the placeholder for a prompt of that width."""
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


def more_below_text(has_text: bool) -> str:
    """Return the mark for a conversation whose end is not visible."""
    return MORE_BELOW.format(arrow="↓ " if can_unicode() else "", key="ctrl-end" if has_text else "end")


def queue_text(queued: Sequence[str]) -> str:
    """Return the queued requests, one per line; only the last ones if there are many."""
    lines = [f"queued: {words.strip().partition(chr(10))[0]}" for words in queued[-WAITING:]]
    if len(queued) > WAITING:
        lines.insert(0, f"{len(queued) - WAITING} more queued")
    if lines:
        lines.append("up edits the last one")
    return "\n".join(lines)
