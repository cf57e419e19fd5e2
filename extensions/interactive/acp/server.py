"""The server: the methods of the protocol, over stdin and stdout, until the client leaves."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from agent.version import __version__
from trajectories.errors import Cancelled, SweAgentError, UsageError

if TYPE_CHECKING:
    from extensions.interactive.acp.client_session import ClientSession
    from extensions.interactive.acp.session_starts import SessionStarts
    from extensions.interactive.session.session_start import Start

MOST_SESSIONS = 20
"""Maximum number of open sessions; each has a thread and may have a container."""
LAST_SECONDS = 20.0
"""Maximum number of seconds for the sessions to close when the client leaves."""
INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603
MCP_IGNORED = (
    "The editor's MCP servers ({}) are not used: tools outside the workspace come from your own configuration alone."
)
Params = ParamSpec("Params")
Answer = TypeVar("Answer")


def _answered(
    method: Callable[Params, Coroutine[Any, Any, Answer]],
) -> Callable[Params, Coroutine[Any, Any, Answer]]:
    """Turn an error of a method into one of the protocol, without a traceback for the client."""

    @wraps(method)
    async def wrapper(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
        from acp import RequestError

        try:
            return await method(*args, **kwargs)
        except (SweAgentError, OSError) as error:
            text = f"{error.message} {error.fix}".strip() if isinstance(error, SweAgentError) else str(error)
            raise RequestError(INVALID_PARAMS, text) from None
        except Exception as error:
            logging.getLogger(__name__).exception("%s failed", method.__name__)
            what = f"Internal error: {type(error).__name__}. The agent's stderr has more."
            raise RequestError(INTERNAL_ERROR, what) from None

    return wrapper


class AcpServer:
    """The agent's side of the protocol for one client; the SDK calls the methods by name with checked arguments.

    What sessions need is imported with the first one, so that `initialize`, for which clients wait a few seconds, is
    answered without it.
    """

    def __init__(self, flags: Mapping[str, Any]) -> None:
        self._flags = flags
        self._sessions: dict[str, ClientSession] = {}
        self._opening: set[str] = set()
        self._client: Any = None

    @cached_property
    def _starts(self) -> SessionStarts:
        from extensions.interactive.acp.session_starts import SessionStarts

        return SessionStarts(self._flags)

    def on_connect(self, client: Any) -> None:
        self._client = client

    async def initialize(self, protocol_version: int, **_: Any) -> Any:
        from acp import PROTOCOL_VERSION, schema

        sessions = schema.SessionCapabilities(list=schema.SessionListCapabilities())
        prompts = schema.PromptCapabilities(image=True, embedded_context=True)
        return schema.InitializeResponse(
            protocol_version=PROTOCOL_VERSION,
            agent_capabilities=schema.AgentCapabilities(
                load_session=True, prompt_capabilities=prompts, session_capabilities=sessions
            ),
            agent_info=schema.Implementation(name="swe-agent", title="swe-agent", version=__version__),
            auth_methods=[],
        )

    @_answered
    async def new_session(self, cwd: str, mcp_servers: Any = None, **_: Any) -> Any:
        from acp.schema import NewSessionResponse

        id = self._starts.new_id()
        async with SessionSlot(self, id):
            start = await asyncio.to_thread(self._starts.new, cwd, id)
            session = self._prepare_session(id, start, mcp_servers)
            await session.open()
            self._sessions[id] = session
        session.begin_updates()
        return NewSessionResponse(session_id=id, modes=session.modes())

    @_answered
    async def load_session(self, cwd: str, session_id: str, mcp_servers: Any = None, **_: Any) -> Any:
        from acp.schema import LoadSessionResponse

        async with SessionSlot(self, session_id):
            start = await asyncio.to_thread(self._starts.earlier, cwd, session_id)
            if (open_already := self._sessions.get(session_id)) is not None:
                open_already.check_free()
                del self._sessions[session_id]
                await open_already.close()
            session = self._prepare_session(session_id, start, mcp_servers)
            await session.open()
            try:
                await session.show_history()
            except BaseException:
                await session.close()
                raise
            self._sessions[session_id] = session
        session.begin_updates()
        return LoadSessionResponse(modes=session.modes())

    @_answered
    async def list_sessions(self, cwd: str | None = None, **_: Any) -> Any:
        from acp.schema import ListSessionsResponse, SessionInfo

        roots = {str(session.session.start.source.root) for session in self._sessions.values()}
        found = []
        for folder in [cwd] if cwd else sorted(roots):
            for run, at in await asyncio.to_thread(self._starts.listed, folder):
                found.append(SessionInfo(session_id=run.name, cwd=run.repository, title=run.title, updated_at=at))
        return ListSessionsResponse(sessions=found)

    @_answered
    async def prompt(self, session_id: str, prompt: list[Any], **_: Any) -> Any:
        from acp.schema import PromptResponse

        reason: Any = await self._session(session_id).prompt(prompt)
        return PromptResponse(stop_reason=reason)

    @_answered
    async def set_session_mode(self, session_id: str, mode_id: str, **_: Any) -> None:
        await self._session(session_id).set_mode(mode_id)

    async def cancel(self, session_id: str, **_: Any) -> None:
        if session := self._sessions.get(session_id):
            session.cancel()

    def _prepare_session(self, id: str, start: Start, mcp_servers: Any) -> ClientSession:
        from extensions.interactive.acp.client_session import ClientSession

        return ClientSession(id, start, self._client, _ignored(mcp_servers))

    def _session(self, id: str) -> ClientSession:
        session = self._sessions.get(id)
        if session is None:
            raise UsageError("There is no open session with this id.", "Start one, or load it.")
        return session

    async def close(self) -> None:
        """Close all sessions: a turn that runs is stopped, and everything finished is kept."""
        sessions, self._sessions = list(self._sessions.values()), {}
        await asyncio.gather(*(session.close() for session in sessions), return_exceptions=True)


class SessionSlot:
    """A place among the open sessions for the one with this id, while it is opened. Raises UsageError if there is none,
    or if the session is being opened already."""

    def __init__(self, server: AcpServer, id: str) -> None:
        self._server = server
        self._id = id

    async def __aenter__(self) -> None:
        server = self._server
        if self._id in server._opening:
            raise UsageError("The session is being loaded.", "Wait until it is open.")
        if len(server._sessions.keys() | server._opening | {self._id}) > MOST_SESSIONS:
            raise UsageError(f"{MOST_SESSIONS} sessions are open.", "Restart the agent; sessions can be loaded again.")
        server._opening.add(self._id)

    async def __aexit__(self, *_: object) -> None:
        self._server._opening.remove(self._id)


def _ignored(servers: Any) -> list[str]:
    from aci.observation.untrusted_text import one_line

    names = ", ".join(one_line(server.name)[:40] for server in (servers or [])[:10])
    return [MCP_IGNORED.format(names)] if servers else []


def serve_stdio(flags: Mapping[str, Any]) -> int:
    """Serve one client over stdin and stdout until it closes stdin, or a signal; return the exit code.

    Raises UsageError if stdin or stdout is a file.
    """
    logging.basicConfig(level=logging.WARNING, format="swe-agent acp: %(message)s", stream=sys.stderr)
    if sys.stdin.isatty():
        sys.stderr.write("swe-agent acp waits for an editor on stdin; docs/acp.md shows how editors start it.\n")
    return asyncio.run(_serve(flags))


async def _serve(flags: Mapping[str, Any]) -> int:
    from acp.agent.connection import AgentSideConnection

    from agent.console.process_end import exit_process
    from extensions.interactive.acp.stdio_transport import open_stdio

    server = AcpServer(flags)
    transport = await open_stdio()
    connection = AgentSideConnection(server, transport, listening=False)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    listening = loop.create_task(connection.listen())
    waiting = loop.create_task(stopped.wait())
    await asyncio.wait((listening, waiting), return_when=asyncio.FIRST_COMPLETED)
    code = Cancelled.code if stopped.is_set() else 0
    try:
        await asyncio.wait_for(server.close(), LAST_SECONDS)
    except TimeoutError:
        exit_process(code)
    for task in (listening, waiting):
        task.cancel()
    return code
