"""A session of a client: one prompt at a time, events sent in order, questions asked, cancelled at any moment."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from agent.permissions.approvals import Approval
from agent.run_state.progress_event import LIVE_DETAILS
from extensions.interactive.acp.permission_requests import TOO_LONG, PermissionRequest
from extensions.interactive.acp.prompt_content import PromptContent, read_prompt
from extensions.interactive.acp.session_updates import SessionUpdates
from extensions.interactive.session import session_events
from extensions.interactive.session.commands import check_in_editor, find, is_command, summaries_in_editors
from extensions.interactive.session.session import Session
from extensions.interactive.session.session_start import MODES
from extensions.interactive.session.user_questions import NO_USER
from trajectories.errors import Cancelled, SweAgentError, UsageError

if TYPE_CHECKING:
    from extensions.interactive.session.session_events import Event
    from extensions.interactive.session.session_start import Start

TICK = 0.1
NO_RUN = "There is no run of this session, so it starts anew."
MOST_WAITING = 2_000
"""Number of events that wait for a client which reads slowly, above which live details are left out."""
STOP_REASONS = {"budget": "max_tokens", "limit": "max_turn_requests", "interrupted": "cancelled"}
"""The protocol's reasons by kind of exit; all others end the turn as usual."""
MODE_NAMES = {"build": ("Build", "Changes files, in a copy of the repository."), "plan": ("Plan", "Only reads.")}


