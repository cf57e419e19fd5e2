"""Messages of the Language Server Protocol: JSON-RPC 2.0 with a header that gives the length."""

from __future__ import annotations

import json
import re
from typing import Any

MOST_HEADER, MOST_MESSAGE = 4_096, 16_000_000
"""Maximum number of bytes of a message's header, and of the message."""
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,9})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


class InvalidMessage(Exception):
    """The server does not follow the protocol."""


def encode_message(message: dict[str, Any]) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


class MessageReader:
    """The messages in a stream of bytes."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._length = -1  # of the message whose header was read

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the messages that these bytes complete. Raises InvalidMessage."""
        self._data += data
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def _next(self) -> dict[str, Any] | None:
        if self._length < 0 and not self._read_header():
            return None
        if len(self._data) < self._length:
            return None
        body = bytes(self._data[: self._length])
        del self._data[: self._length]
        self._length = -1
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            raise InvalidMessage("a message is not JSON") from None
        if not isinstance(message, dict):
            raise InvalidMessage("a message is no object")
        return message

    def _read_header(self) -> bool:
        end = self._data.find(b"\r\n\r\n", 0, MOST_HEADER)
        if end < 0:
            if len(self._data) >= MOST_HEADER:
                raise InvalidMessage("a header does not end")
            return False
        length = _LENGTH.search(self._data[:end])
        if length is None or int(length[1]) > MOST_MESSAGE:
            raise InvalidMessage("a message has no length, or is too long")
        self._length = int(length[1])
        del self._data[: end + 4]
        return True
