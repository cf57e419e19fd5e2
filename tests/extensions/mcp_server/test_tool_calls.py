"""Calls in threads: limits, progress, cancellation; with anyio, but without the SDK."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock
from typing import Any

import anyio
import pytest

from agent.limits.cancellation import CancellationToken
from extensions.mcp_server import tool_calls
from extensions.mcp_server.server_options import ServerOptions
from extensions.mcp_server.tool_arguments import Arguments
from extensions.mcp_server.tool_calls import MOST_WAITING, ToolCalls
from extensions.mcp_server.tool_functions import ToolCall
from extensions.mcp_server.tool_table import ServerTool
from trajectories.errors import Cancelled, TryLater, UsageError


def tool(work: Callable[[ToolCall], dict[str, Any]], runs_code: bool = True) -> ServerTool:
    return ServerTool("work", "", "", Arguments, lambda call, given: work(call), runs_code)


async def ignore(count: int, text: str) -> None:
    pass


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_calls, "TICK", 0.01)


def wait_for_cancel(started: Event) -> Callable[[ToolCall], dict[str, Any]]:
    def work(call: ToolCall) -> dict[str, Any]:
        started.set()
        call.cancel.sleep(20)
        pytest.fail("nobody cancelled")

    return work


def test_error_of_the_work_is_raised_alone(server: ServerOptions) -> None:
    def fail(call: ToolCall) -> dict[str, Any]:
        raise UsageError("No.", "Yes.")

    async def main() -> None:
        await ToolCalls(server, CancellationToken()).run(tool(fail), {}, ignore)

    with pytest.raises(UsageError, match="No"):
        anyio.run(main)


def test_cancelled_call_ends_its_work_before_it_returns(server: ServerOptions) -> None:
    started, ended = Event(), Event()

    def work(call: ToolCall) -> dict[str, Any]:
        try:
            return wait_for_cancel(started)(call)
        finally:
            ended.set()

    async def main() -> None:
        calls = ToolCalls(server, CancellationToken())
        async with anyio.create_task_group() as group:
            group.start_soon(calls.run, tool(work), {}, ignore)
            while not started.is_set():
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        assert ended.is_set()
        assert calls.open == 0

    anyio.run(main)


def test_stop_of_the_server_reaches_each_call(server: ServerOptions) -> None:
    started, stop = Event(), CancellationToken()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(expect_cancelled)
            while not started.is_set():
                await anyio.sleep(0.01)
            stop.set()

    async def expect_cancelled() -> None:
        with pytest.raises(Cancelled):
            await ToolCalls(server, stop).run(tool(wait_for_cancel(started)), {}, ignore)

    anyio.run(main)


def test_runs_take_turns_and_questions_do_not_wait_for_them(server: ServerOptions) -> None:
    lock, most, now = Lock(), 0, 0

    def work(call: ToolCall) -> dict[str, Any]:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return {}

    async def main() -> None:
        calls, started = ToolCalls(server, CancellationToken()), Event()
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(calls.run, tool(work), {}, ignore)
        assert most == 1
        async with anyio.create_task_group() as group:
            group.start_soon(calls.run, tool(wait_for_cancel(started)), {}, ignore)
            assert await calls.run(tool(lambda call: {"a": 1}, runs_code=False), {}, ignore) == {"a": 1}
            group.cancel_scope.cancel()

    anyio.run(main)


def test_flood_is_refused_and_ends_with_its_client(server: ServerOptions) -> None:
    started, refused = Event(), 0

    async def main() -> None:
        nonlocal refused
        calls = ToolCalls(server, CancellationToken())

        async def one() -> None:
            nonlocal refused
            try:
                await calls.run(tool(wait_for_cancel(started)), {}, ignore)
            except TryLater:
                refused += 1

        async with anyio.create_task_group() as group:
            for _ in range(10 * MOST_WAITING):
                group.start_soon(one)
            while not started.is_set() or refused < 9 * MOST_WAITING:
                await anyio.sleep(0.01)
            assert calls.open == MOST_WAITING
            group.cancel_scope.cancel()
        assert calls.open == 0

    anyio.run(main)
    assert refused == 9 * MOST_WAITING


def test_progress_is_thinned_cleaned_and_repeated(server: ServerOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_calls, "HEARTBEAT", 0.05)
    reports: list[tuple[int, str]] = []
    enough = Event()

    def work(call: ToolCall) -> dict[str, Any]:
        for number in range(1_000):
            call.say(f"\x1b[31m{number}\n" + "x" * 1_000)
        enough.wait(20)
        return {}

    async def report(count: int, text: str) -> None:
        reports.append((count, text))
        if len(reports) == 4:
            enough.set()

    async def main() -> None:
        await ToolCalls(server, CancellationToken()).run(tool(work), {}, report)

    anyio.run(main)
    assert [count for count, _ in reports] == sorted({count for count, _ in reports})
    assert len(reports) < 20
    assert reports[-1][1].startswith("999 xxx")
    assert all(len(text) < 300 and text.isprintable() for _, text in reports)


def test_client_that_left_does_not_hide_the_end_of_the_work(server: ServerOptions) -> None:
    """A report that cannot be sent cancels the work; it does not stay behind in its thread."""
    started = Event()

    async def broken(count: int, text: str) -> None:
        raise OSError("the client has left")

    async def main() -> None:
        calls = ToolCalls(server, CancellationToken())
        with pytest.raises((OSError, Cancelled)):
            await calls.run(tool(wait_for_cancel(started)), {}, broken)
        assert calls.open == 0

    anyio.run(main)


def test_progress_shows_no_secrets(server: ServerOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "correct-horse-battery")
    reports: list[str] = []
    enough = Event()

    def work(call: ToolCall) -> dict[str, Any]:
        call.secrets.append("of-a-model-key")
        call.say("a correct-horse-battery b of-a-model-key")
        enough.wait(20)
        return {}

    async def report(count: int, text: str) -> None:
        reports.append(text)
        if text.startswith("a "):
            enough.set()

    async def main() -> None:
        await ToolCalls(server, CancellationToken()).run(tool(work), {}, report)

    anyio.run(main)
    assert reports[-1].startswith("a [masked] b [masked] (")
