"""The messages of the protocol as lines of JSON on the process's stdin and stdout, which nothing else may use."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from trajectories.errors import UsageError

MOST_BYTES = 20_000_000
"""Maximum number of bytes of a message. A longer one is refused without being kept."""
MOST_ERROR = 500
"""Maximum number of characters of the details of an error."""
NOTIFICATIONS = frozenset({"session/cancel"})
"""The notifications that are read; all others are dropped."""
META = frozenset({"_meta", "field_meta"})
"""The names of a parameter whose content the SDK passes as arguments, in place of the checked ones of the same name."""
PARSE_ERROR, INVALID_REQUEST = -32700, -32600


class StdioTransport:
    """The SDK's `Transport` for one client. Invalid messages are answered with an error and dropped, because an
    exception in the SDK's loop would end all sessions."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """`reader` has the limit MOST_BYTES."""
        self._reader, self._writer = reader, writer
        self._writing = asyncio.Lock()

    async def send(self, message: dict[str, Any]) -> None:
        """Write a message. Raises OSError if the client is gone."""
        if "error" in message:
            message = {**message, "error": _shortened(message["error"])}
        line = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        async with self._writing:
            self._writer.write(line)
            await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message; None after the last."""
        while (line := await self._read_line()) != b"":
            if line is not None and not line.strip():
                continue
            code, message = _parse(line)
            if code:
                error = {"code": code, "message": "This is not a message of the protocol."}
                await self.send({"jsonrpc": "2.0", "id": None, "error": error})
            elif message:
                return message
        return None

    async def close(self) -> None:
        self._writer.close()

    async def _read_line(self) -> bytes | None:
        """Return a line with its end, None for one that is too long, and b"" at the end of the input."""
        is_too_long = False
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return b""
            except asyncio.LimitOverrunError as error:
                is_too_long = True
                await self._reader.readexactly(error.consumed)
            else:
                return None if is_too_long else line


def _parse(line: bytes | None) -> tuple[int, dict[str, Any]]:
    """Return a message without what the SDK would trip over, or the code of the error; ({}, 0) is dropped."""
    if line is None:
        return INVALID_REQUEST, {}
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return PARSE_ERROR, {}
    if not isinstance(message, dict) or not isinstance(message.get("method", ""), str):
        return INVALID_REQUEST, {}
    if "id" in message and not isinstance(message["id"], str | int | None):
        return INVALID_REQUEST, {}
    if "method" not in message:
        is_answer = "result" in message or isinstance(message.get("error"), dict)
        return (0, message) if is_answer and "id" in message else (INVALID_REQUEST, {})
    if "id" not in message and message["method"] not in NOTIFICATIONS:
        return 0, {}
    if isinstance(params := message.get("params"), dict):
        message["params"] = {name: value for name, value in params.items() if name not in META}
    return 0, message


def _shortened(error: dict[str, Any]) -> dict[str, Any]:
    """Return an error without the client's own input, which may be long."""
    details = error.get("data")
    if isinstance(details, dict) and isinstance(details.get("errors"), list):
        wrong = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in details["errors"][:3])
        details = {"details": "; ".join(wrong)[:MOST_ERROR]}
    return {"code": error["code"], "message": error["message"]} | ({"data": details} if details else {})


async def open_stdio() -> StdioTransport:
    """Return the transport over this process's stdin and stdout.

    From now on, what anything else writes to stdout goes to stderr, and stdin is empty for it and for the processes
    that it starts. Raises UsageError if stdin or stdout is a file.
    """
    sys.stdout.flush()
    own_in, own_out = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MOST_BYTES)
    try:
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(own_in, "rb", 0))
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(own_out, "wb", 0)
        )
    except ValueError:
        raise UsageError(
            "`swe-agent acp` was started with a file as its input or output.", "Let an editor start it (docs/acp.md)."
        ) from None
    return StdioTransport(reader, asyncio.StreamWriter(transport, protocol, None, loop))
