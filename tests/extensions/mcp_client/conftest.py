"""Servers as scripts, and sessions that use them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.config.mcp_table import McpServer
from tests.extensions.hooks.conftest import is_running
from tests.extensions.interactive.session.conftest import talk

__all__ = ["make_server", "received", "set_server", "talk"]

SCRIPT = Path(__file__).with_name("scripted_server.py")
MakeServer = Callable[..., dict[str, Any]]
SetServer = Callable[..., None]


@pytest.fixture
def make_server(tmp_path: Path) -> MakeServer:
    """`make_server("hang", allow=["echo"])` returns the table of a server with this behaviour."""

    def make(behaviour: str, **table: Any) -> dict[str, Any]:
        folder = tmp_path / "server"
        folder.mkdir(exist_ok=True)
        return {"command": [sys.executable, "-S", str(SCRIPT), behaviour, str(folder)], "timeout": 20} | table

    return make


@pytest.fixture
def set_server(make_server: MakeServer, own_config: Path) -> SetServer:
    """`set_server("hang", allow=["echo"])` writes a user's config with a server `s` of this behaviour."""

    def write(behaviour: str, **table: Any) -> None:
        values = make_server(behaviour, **table).items()
        own_config.write_text("[mcp.s]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values))

    return write


@pytest.fixture
def received(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """`received("tools/call")` returns the messages with this method that the server got."""

    def read(method: str = "") -> list[dict[str, Any]]:
        file = tmp_path / "server" / "received"
        lines = file.read_text().splitlines() if file.exists() else []
        messages = [json.loads(line) for line in lines]
        return [each for each in messages if not method or each.get("method") == method]

    return read


def wait_for_end(pid: int) -> bool:
    """Wait until a process has ended; return whether it has."""
    end = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_running(pid)


def server_table(table: dict[str, Any]) -> McpServer:
    return McpServer.model_validate(table)
