"""`swe-agent mcp` with the SDK's own client, over stdin and HTTP, where the SDK is installed.

pip install mcp; python -m pytest --no-cov tests/e2e/test_mcp.py
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import git
from tests.e2e.conftest import STRICT_TEST, Machine, answer, call
from trajectories.journal import read

pytest.importorskip("mcp", reason="the MCP SDK is an extra, which is not installed")
anyio = pytest.importorskip("anyio")
httpx = pytest.importorskip("httpx2")

pytestmark = pytest.mark.slow
TOKEN = "a-token-of-more-than-twenty-characters"
ISSUE = "add() subtracts\n\nadd(2, 3) gives -1 but should give 5."
SOLUTION = answer(
    "Both.",
    call("edit", path="tests/test_core.py", old="", new=STRICT_TEST),
    call("edit", path="calc/core.py", old="return a - b", new="return a + b"),
    call("submit"),
)
Act = Callable[[Any], Coroutine[Any, Any, None]]


def options(machine: Machine, calculator: Path, model: str = "", *more: str) -> list[str]:
    fixed = ("--root", str(calculator), "--test", "python3 -m unittest discover", "--strategy", "react")
    return ["mcp", *fixed, *(("--model", model) if model else ()), *more]


def with_client(machine: Machine, arguments: list[str], act: Act, mode: str = "auto") -> None:
    """Start the server on stdin and stdout, and give `act` a client of it."""
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    program, *rest = machine.command(*arguments)
    server = StdioServerParameters(command=program, args=rest, env=machine.environment, cwd=str(machine.home))

    async def main() -> None:
        with anyio.fail_after(100):
            async with Client(stdio_client(server), mode=mode) as client:
                await act(client)

    anyio.run(main)


async def ask(client: Any, tool: str, **given: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, given)
    assert not result.is_error, result.content[0].text
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


async def until(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not is_so():
            await anyio.sleep(0.05)


def sleep(machine: Machine) -> dict[str, Any]:
    """A reply whose command takes a minute; when it runs again, it fails at once."""
    return answer("Wait.", call("shell", command=f"mkdir {machine.home / 'slept'} && sleep 60"))


def is_sleeping(machine: Machine) -> bool:
    return (machine.home / "slept").exists()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_client_solves_an_issue_and_nothing_is_changed(machine: Machine, calculator: Path, mode: str) -> None:
    told: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async def act(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        names = ["locate", "locate_with_model", "graph", "symbols", "run_tests", "prove", "optimize", "fix"]
        assert list(tools) == names
        assert tools["graph"].annotations.read_only_hint
        assert not tools["fix"].annotations.read_only_hint
        assert (await ask(client, "locate", issue=ISSUE))["files"][0]["path"] == "calc/core.py"
        assert (await ask(client, "run_tests"))["counts"] == {"passed": 1}
        result = (await client.call_tool("fix", {"issue": ISSUE}, progress_callback=note)).structured_content
        assert (result["exit"], result["verdict"]["kind"]) == (6, "plausible"), result
        assert "+    return a + b" in result["patch"]
        assert "directory" not in result
        listed = [str(each.uri) for each in (await client.list_resources()).resources]
        assert listed == ["swe-agent://runs", f"swe-agent://runs/{result['run']}"]
        report = (await client.read_resource(listed[1])).contents[0]
        assert report.text.startswith("# add() subtracts")
        assert len((await client.list_prompts()).prompts) == 2
        prompt = await client.get_prompt("review_patch", {"patch": "diff"})
        assert prompt.messages[0].content.text.endswith("diff")

    with_client(machine, options(machine, calculator, machine.script(SOLUTION)), act, mode)
    assert told
    assert git(calculator, "status", "--porcelain") == ""


def test_refusals_reach_the_clients_model_or_program(machine: Machine, calculator: Path) -> None:
    from mcp.shared.exceptions import MCPError

    async def act(client: Any) -> None:
        for tool, given, what in (
            ("fix", {"issue": ISSUE, "model": "gpt"}, "model, budget and workspace are the server's"),
            ("fix", {"issue": ISSUE, "budget": 100}, "model, budget and workspace are the server's"),
            ("locate", {"issue": "x", "repository": "../.."}, "is not one repository of this server"),
            ("locate", {"issue": "x", "repository": "file:///etc"}, "is not one repository of this server"),
            ("locate", {"issue": "x" * 200_000}, "must have at most 100000"),
            ("prove", {"patch": "diff --git a/x b/x\n"}, "local workspace, which has no isolation"),
        ):
            result = await client.call_tool(tool, given)
            assert result.is_error
            assert what in result.content[0].text, tool
        for wrong in (
            client.call_tool("shell", {}),
            client.read_resource("swe-agent://runs/../x"),
            client.read_resource("file:///etc/passwd"),
            client.get_prompt("evil", {}),
        ):
            with pytest.raises(MCPError, match="There is no such"):
                await wrong
        assert await ask(client, "symbols", name="add"), "the server still works"

    with_client(machine, options(machine, calculator), act)
    assert machine.runs() == []


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_cancelled_fix_is_interrupted_and_can_be_resumed(machine: Machine, calculator: Path, mode: str) -> None:
    async def act(client: Any) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "fix", {"issue": ISSUE})
            await until(lambda: is_sleeping(machine))
            group.cancel_scope.cancel()
        (run,) = (await ask_for_runs(client)).values()
        with anyio.fail_after(30):
            while run["running"]:
                await anyio.sleep(0.1)
                (run,) = (await ask_for_runs(client)).values()
        assert (run["resumable"], run["exit"]) == (True, None)

    script = machine.home / "script-0.jsonl"
    with_client(machine, options(machine, calculator, machine.script(sleep(machine))), act, mode)
    script.write_text("".join(json.dumps(line) + "\n" for line in (sleep(machine) | {"n": 1}, SOLUTION)))
    assert_is_resumed(machine)


async def ask_for_runs(client: Any) -> dict[str, Any]:
    text = (await client.read_resource("swe-agent://runs")).contents[0].text
    return {run["run"]: run for run in json.loads(text)}


def assert_is_resumed(machine: Machine) -> None:
    (run,) = machine.runs()
    assert read(run).exit is None
    result = machine.json("resume", run.name)
    assert result["verdict"]["kind"] == "plausible", result


@pytest.mark.parametrize("way", ["close", "kill-client", "SIGTERM", "SIGINT"])
def test_client_that_leaves_or_a_signal_interrupts_the_fix(machine: Machine, calculator: Path, way: str) -> None:
    arguments = machine.command(*options(machine, calculator, machine.script(sleep(machine))))
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=machine.environment, cwd=machine.home
    ) as server:
        assert server.stdin is not None
        first = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        given = {"name": "fix", "arguments": {"issue": ISSUE}}
        for message in (
            {"id": 1, "method": "initialize", "params": first},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/call", "params": given},
        ):
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            server.stdin.flush()
        anyio.run(until, lambda: is_sleeping(machine))
        if way.startswith("SIG"):
            server.send_signal(getattr(signal, way))
        elif way == "kill-client" and server.stdout:
            server.stdout.close()
            server.stdin.close()
        else:
            server.stdin.close()
        assert server.wait(40) == (130 if way.startswith("SIG") else 0)
        if way != "kill-client" and server.stdout:
            for line in server.stdout.read().splitlines():
                assert json.loads(line)["jsonrpc"] == "2.0", "nothing else is on stdout"
    (run,) = machine.runs()
    assert read(run).exit is None
    assert machine.json("runs")["returncode"] == 0


# HTTP


@asynccontextmanager
async def http_server(machine: Machine, arguments: list[str]) -> AsyncIterator[str]:
    """Start the server on a free port; yield its address."""
    environment = machine.environment | {"SWE_AGENT_MCP_TOKEN": TOKEN}
    with subprocess.Popen(
        machine.command(*arguments, "--http", "0"), stderr=subprocess.PIPE, env=environment, cwd=machine.home
    ) as server:
        try:
            assert server.stderr is not None
            line = await anyio.to_thread.run_sync(server.stderr.readline)
            found = re.search(rb"serving (http://127\.0\.0\.1:\d+/mcp)", line)
            assert found, line
            assert TOKEN.encode() not in line
            await until(lambda: is_listening(found[1].decode()))
            yield found[1].decode()
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(40) == 130


def is_listening(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 401
    except httpx.ConnectError:
        return False


@asynccontextmanager
async def http_client(address: str, mode: str = "auto") -> AsyncIterator[Any]:
    from mcp.client.client import Client
    from mcp.client.streamable_http import streamable_http_client

    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as http,
        Client(streamable_http_client(address, http_client=http), mode=mode) as client,
    ):
        yield client


def test_two_http_clients_share_the_runs_and_the_budget(machine: Machine, calculator: Path) -> None:
    """The provider bills 0.3 dollars a run whatever was reserved, so the second run goes over; no third one starts."""
    results: list[Any] = []

    async def solve(address: str, mode: str) -> None:
        async with http_client(address, mode) as client:
            results.append(await client.call_tool("fix", {"issue": ISSUE}))

    async def main() -> None:
        async with http_server(machine, options(machine, calculator, machine.script(dear), "--budget", "0.5")) as at:
            async with anyio.create_task_group() as group:
                group.start_soon(solve, at, "auto")
                group.start_soon(solve, at, "legacy")
            async with http_client(at) as client:
                refused = await client.call_tool("fix", {"issue": ISSUE})
                assert "The server's budget of $0.50 is used up" in refused.content[0].text
                assert await ask(client, "symbols", name="add")

    dear = SOLUTION | {
        "reply": SOLUTION["reply"] | {"usage": {"input_tokens": 100, "output_tokens": 20, "dollars": 0.3}}
    }
    (machine.home / "config.toml").unlink()
    anyio.run(main)
    answers = [result.structured_content for result in results if not result.is_error]
    assert sum(each["usage"]["dollars"] for each in answers) <= 0.6
    assert answers


def test_http_client_that_disconnects_interrupts_the_fix(machine: Machine, calculator: Path) -> None:
    async def fix(address: str) -> None:
        async with http_client(address) as client:
            await client.call_tool("fix", {"issue": ISSUE})

    async def main() -> None:
        async with http_server(machine, options(machine, calculator, machine.script(sleep(machine)))) as address:
            async with anyio.create_task_group() as group:
                group.start_soon(fix, address)
                await until(lambda: is_sleeping(machine))
                group.cancel_scope.cancel()
            async with http_client(address) as client:
                (run,) = (await ask_for_runs(client)).values()
                with anyio.fail_after(30):
                    while run["running"]:
                        await anyio.sleep(0.1)
                        (run,) = (await ask_for_runs(client)).values()
                assert (run["resumable"], run["exit"]) == (True, None)

    anyio.run(main)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_request_from_elsewhere_is_refused(machine: Machine, calculator: Path, mode: str) -> None:
    version = {"mcp-protocol-version": "2026-07-28"} if mode == "auto" else {}
    first = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": first}

    async def main() -> None:
        async with http_server(machine, options(machine, calculator)) as address, httpx.AsyncClient() as http:
            host = address.removeprefix("http://").removesuffix("/mcp")
            good = {
                "authorization": f"Bearer {TOKEN}",
                "accept": "application/json, text/event-stream",
                "host": host,
                **version,
            }

            async def status(**headers: str) -> int:
                return (await http.post(address, json=body, headers=good | headers)).status_code

            assert await status(authorization="") == 401
            assert await status(authorization="Bearer wrong") == 401
            assert await status(host="evil.example") == 421
            assert await status(host=f"evil.example:{host.partition(':')[2]}") == 421
            assert await status(origin="https://evil.example") == 403
            assert await status(origin="null") == 403
            large = await http.post(address, content=b"x" * (5 << 20), headers=good)
            assert large.status_code == 413
            asked = await http.options(address, headers={"origin": "https://evil.example"})
            assert not [name for name in asked.headers if name.startswith("access-control")]
            async with http_client(address, mode) as client:
                assert await ask(client, "symbols", name="add")

    anyio.run(main)


def test_own_token_is_random_and_shown_once(machine: Machine, calculator: Path) -> None:
    tokens = set()
    for _ in range(2):
        with subprocess.Popen(
            machine.command(*options(machine, calculator), "--http", "0"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=machine.environment,
            cwd=machine.home,
        ) as server:
            assert server.stderr is not None
            lines = [server.stderr.readline().decode() for _ in range(2)]
            tokens.add(re.search(r"Bearer (\S{40,})", lines[1])[1])  # type: ignore[index]
            anyio.run(until, lambda: is_listening(lines[0].split()[-1]))  # noqa: B023 - called at once
            server.send_signal(signal.SIGTERM)
            out, _ = server.communicate(timeout=40)
            assert out == b""
    assert len(tokens) == 2


def test_help_does_not_import_the_sdk() -> None:
    code = "import sys, swe_agent\nfrom agent.cli.command_line import run\nrun(['mcp', '--help'])\n"
    code += "assert not {'mcp', 'anyio', 'uvicorn', 'starlette'} & set(sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, stdout=subprocess.DEVNULL)
