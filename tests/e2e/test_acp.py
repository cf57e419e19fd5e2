"""`swe-agent acp` with the SDK's own client, as an editor starts it: over pipes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from acp import PROTOCOL_VERSION, spawn_agent_process
from acp.helpers import text_block

from tests.conftest import git
from tests.e2e.conftest import STRICT_TEST, Machine, answer, call
from trajectories.journal import read

pytestmark = pytest.mark.slow
ISSUE = "add() subtracts\n\nadd(2, 3) gives -1 but should give 5."
SOLUTION = answer(
    "Both.",
    call("edit", path="tests/test_core.py", old="", new=STRICT_TEST),
    call("edit", path="calc/core.py", old="return a - b", new="return a + b"),
    call("submit"),
)
Act = Callable[["Client", Any, Any], Awaitable[None]]


class Client:
    """An editor that allows everything."""

    def __init__(self) -> None:
        self.updates: list[Any] = []

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        self.updates.append(update)

    async def request_permission(self, session_id: str, tool_call: Any, options: Any, **_: Any) -> Any:
        from acp.schema import AllowedOutcome, RequestPermissionResponse

        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=options[0].option_id))


def with_client(machine: Machine, arguments: list[str], act: Act) -> Client:
    """Start the server, and give `act` a client, the connection and the process."""
    program, *rest = machine.command("acp", *arguments)
    client = Client()
    environment = machine.environment

    async def main() -> None:
        started = spawn_agent_process(client, program, *rest, env=environment, cwd=machine.home)  # type: ignore[arg-type]
        async with asyncio.timeout(100), started as (agent, process):
            await agent.initialize(protocol_version=PROTOCOL_VERSION)
            await act(client, agent, process)

    asyncio.run(main())
    return client


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.05)


def test_editor_gets_a_plausible_fix(machine: Machine, calculator: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def act(client: Client, agent: Any, process: Any) -> None:
        session = (await agent.new_session(cwd=str(calculator), mcp_servers=[])).session_id
        prompt = [text_block("/strategy test-then-patch")]
        assert (await agent.prompt(session_id=session, prompt=prompt)).stop_reason == "end_turn"
        assert (await agent.prompt(session_id=session, prompt=[text_block(ISSUE)])).stop_reason == "end_turn"
        assert git(calculator, "status", "--porcelain") == ""
        await agent.prompt(session_id=session, prompt=[text_block("/apply")])

    test = ("--test", "python3 -m unittest discover")
    client = with_client(machine, ["--model", machine.script(SOLUTION), *test], act)
    said = "".join(each.content.text for each in client.updates if each.session_update == "agent_message_chunk")
    assert "Plausible: a test fails without the change" in said
    assert "Error parsing" not in caplog.text  # what the SDK's client logs about a line that is no message
    assert any(each.session_update == "plan" for each in client.updates)
    assert "return a + b" in (calculator / "calc" / "core.py").read_text()


@pytest.mark.parametrize("end", ["stdin", "both", "signal"])
def test_client_that_leaves_stops_the_turn_and_keeps_what_is_done(machine: Machine, calculator: Path, end: str) -> None:
    slept = machine.home / "slept"
    look = answer("Look.", call("view", path="calc/core.py"), n=1)
    sleep = answer("Wait.", call("shell", command=f"touch {slept}; sleep 60"), n=2)
    codes: list[int] = []

    async def act(client: Client, agent: Any, process: Any) -> None:
        session = (await agent.new_session(cwd=str(calculator), mcp_servers=[])).session_id
        asked = asyncio.create_task(agent.prompt(session_id=session, prompt=[text_block("Wait.")]))
        await until(slept.exists)
        if end == "signal":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        if end == "both":
            process._transport.get_pipe_transport(1).close()
        codes.append(await process.wait())
        asked.cancel()
        with suppress(BaseException):
            await asked

    with_client(machine, ["--model", machine.script(look, sleep)], act)
    assert codes == [130 if end == "signal" else 0]
    (run,) = machine.runs()
    records = read(run)
    assert records.exit is None
    assert next(step.actions[0].tool for step in records.steps["main"] if step.actions) == "view"
    assert not subprocess.run(["pgrep", "-f", str(slept)], capture_output=True, check=False).stdout


def test_file_in_place_of_a_pipe_is_refused(machine: Machine, calculator: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("{}")
    environment = machine.environment
    with (tmp_path / "in").open() as stdin:
        done = subprocess.run(
            machine.command("acp"),
            stdin=stdin,
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Let an editor start it" in done.stderr
    assert "Traceback" not in done.stderr
