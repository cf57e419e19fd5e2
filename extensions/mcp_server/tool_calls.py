"""Calls of tools in threads: how many at a time, their progress, and their end when the client cancels or leaves."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from agent.limits.cancellation import CancellationToken
from extensions.mcp_server.server_options import ServerOptions
from extensions.mcp_server.tool_functions import ToolCall
from trajectories.errors import TryLater

if TYPE_CHECKING:
    from extensions.mcp_server.tool_table import ServerTool

MOST_RUNS, MOST_QUERIES, MOST_WAITING = 1, 2, 16
"""Maximum numbers of calls that run code, of calls that only read, and of all calls including those that wait."""
TICK, HEARTBEAT = 0.5, 10.0
"""Seconds between looks for progress; seconds after which progress is reported although nothing is new."""
LONGEST_LINE = 200

Report = Callable[[int, str], Awaitable[object]]
"""Reports progress: a growing number, and what is being done."""


class Progress:
    """The last message of a call. A flood of messages becomes a report each TICK."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = secrets
        self._text = "waiting"
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """Set the message, from any thread."""
        self._text = text

    async def send(self, report: Report) -> None:
        """Report the message whenever it changes, and at least each HEARTBEAT, until this task is cancelled."""
        import anyio

        from extensions.mcp_server.tool_answers import prepare_line

        count, sent, at = 0, "", 0.0
        while True:
            await anyio.sleep(TICK)
            text, now = self._text, time.monotonic()
            if text != sent or now - at >= HEARTBEAT:
                count, sent, at = count + 1, text, now
                await report(count, f"{prepare_line(text, self._secrets, LONGEST_LINE)} ({now - self._began:.0f} s)")


class ToolCalls:
    """The calls of a server. Setting `stop` cancels all of them."""

    def __init__(self, server: ServerOptions, stop: CancellationToken) -> None:
        from anyio import CapacityLimiter

        self._server, self._stop = server, stop
        self._runs, self._queries = CapacityLimiter(MOST_RUNS), CapacityLimiter(MOST_QUERIES)
        self.open = 0
        """The number of calls that work or wait."""

    async def run(self, tool: ServerTool, given: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """Return the answer of a tool, which works in a thread. If this task is cancelled, the work is interrupted as
        by Ctrl-C, and this returns after it has ended.

        Raises TryLater if too many calls are open, and what the tool raises.
        """
        import anyio.lowlevel
        from anyio import to_thread

        if self.open >= MOST_WAITING:
            raise TryLater(f"{self.open} calls are open already.", "Wait for one of them to end.")
        secrets: list[str] = []
        progress, cancel = Progress(secrets), CancellationToken(self._stop)
        call = ToolCall(self._server, cancel, progress.say, secrets)
        limiter = self._runs if tool.runs_code else self._queries
        self.open += 1
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(progress.send, report)
                group.start_soon(_set_when_cancelled, cancel)
                answer = await to_thread.run_sync(tool.call, call, given, limiter=limiter)
                group.cancel_scope.cancel()
            return answer
        except BaseExceptionGroup as errors:
            await anyio.lowlevel.checkpoint()  # if the client has cancelled, this is the end, not the work's error
            raise _first_error(errors) from None
        finally:
            self.open -= 1


async def _set_when_cancelled(cancel: CancellationToken) -> None:
    """Wait until the call's tasks are cancelled; then tell the thread to stop, which cannot be cancelled."""
    import anyio

    try:
        await anyio.sleep_forever()
    finally:
        cancel.set()


def _first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error: the work's, or that of a report that could not be sent."""
    first = errors.exceptions[0]
    return _first_error(first) if isinstance(first, BaseExceptionGroup) else first
