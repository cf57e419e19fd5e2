"""Messages between this client and a server: their limits, and the errors of a server that breaks them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from trajectories.errors import Cancelled

Message = dict[str, Any]
Interrupted = Callable[[], bool]

TICK = 0.05
"""Seconds between two checks for an interrupt."""
MOST_BYTES = 8 << 20
"""Maximum number of bytes that a server may send during one request."""
MOST_MESSAGES = 2_000
"""Maximum number of messages that a server may send during one request."""


class ServerFailed(Exception):
    """The server cannot be used any more. The message is a sentence about it without the subject."""


class ServerTimeout(Exception):
    """A request was not answered in time. The message is a sentence about the server without the subject."""


class ServerRefused(Exception):
    """The server answered a request with an error. The message is a sentence about the server without the subject."""


class Transport(Protocol):
    """The connection to one server. One thread uses it at a time."""

    def exchange(self, sent: Message, seconds: float, interrupted: Interrupted) -> Iterator[Message]:
        """Send a request and yield what the server sends, until the caller has its answer.

        Raises ServerFailed, ServerTimeout after `seconds`, and Cancelled if `interrupted` returns true.
        """

    def send(self, message: Message, interrupted: Interrupted) -> None:
        """Send a message that has no answer, and wait until the server has taken it.

        Raises ServerFailed, and Cancelled if `interrupted` returns true; the message may still be sent.
        """

    def close(self) -> None:
        """End the connection; for a program, end it with its process group."""


def check_interrupt(interrupted: Interrupted) -> None:
    """Raise Cancelled if the user has interrupted the run."""
    if interrupted():
        raise Cancelled("Interrupted.", "Resume the run to continue.")


def encode(message: Message) -> bytes:
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message | None:
    """Return a message; None for anything that is not a JSON object."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
