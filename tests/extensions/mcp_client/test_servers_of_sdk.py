"""The MCP client with servers that are made with the official SDK, over stdin and HTTP, where the SDK is installed.

pip install mcp; python -m pytest --no-cov tests/extensions/mcp_client/test_servers_of_sdk.py
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.config.mcp_table import McpServer
from extensions.mcp_client.client import McpClient, open_transport
from extensions.mcp_client.server_tool import make_tool

pytest.importorskip("mcp", reason="the MCP SDK is an extra, which is not installed")

pytestmark = pytest.mark.slow
SERVER = """
import sys
from typing import Literal
from pydantic import BaseModel
from mcp.server import MCPServer

server = MCPServer("sdk")

class Issue(BaseModel):
    title: str
    labels: list[str] = []
    kind: Literal["bug", "feature"] = "bug"

@server.tool()
def create_issue(issue: Issue, urgent: bool = False) -> str:
    '''Create an issue.'''
    return f"{issue.title} {issue.labels} {issue.kind} {urgent}"

@server.tool()
def fail() -> str:
    '''Fail.'''
    raise ValueError("no such issue")

if sys.argv[1] == "http":
    server.run(transport="streamable-http", port=int(sys.argv[2]))
else:
    server.run(transport="stdio")
"""


def never() -> bool:
    return False


def use(table: McpServer) -> None:
    client = McpClient(open_transport(table, {"PATH": "/usr/bin:/bin"}), 60)
    try:
        client.start(never)
        said = {str(tool["name"]): tool for tool in client.list_tools(never)}
        assert sorted(said) == ["create_issue", "fail"]
        made = make_tool("sdk", "", said["create_issue"], client_call, lambda pin: None)
        issue: dict[str, Any] = made.schema["function"]["parameters"]["properties"]["issue"]
        assert issue["required"] == ["title"]
        assert issue["properties"]["kind"] == {"type": "string", "enum": ["bug", "feature"]}
        given = {"issue": {"title": "It fails", "labels": ["a"]}, "urgent": True}
        result = client.call("create_issue", given, never)
        assert result["content"][0]["text"] == "It fails ['a'] bug True"
        assert client.call("fail", {}, never)["isError"] is True
        assert client.call("create_issue", {}, never)["isError"] is True, "the server checks the arguments"
    finally:
        client.close()


def client_call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError(tool)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "server.py"
    file.write_text(SERVER)
    return file


def test_server_on_stdin(script: Path) -> None:
    use(McpServer(command=(sys.executable, str(script), "stdio")))


@pytest.fixture
def port(script: Path) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, str(script), "http", "0"], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        found = next(match for line in process.stderr if (match := re.search(r"127\.0\.0\.1:(\d+)", line)))
        yield int(found[1])
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_server_over_http(port: int) -> None:
    use(McpServer(url=f"http://127.0.0.1:{port}/mcp"))