class ClientSession:
    """A session, for use in the event loop. Methods that may block run in threads.

    `client` is the SDK's connection. If the client is gone, its questions are answered with no and its prompt is
    cancelled.
    """

    def __init__(self, id: str, start: Start, client: Any, notices: Iterable[str] = ()) -> None:
        self.id = id
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event | asyncio.Future[None]] = asyncio.Queue()
        self.session = Session(start, self._receive_event, has_prompt=False, can_ask=True)
        self._updates = SessionUpdates(self.session)
        self._notices = tuple(notices)
        self._is_busy = self._is_cancelled = False
        self._reason = "end_turn"
        self._forwarding: asyncio.Task[None] | None = None
        self._questions: dict[int, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Start the session; the client gets nothing before `begin_updates`."""
        await asyncio.to_thread(self.session.open)

    def begin_updates(self) -> None:
        """Send updates from the next pass of the event loop on: after the answer that tells the client the id."""
        self._loop.call_soon(self._start_forwarding)

    def _start_forwarding(self) -> None:
        self._forwarding = self._loop.create_task(self._forward())

    async def show_history(self) -> None:
        """Wait until the earlier run is open, and send its history. Raises UsageError if it cannot be opened."""
        opened = threading.Event()
        self.session.later("", opened.set)
        while not opened.is_set() and self.session.alive:
            await asyncio.sleep(TICK / 10)
        engine = self.session.engine
        if engine is None and self.session.start.run is None:
            self.session.show(NO_RUN, "notice")
            return
        if engine is None:
            raise UsageError(self._first_error() or "The session cannot be opened.", "Start a new one.")
        updates = await asyncio.to_thread(lambda: list(self._updates.of_history(engine.trajectory)))
        await self._send(updates)

    def _first_error(self) -> str:
        """Return the first error that waits to be shown, or ""."""
        while not self._events.empty():
            event = self._events.get_nowait()
            if isinstance(event, session_events.MessageEvent) and event.kind == "error":
                return event.text
        return ""

    # What the client asks for

    async def prompt(self, blocks: Sequence[Any]) -> str:
        """Run a prompt, and return the protocol's reason for its end. Raises UsageError for one that is not allowed."""
        self.check_free()
        if not self.session.alive:
            raise UsageError("The session is closed.", "Load it again.")
        # Nothing is awaited before this, so that the next message can cancel the prompt.
        self._is_busy, self._is_cancelled, self._reason = True, False, "end_turn"
        try:
            content = await asyncio.to_thread(read_prompt, blocks, self.session.start.source.root)
            if content.words.startswith("/") and is_command(content.words):
                check_in_editor(content.words)
            if not self._is_cancelled:
                await self._run(content)
        finally:
            self._is_busy = False
        return "cancelled" if self._is_cancelled else self._reason

    def check_free(self) -> None:
        """Raise UsageError if a prompt runs."""
        if self._is_busy:
            raise UsageError("The session is working on a prompt.", "Cancel it, or wait until it is done.")

    async def _run(self, content: PromptContent) -> None:
        for notice in content.notices:
            self.session.show(notice, "notice")
        await asyncio.to_thread(self.session.say, content.words, content.more, content.images)
        await self._settle()

    async def _settle(self) -> None:
        """Wait until the prompt is done and all its updates are sent; pass a cancellation on until it takes effect."""
        done = self._loop.create_future()
        self.session.later("", lambda: self._receive_event(done))
        while not done.done() and self.session.alive:
            if self._is_cancelled and not self.session.stopped.is_set():
                self.session.interrupt()
            await asyncio.wait((done,), timeout=TICK)

    def cancel(self) -> None:
        """Stop the prompt that runs, if any."""
        if self._is_busy:
            self._is_cancelled = True
            self.session.interrupt()

    async def set_mode(self, mode: str) -> None:
        """Choose the mode of the next turns. Raises UsageError for an unknown one."""
        if mode not in MODES:
            raise UsageError("There is no such mode.", f"Choose one of {', '.join(MODES)}.")
        await asyncio.to_thread(find("mode").run, self.session, mode)

    def modes(self) -> Any:
        from acp.schema import SessionMode, SessionModeState

        known = [SessionMode(id=id, name=name, description=about) for id, (name, about) in MODE_NAMES.items()]
        return SessionModeState(current_mode_id=self.session.mode, available_modes=known)

    async def close(self) -> None:
        """Stop what runs and close the run, which can be loaded again."""
        self._is_cancelled = True
        await asyncio.to_thread(self.session.close)
        for task in (*self._questions.values(), *filter(None, [self._forwarding])):
            task.cancel()

    # What the client gets

    def _receive_event(self, event: Event | asyncio.Future[None]) -> None:
        """Receive an event, in any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._enqueue_event, event)

    def _enqueue_event(self, event: Event | asyncio.Future[None]) -> None:
        is_detail = isinstance(event, session_events.ProgressReported) and (
            event.happening.kind in LIVE_DETAILS or event.happening.kind in ("delta", "progress")
        )
        if not is_detail or self._events.qsize() < MOST_WAITING:
            self._events.put_nowait(event)

    async def _forward(self) -> None:
        await self._send([self._commands()])
        for notice in self._notices:
            await self._send(list(self._updates.say(notice)))
        while True:
            event = await self._events.get()
            if isinstance(event, asyncio.Future):
                if not event.done():
                    event.set_result(None)
                continue
            self._record_stop_reason(event)
            try:
                updates = await asyncio.to_thread(self._updates_of, event)
            except Exception:  # an update that cannot be made does not end the session
                logging.getLogger(__name__).exception("An event could not be shown")
                continue
            await self._send(updates)
            if isinstance(event, session_events.QuestionAsked):
                self._questions[event.approval.id] = self._loop.create_task(self._ask(event.approval))

    def _updates_of(self, event: Event) -> list[Any]:
        return list(self._updates.of_event(event))

    def _record_stop_reason(self, event: Event) -> None:
        match event:
            case session_events.TurnEnded(result):
                self._reason = STOP_REASONS.get(result.exit.kind, "end_turn")
            case session_events.TurnStopped(error):
                self._reason = "cancelled" if isinstance(error, Cancelled) else "end_turn"
            case session_events.QuestionAnswered(approval):
                if task := self._questions.pop(approval.id, None):
                    task.cancel()
            case _:
                pass

    async def _ask(self, approval: Approval) -> None:
        question, answer = PermissionRequest(approval), NO_USER
        if question.is_too_long:
            self.session.answer(approval.id, TOO_LONG)
            return
        try:
            response = await self._client.request_permission(
                options=question.options(), session_id=self.id, tool_call=question.tool_call()
            )
            answer = question.answer(response.outcome)
        except Exception as error:  # noqa: BLE001 - a client that is gone or answers wrongly has not allowed anything
            logging.getLogger(__name__).warning("The client did not answer a question: %s", type(error).__name__)
        self.session.answer(approval.id, answer)

    async def _send(self, updates: Iterable[Any]) -> None:
        for update in updates:
            try:
                await self._client.session_update(session_id=self.id, update=update)
            except OSError:  # the client is gone, even if it keeps our stdin open
                self.cancel()
                return

    def _commands(self) -> Any:
        from acp.helpers import update_available_commands
        from acp.schema import AvailableCommand, AvailableCommandInput, UnstructuredCommandInput

        def command(name: str, usage: str, about: str) -> Any:
            hint = AvailableCommandInput(root=UnstructuredCommandInput(hint=usage)) if usage else None
            return AvailableCommand(name=name, description=about, input=hint)

        try:
            own = self.session.custom_commands
        except (SweAgentError, OSError):
            own = {}
        custom = [command(each.name, "", each.summary) for each in own.values()]
        return update_available_commands([*(command(*each) for each in summaries_in_editors()), *custom])
