"""A page of Chromium in a workspace, driven over one pipe. What the driver sends is untrusted."""

from __future__ import annotations

import base64
import binascii
import json
import time
from threading import Event
from typing import TYPE_CHECKING, Any

from aci.runtime.guest_programs import parse_object
from trajectories.page_picture import MOST_BYTES, picture_size

if TYPE_CHECKING:
    from aci.runtime.workspace import LineConversation

START_SECONDS, ANSWER_SECONDS = 60.0, 60.0
"""How long to wait for the browser to start, and for an answer; the driver itself gives up earlier."""
MOST_LINES = 100
TICK = 0.2


class BrowserFailed(Exception):
    """The browser did not start, ended, or does not answer."""


class PageDriver:
    """A started browser with at most one current page. After BrowserFailed it is of no use."""

    def __init__(self, conversation: LineConversation, cancel: Event) -> None:
        self._conversation, self._cancel = conversation, cancel
        self._number = 0

    def start(self) -> None:
        answer = self._receive(-1, START_SECONDS)
        if answer.get("ok") is not True:
            raise BrowserFailed(f"the browser does not start: {str(answer.get('error', ''))[:1_000]}")

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Have the driver do an action of page_driver.cjs, and return its answer: `ok`, and what the action returns or
        an `error`."""
        self._number += 1
        request = {"id": self._number, "do": action, **arguments}
        self._conversation.send(json.dumps(request).encode())
        return self._receive(self._number, ANSWER_SECONDS)

    def close(self) -> None:
        self._conversation.close()

    def _receive(self, number: int, seconds: float) -> dict[str, Any]:
        end, lines_left = time.monotonic() + seconds, MOST_LINES
        while (left := end - time.monotonic()) > 0:
            if self._cancel.is_set():
                raise BrowserFailed("the user interrupted")
            lines = self._conversation.receive(min(left, TICK))
            if lines is None:
                raise BrowserFailed("the browser has ended")
            lines_left -= len(lines)
            if lines_left < 0:
                break
            for line in lines:
                answer = parse_object(line)
                if answer is not None and answer.get("id") == number:
                    return answer
        raise BrowserFailed("the browser does not answer")


def decode_picture(text: object) -> bytes:
    """Return the PNG file in base64; b"" if it is none, or too large."""
    if not isinstance(text, str) or len(text) > MOST_BYTES * 4 // 3:
        return b""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""
    return data if picture_size(data) else b""
