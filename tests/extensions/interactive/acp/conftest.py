"""`edit(act)`: an editor made of the SDK's own client, connected with the server in this process."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from acp import PROTOCOL_VERSION, RequestError, schema
from acp.agent.connection import AgentSideConnection
from acp.client.connection import ClientSideConnection
from acp.connection import StreamDirection, StreamEvent
from acp.helpers import text_block

from extensions.interactive.acp.server import AcpServer
from extensions.interactive.acp.stdio_transport import MOST_BYTES, StdioTransport
from tests.conftest import MakeRepo

PATIENCE = 100
FILES = {"a.py": "def f():\n    return 1\n", "tests/test_a.py": "from a import f\n\n\ndef test_f():\n    f()\n"}
RESULTS = {
    "initialize": schema.InitializeResponse,
    "session/new": schema.NewSessionResponse,
    "session/load": schema.LoadSessionResponse,
    "session/list": schema.ListSessionsResponse,
    "session/prompt": schema.PromptResponse,
    "session/set_mode": schema.SetSessionModeResponse,
}


class Editor:
    """The client. `updates` are all updates in order, `questions` the permission requests, which get `choice`; with
    None, they get no answer."""

    def __init__(self) -> None:
        self.updates: list[Any] = []
        self.questions: list[Any] = []
        self.choice: str | None = "allow"
        self.agent: Any = None
        self.server: AcpServer = None  # type: ignore[assignment]
        self.writer: asyncio.StreamWriter = None  # type: ignore[assignment]
        self.wrong: list[str] = []
        """What the server sent that is not the protocol's."""
        self._asked: dict[Any, str] = {}

    # The SDK calls these.

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        self.updates.append(update)

    async def request_permission(self, session_id: str, tool_call: Any, options: Any, **_: Any) -> Any:
        self.questions.append((tool_call, options))
        while self.choice is None:
            await asyncio.sleep(0.02)
        if self.choice == "cancelled":
            return schema.RequestPermissionResponse(outcome=schema.DeniedOutcome(outcome="cancelled"))
        outcome = schema.AllowedOutcome(outcome="selected", option_id=self.choice)
        return schema.RequestPermissionResponse(outcome=outcome)

    def check(self, event: StreamEvent) -> None:
        """Check each message that the server sends: reading it as the protocol's must lose nothing."""
        message = event.message
        if event.direction is StreamDirection.OUTGOING:
            if "method" in message and "id" in message:
                self._asked[message["id"]] = message["method"]
            return
        if message.get("jsonrpc") != "2.0":
            self.wrong.append(f"no JSON-RPC: {message}")
        if (method := message.get("method")) is not None:
            models = {
                "session/update": schema.SessionNotification,
                "session/request_permission": schema.RequestPermissionRequest,
            }
            self._compare(models[method], message["params"])
        elif "result" in message:
            self._compare(RESULTS[self._asked[message["id"]]], message["result"])
        else:
            self._compare(schema.Error, message["error"])

    def _compare(self, model: Any, sent: Any) -> None:
        read = model.model_validate(sent).model_dump(mode="json", by_alias=True, exclude_unset=True)
        if read != sent:
            self.wrong.append(f"{sent} is read as {read}")

    # Tests call these.

    async def open(self, root: Path, **more: Any) -> str:
        await self.agent.initialize(protocol_version=PROTOCOL_VERSION)
        return (await self.agent.new_session(cwd=str(root), mcp_servers=[], **more)).session_id

    async def say(self, session: str, *blocks: Any) -> str:
        content = [text_block(block) if isinstance(block, str) else block for block in blocks]
        return (await self.agent.prompt(session_id=session, prompt=content)).stop_reason

    def all(self, kind: str) -> list[Any]:
        return [update for update in self.updates if update.session_update == kind]

    def text(self, kind: str = "agent_message_chunk") -> str:
        return "".join(update.content.text for update in self.all(kind))

    async def until(self, is_so: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not is_so():
                await asyncio.sleep(0.01)

    async def refusal(self, request: Awaitable[Any]) -> str:
        """Return the message with which a request is refused."""
        with pytest.raises(RequestError) as raised:
            await request
        assert raised.value.code == -32602
        return str(raised.value)


Edit = Callable[..., Editor]


@pytest.fixture
def root(make_repo: MakeRepo) -> Path:
    return make_repo(FILES)


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """`edit(act, script, …)` runs `act(editor)` against a server with a scripted model; `flags` are the server's."""
    for name in [
        name
        for name in os.environ
        if name.startswith("SWE_AGENT_") and name not in ("SWE_AGENT_CONFIG", "SWE_AGENT_INDEPENDENT")
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state" / "swe"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")

    def run(act: Callable[[Editor], Awaitable[None]], script: Any = (), **flags: Any) -> Editor:
        file = tmp_path / "script.jsonl"
        file.write_text("\n".join(map(json.dumps, script)), "utf-8")
        model = {"model": f"scripted:{file}"} if script else {}
        editor = Editor()
        asyncio.run(_connected(editor, {"workspace": "local", "max_time": 100} | model | flags, act))
        assert editor.wrong == []
        return editor

    return run


async def _connected(editor: Editor, flags: dict[str, Any], act: Callable[[Editor], Awaitable[None]]) -> None:
    ours, theirs = socket.socketpair()
    server = editor.server = AcpServer(flags)
    reader, writer = await asyncio.open_connection(sock=ours, limit=MOST_BYTES)
    agent_side = AgentSideConnection(server, StdioTransport(reader, writer))
    client_reader, editor.writer = await asyncio.open_connection(sock=theirs, limit=MOST_BYTES)
    editor.agent = ClientSideConnection(editor, editor.writer, client_reader, observers=[editor.check])
    try:
        async with asyncio.timeout(PATIENCE):
            await act(editor)
    finally:
        await server.close()
        for connection in (editor.agent, agent_side):
            with suppress(OSError):
                await connection.close()
        editor.writer.close()
