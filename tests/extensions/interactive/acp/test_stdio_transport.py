"""Messages on stdin and stdout, which belong to the protocol alone."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from extensions.interactive.acp.stdio_transport import INVALID_REQUEST, PARSE_ERROR, StdioTransport, _parse

OTHERS = """
import asyncio, os, subprocess, sys
from extensions.interactive.acp.stdio_transport import open_stdio

async def main():
    transport = await open_stdio()
    assert os.path.samestat(os.fstat(0), os.stat(os.devnull))
    print("printed")
    os.write(1, b"written\\n")
    subprocess.run(["sh", "-c", "echo started; cat"], check=True)
    await transport.send({"jsonrpc": "2.0", "result": (await transport.receive())["params"]})

asyncio.run(main())
"""


def test_only_the_protocol_reaches_stdin_and_stdout() -> None:
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "m", "params": {"a": 1, "_meta": {"b": 2}}}) + "\n"
    done = subprocess.run(
        [sys.executable, "-c", OTHERS], input=message, capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == {"jsonrpc": "2.0", "result": {"a": 1}}
    assert sorted(done.stderr.split()) == ["printed", "started", "written"]


def connected(act: Callable[[StdioTransport, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    """Run `act` with a transport whose limit is 1,000 bytes, and the other side."""

    async def main() -> None:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours, limit=1_000)
        other_reader, other_writer = await asyncio.open_connection(sock=theirs)
        transport = StdioTransport(reader, writer)
        async with asyncio.timeout(20):
            await act(transport, other_reader, other_writer)
        other_writer.close()
        await transport.close()

    asyncio.run(main())


def test_long_message_is_refused_and_the_next_one_is_read() -> None:
    async def act(transport: StdioTransport, reader: Any, writer: Any) -> None:
        writer.write(b"x" * 50_000 + b"\n\n" + b'{"id":1,"method":"m"}\n')
        assert await transport.receive() == {"id": 1, "method": "m"}
        assert json.loads(await reader.readline())["error"]["code"] == INVALID_REQUEST

    connected(act)


def test_end_of_input_in_the_middle_of_a_message_is_the_end() -> None:
    async def act(transport: StdioTransport, reader: Any, writer: Any) -> None:
        writer.write(b'{"id":1,"met')
        writer.write_eof()
        assert await transport.receive() is None

    connected(act)


def test_lone_surrogate_and_long_details_are_not_sent() -> None:
    async def act(transport: StdioTransport, reader: Any, writer: Any) -> None:
        wrong = {"loc": ("prompt", 0), "msg": "no\ud800", "input": "x" * 900_000, "ctx": {"error": ValueError()}}
        error = {"code": -32602, "message": "Invalid params", "data": {"errors": [wrong] * 9}}
        await transport.send({"jsonrpc": "2.0", "id": 1, "error": error})
        sent = json.loads(await reader.readline())["error"]
        assert sent["data"] == {"details": "; ".join(["prompt.0: no?"] * 3)}

    connected(act)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"not JSON", PARSE_ERROR),
        (b"[" * 100_000, PARSE_ERROR),
        (b'{"id":' + b"9" * 10_000 + b"}", PARSE_ERROR),
        (b"[]", INVALID_REQUEST),
        (b'{"id":{},"method":"m"}', INVALID_REQUEST),
        (b'{"id":[],"result":{}}', INVALID_REQUEST),
        (b'{"id":0,"error":5}', INVALID_REQUEST),
        (b'{"id":7,"method":["m"]}', INVALID_REQUEST),
        (b'{"result":1}', INVALID_REQUEST),
        (b'{"method":"no/such"}', 0),
    ],
)
def test_invalid_messages_are_refused_or_dropped(line: bytes, code: int) -> None:
    assert _parse(line) == (code, {})
